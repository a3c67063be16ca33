import type { PageTableFormat } from '@vmarea/core';

/** Leaves of one size. A run with a contiguous hint or NAPOT is one leaf. */
export interface LeafCount {
  readonly bytes: number;
  /** Bytes that one entry of the tables covers: less than `bytes` in a run. */
  readonly entryBytes: number;
  readonly count: number;
}

/** Leaves by size, ascending, from pairs of log2 bytes and a count. */
export function leafCounts(
  { levels }: PageTableFormat,
  counts: Iterable<readonly [number, number]>,
): LeafCount[] {
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([shift, count]) => {
      const entry = levels.map((level) => level.shift).find((one) => one <= shift) ?? shift;
      return { bytes: 2 ** shift, entryBytes: 2 ** entry, count };
    });
}
