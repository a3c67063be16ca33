/**
 * Access memory as an x86-64 and an arm64 processor do, and see what a missing invalidation does.
 */
import { ARM64_INVALIDATIONS, arm64 } from '@vmarea/arm64';
import {
  type Controls,
  FrameAllocator,
  type Invalidation,
  PageTable,
  type PageTableFormat,
  PhysicalMemory,
  protection,
} from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import { X8664_INVALIDATIONS, x8664 } from '@vmarea/x86-64';

/** Loads a value before its page is unmapped, after that, and after the instruction that forgets the page. */
function threeLoads<C extends Controls>(
  format: PageTableFormat<C>,
  invalidations: readonly Invalidation[],
  forget: readonly [name: string, ...operands: (bigint | number)[]],
): string {
  const { controls, pageShift } = format;
  const memory = PhysicalMemory.create({ bytes: 16 << 20 });
  const table = new PageTable({ format, memory, frames: new FrameAllocator(memory, { pageShift }) });
  const mmu = new Mmu({ memory, tables: { format, root: table.root, controls }, invalidations });
  table.map(0x40_0000n, [100], protection({ write: true, user: true }));
  mmu.store32(0, 0x40_0010, true, 7); // the words of the address, by user mode, the value

  const before = mmu.load32(0, 0x40_0010, true);
  table.unmap(0x40_0000n, 2 ** pageShift); // nobody tells the processor
  const stale = mmu.load32(0, 0x40_0010, true);
  mmu.invalidate(...forget);
  const { fault } = mmu.access(0x40_0010n, 'read', true);
  return `${before}, ${stale}, ${fault?.code.name} ${fault?.code.code}`;
}

const arm64User = arm64({ granule: 16, vaBits: 47, half: 'ttbr0' });
console.log(threeLoads(x8664(), X8664_INVALIDATIONS, ['INVLPG', 0x40_0000n])); // 7, 7, #PF 4
console.log(threeLoads(arm64User, ARM64_INVALIDATIONS, ['TLBI VAE1', 0x40_0000n, 0])); // 7, 7, FSC 7
