/**
 * Access memory as an x86-64 and an arm64 processor do, and see what a missing invalidation does.
 */
import { ARM64_INVALIDATIONS, arm64 } from '@vmarea/arm64';
import { FrameAllocator, PageTable, PhysicalMemory } from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import { X8664_INVALIDATIONS, x8664 } from '@vmarea/x86-64';

const x86 = { format: x8664(), invalidations: X8664_INVALIDATIONS };
const arm = { format: arm64({ granule: 16, vaBits: 47, half: 'ttbr0' }), invalidations: ARM64_INVALIDATIONS };

/** A processor, its table, and a page of user memory at 4 MiB. */
function start({ format, invalidations }: typeof x86 | typeof arm) {
  const { controls, pageShift } = format;
  const memory = PhysicalMemory.create({ bytes: 16 << 20 });
  const table = new PageTable({ format, memory, frames: new FrameAllocator(memory, { pageShift }) });
  table.map(0x40_0000n, [100], { write: true, user: true });
  return { table, mmu: new Mmu({ memory, tables: { format, root: table.root, controls }, invalidations }) };
}

for (const [machine, forget] of [
  [start(x86), (mmu: Mmu) => mmu.invalidate('INVLPG', 0x40_0000n)],
  [start(arm), (mmu: Mmu) => mmu.invalidate('TLBI VAE1', 0x40_0000n, 0)],
] as const) {
  const { mmu, table } = machine;
  mmu.store32(0, 0x40_0010, true, 7); // the words of the address, by user mode, the value
  table.unmap(0x40_0000n, 2 ** table.format.pageShift); // nobody tells the processor
  console.log(mmu.load32(0, 0x40_0010, true));
  forget(mmu);
  console.log(mmu.access(0x40_0010n, 'read', true).fault);
}
