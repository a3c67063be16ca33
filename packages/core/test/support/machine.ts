import { createHash } from 'node:crypto';
import type { FlushSink, PageTableFormat } from '@vmarea/core';
import { FrameAllocator, PageTable, PhysicalMemory, wasmLoops } from '@vmarea/core';
import { TableRecords } from '../../src/table/state/table-records.js';

/** One flush as a sink saw it. */
interface Flush {
  va: bigint;
  bytes: bigint;
  leafShift: number;
  tablesFreed: number[];
}

/** Memory, frames and an empty table of one format; `tableFrames` bounds the tables. A `sink` is called after the recorder. */
export function machine(format: PageTableFormat, tableFrames = 64, base = 0n, sink?: FlushSink) {
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
  const table = new PageTable({ format, memory, frames, sink: recorder });
  return { format, memory, frames, table, flushes, pageBytes };
}

/** The frames of an allocator that are given out or reserved. */
export function takenFrames(frames: FrameAllocator): Set<number> {
  const taken = new Set<number>();
  for (let i = 0; i < frames.frames; i++) taken.add(frames.first + i);
  const copy = new FrameAllocator(null, { state: frames.state.slice(0) });
  for (let pfn = copy.tryAllocate(); pfn >= 0; pfn = copy.tryAllocate()) taken.delete(pfn);
  return taken;
}

/**
 * Everything that a refused call must leave alone, as one string: the allocator's state, the engine's records of
 * tables, and the bytes of all frames that are given out. Free frames do not count: a table that was made and given
 * back leaves its bytes there.
 */
export function fingerprint({ memory, frames }: { memory: PhysicalMemory; frames: FrameAllocator }): string {
  const hash = createHash('sha256').update(new Uint8Array(frames.state));
  hash.update(new Uint8Array(TableRecords.of(frames).state));
  for (const pfn of takenFrames(frames)) {
    hash.update(memory.bytesAt(BigInt(pfn) << BigInt(frames.pageShift), 2 ** frames.pageShift));
  }
  return hash.digest('hex');
}

/** First address of a format's range, and of the upper half where it has two. */
export function firstAddress(format: PageTableFormat, upperHalf = false): bigint {
  const { bits, upper } = format.range;
  const top = 1n << 64n;
  if (upper === 'ones') return top - (1n << BigInt(bits));
  return upper === 'sign' && upperHalf ? top - (1n << BigInt(bits - 1)) : 0n;
}
