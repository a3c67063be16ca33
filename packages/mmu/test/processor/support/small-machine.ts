import {
  type FlushSink,
  FrameAllocator,
  type Invalidation,
  PageTable,
  type PageTableFormat,
  PhysicalMemory,
  type Protection,
  protection,
} from '@vmarea/core';
import { Mmu, type MmuOptions } from '@vmarea/mmu';

/** A machine of 4 MiB with one page table, and a processor that uses it. */
export interface SmallMachine {
  readonly memory: PhysicalMemory;
  readonly frames: FrameAllocator;
  readonly table: PageTable;
  readonly mmu: Mmu;
}

/** Protections of pages in use: hardware has nothing to set. */
export const RW: Protection = protection({ write: true, accessed: true, dirty: true });
export const USER_RW: Protection = protection({ write: true, user: true, accessed: true, dirty: true });
export const GLOBAL_RW: Protection = protection({ write: true, global: true, accessed: true, dirty: true });

export function smallMachine(
  format: PageTableFormat,
  options: Partial<MmuOptions> = {},
  sink?: FlushSink,
  invalidations: readonly Invalidation[] = [],
): SmallMachine {
  const memory = options.memory ?? PhysicalMemory.create({ bytes: 4 << 20 });
  const frames = new FrameAllocator(memory, {
    pageShift: format.pageShift,
    first: 0,
    frames: (1 << 19) >> format.pageShift,
  });
  const table = new PageTable({ format, memory, frames, ...(sink === undefined ? {} : { sink }) });
  const tables = { format, root: table.root, controls: format.controls };
  const mmu = new Mmu({ memory, tables, invalidations, ...options });
  return { memory, frames, table, mmu };
}

/** The two words of an address. */
export function split(va: bigint): [hi: number, lo: number] {
  return [Number(BigInt.asIntN(32, va >> 32n)), Number(BigInt.asIntN(32, va))];
}
