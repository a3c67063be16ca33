import type { Run } from '../../format/entry.js';
import type { PageTableFormat } from '../../format/page-table-format.js';
import { toBigint } from '../../words.js';
import type { LeafRun } from '../walk/leaves.js';

/** How many leaves of one size there are. */
export interface LeafSize {
  /** Bytes of one leaf. For a run with a contiguous hint, bytes of the whole run. */
  readonly bytes: number;
  /** Leaves, or runs, of this size. */
  readonly count: number;
}

/** The run that a leaf belongs to by its mark; `null` for a single leaf. */
export function runOf(format: PageTableFormat, level: number, leaf: bigint): Run | null {
  const run = format.levels[level]?.run ?? null;
  if (run === null) return null;
  const mark = toBigint(run.set);
  return (leaf & mark) === mark ? run : null;
}

/**
 * Counts leaves by size, smallest first. A run with a contiguous hint counts as one leaf of the run's size,
 * as it does for a TLB.
 *
 * @param runs - from `leaves` of a page table.
 * @example
 * ```ts
 * leafSizes(table.format, table.leaves()); // [{ bytes: 4096, count: 3 }, { bytes: 2097152, count: 128 }]
 * ```
 */
export function leafSizes(format: PageTableFormat, runs: Iterable<LeafRun>): LeafSize[] {
  const counts = new Map<number, number>();
  for (const { level, flags, leafShift, count } of runs) {
    const entries = runOf(format, level, flags)?.entries ?? 1;
    const bytes = entries * 2 ** leafShift;
    counts.set(bytes, (counts.get(bytes) ?? 0) + count / entries);
  }
  return [...counts].sort(([a], [b]) => a - b).map(([bytes, count]) => ({ bytes, count }));
}
