import { addressOf, kindOf, lastRead } from '@vmarea/conformance';
import { type Level, type PageTableFormat, type PhysicalMemory, toBigint } from '@vmarea/core';

/** What the bytes say about one page. */
export interface ByteWalk {
  /** Physical address of the page, in bytes. */
  readonly pa: bigint;
  /** Index of the leaf's level; the root is 0. */
  readonly level: number;
  /** The leaf as it stands in memory. */
  readonly entry: bigint;
}

/**
 * Walks one address over raw bytes, with none of the engine's code: bigint arithmetic, one entry at a time.
 *
 * @param root - physical address of the root table.
 * @returns `null` where nothing is mapped.
 */
export function walkBytes(
  format: PageTableFormat,
  memory: PhysicalMemory,
  root: bigint,
  va: bigint,
): ByteWalk | null {
  const { level, entry } = lastRead(format, memory, root, va);
  if (kindOf(format, level, entry) !== 'leaf') return null;
  const { shift, run } = format.levels[level] as Level;
  const size = 1n << BigInt(shift);
  const page = 1n << BigInt(format.pageShift);
  const low = va & ((1n << BigInt(format.range.bits)) - 1n);
  let pa = addressOf(format, entry, shift);
  if (run?.style === 'napot' && (entry & toBigint(run.set)) !== 0n) {
    const runSize = size * BigInt(run.entries);
    pa = pa - (pa % runSize) + ((low % runSize) - (low % size));
  }
  return { pa: pa + (low % size) - (low % page), level, entry };
}
