import type { Run } from '../../format/entry.js';
import type { PageTableFormat } from '../../format/page-table-format.js';
import { toBigint } from '../../words.js';
import type { LeafItem, LeafRun } from '../walk/leaves.js';

/** How many leaves of one size there are. */
export interface LeafSize {
  /** Bytes of one leaf. For a run with a contiguous hint, bytes of the whole run. */
  readonly bytes: number;
  /** Leaves, or runs, of this size. */
  readonly count: number;
}

/** How many tables a list has whose leaves it does not give. */
export interface UnlistedSize {
  /** `missing`: the memory has no bytes of them. `again`: their leaves are listed elsewhere. */
  readonly kind: 'missing' | 'again';
  /** Bytes that one of them translates. */
  readonly bytes: number;
  /** Tables of this size. */
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
 * Tables that the list only names are counted beside them, behind all leaves: what they map is in no count. A table of
 * kind `again` maps what it maps where it is listed. A caller who must know everything takes a complete list.
 *
 * @param items - from `leaves` of a page table, or from `listLeaves`.
 * @example
 * ```ts
 * leafSizes(table.format, table.leaves()); // [{ bytes: 4096, count: 3 }, { bytes: 2097152, count: 128 }]
 * leafSizes(format, listLeaves(image)); // [{ bytes: 4096, count: 2 }, { kind: 'missing', bytes: 2097152, count: 1 }]
 * ```
 */
export function leafSizes(format: PageTableFormat, items: Iterable<LeafRun>): LeafSize[];
export function leafSizes(format: PageTableFormat, items: Iterable<LeafItem>): (LeafSize | UnlistedSize)[];
export function leafSizes(format: PageTableFormat, items: Iterable<LeafItem>): (LeafSize | UnlistedSize)[] {
  const sizes = { leaves: new Map<number, number>(), missing: new Map(), again: new Map() };
  for (const item of items) {
    const isRun = 'count' in item;
    const entries = isRun ? (runOf(format, item.level, item.flags)?.entries ?? 1) : 1;
    const bytes = isRun ? entries * 2 ** item.leafShift : Number(item.bytes);
    const counts: Map<number, number> = sizes[isRun ? 'leaves' : item.kind];
    counts.set(bytes, (counts.get(bytes) ?? 0) + (isRun ? item.count / entries : 1));
  }
  const rows = (counts: ReadonlyMap<number, number>): LeafSize[] =>
    [...counts].sort(([a], [b]) => a - b).map(([bytes, count]) => ({ bytes, count }));
  const unlisted = (['missing', 'again'] as const).flatMap((kind) =>
    rows(sizes[kind]).map((row) => ({ kind, ...row })),
  );
  return [...rows(sizes.leaves), ...unlisted];
}
