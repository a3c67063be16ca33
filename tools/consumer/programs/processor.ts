import { FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { Mmu, MmuFault } from '@vmarea/mmu';
import { X8664_INVALIDATIONS, x8664 } from '@vmarea/x86-64';

/** Stores and loads through tables, and faults where they map nothing any more. */
export function run(): string {
  const memory = PhysicalMemory.create({ bytes: 1 << 20 });
  const format = x8664();
  const table = new PageTable({
    format,
    memory,
    frames: new FrameAllocator(memory, { first: 0, frames: 16 }),
  });
  table.map(0x1000n, [100], protection({ write: true, user: true }));
  const tables = { format, root: table.root, controls: format.controls };
  const mmu = new Mmu({ memory, tables, invalidations: X8664_INVALIDATIONS });
  mmu.store32(0, 0x1004, true, 42);
  const value = mmu.load32(0, 0x1004, true);
  table.unmap(0x1000n, 4096);
  mmu.invalidate('INVLPG', 0x1000n);
  try {
    mmu.load32(0, 0x1004, true);
  } catch (error) {
    if (error instanceof MmuFault) return `${value}, then ${error.message}`;
  }
  throw new Error('an unmapped page was loaded from');
}
