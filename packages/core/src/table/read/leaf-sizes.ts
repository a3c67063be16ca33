import type { PageTableFormat } from '../../format/page-table-format.js';
import { joinWords } from '../../words.js';
import type { LeafRun } from './leaves.js';

/** How many leaves there are of one size. */
export interface LeafSize {
  /** Bytes of one leaf; of a run with a contiguous hint, of the whole run. */
  readonly bytes: number;
  readonly count: number;
}

/**
 * Counts leaves by size, smallest first. A run with a contiguous hint is one of its own size, as it is for a TLB.
 *
 * @param runs - from `PageTable.leaves`.
 * @example
 * ```ts
 * leafSizes(table.format, table.leaves()); // [{ bytes: 4096, count: 3 }, { bytes: 2097152, count: 128 }]
 * ```
 */
export function leafSizes(format: PageTableFormat, runs: Iterable<LeafRun>): LeafSize[] {
  const counts = new Map<number, number>();
  for (const { level, flags, leafShift, count } of runs) {
    const run = format.levels[level]?.run ?? null;
    const mark = run === null ? 0n : joinWords(run.set.lo, run.set.hi);
    const entries = run !== null && (flags & mark) === mark ? run.entries : 1;
    const bytes = entries * 2 ** leafShift;
    counts.set(bytes, (counts.get(bytes) ?? 0) + count / entries);
  }
  return [...counts].sort(([a], [b]) => a - b).map(([bytes, count]) => ({ bytes, count }));
}
