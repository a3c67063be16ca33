import { createHash } from 'node:crypto';
import type { FlushSink, PageTableFormat } from '@vmarea/core';
import { FrameAllocator, PageTable, PhysicalMemory } from '@vmarea/core';

/** One flush as a sink saw it. */
interface Flush {
  va: bigint;
  bytes: bigint;
  leafShift: number;
  tablesFreed: number[];
}

/** Memory, frames and an empty table of one format; `tableFrames` bounds the tables. */
export function machine(format: PageTableFormat, tableFrames = 64, base = 0n, sink?: FlushSink) {
  const pageBytes = 2 ** format.pageShift;
  const memory = PhysicalMemory.create({ bytes: tableFrames * pageBytes, base });
  const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
  const flushes: Flush[] = [];
  const recorder: FlushSink = {
    flush: (va, bytes, leafShift, tablesFreed) => {
      flushes.push({ va, bytes, leafShift, tablesFreed: [...tablesFreed] });
    },
  };
  const table = new PageTable({ format, memory, frames, sink: sink ?? recorder });
  return { format, memory, frames, table, flushes, pageBytes };
}

/**
 * Everything that a refused call must leave alone, as one string: the allocator's state and the bytes of all
 * allocated frames. Free frames do not count: a table that was made and given back leaves its bytes there.
 */
export function fingerprint({ memory, frames }: { memory: PhysicalMemory; frames: FrameAllocator }): string {
  const state = new Uint8Array(frames.state);
  const free = new Set<number>();
  const copy = FrameAllocator.attach(state.slice().buffer);
  for (let pfn = copy.tryAllocate(); pfn >= 0; pfn = copy.tryAllocate()) free.add(pfn);
  const hash = createHash('sha256').update(state);
  for (let pfn = frames.first; pfn < frames.first + frames.frames; pfn++) {
    if (free.has(pfn)) continue;
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
