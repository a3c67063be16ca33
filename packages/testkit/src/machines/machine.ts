import {
  type FlushSink,
  FrameAllocator,
  PageTable,
  type PageTableFormat,
  PhysicalMemory,
  wasmLoops,
} from '@vmarea/core';

/** One flush as a sink saw it. */
export interface Flush {
  va: bigint;
  bytes: bigint;
  leafShift: number;
  tablesFreed: number[];
}

/** What a test of one page table works with. */
export interface TestMachine {
  readonly format: PageTableFormat;
  readonly memory: PhysicalMemory;
  readonly frames: FrameAllocator;
  readonly table: PageTable;
  /** All flushes so far. */
  readonly flushes: Flush[];
  readonly pageBytes: number;
}

/**
 * Makes memory, frames and an empty page table of a format.
 *
 * @param tableFrames - frames of the memory: they bound the tables, the root among them.
 * @param base - physical address of the memory.
 * @param sink - called at each flush, after it has been noted.
 * @param tableEntry - as the page table's option.
 */
export function machine(
  format: PageTableFormat,
  tableFrames = 64,
  base = 0n,
  sink?: FlushSink,
  tableEntry?: bigint,
): TestMachine {
  const pageBytes = 2 ** format.pageShift;
  const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: tableFrames * pageBytes, base });
  const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
  const flushes: Flush[] = [];
  const recorder: FlushSink = {
    flush: (va, bytes, leafShift, tablesFreed, asid) => {
      flushes.push({ va, bytes, leafShift, tablesFreed: [...tablesFreed] });
      sink?.flush(va, bytes, leafShift, tablesFreed, asid);
    },
  };
  const table = new PageTable({
    ...{ format, memory, frames, sink: recorder },
    ...(tableEntry === undefined ? {} : { tableEntry }),
  });
  return { format, memory, frames, table, flushes, pageBytes };
}
