import type { FreeSpace } from '@vmarea/core';

/** A free range, in pages. */
export interface FreeRange {
  readonly start: number;
  readonly end: number;
}

/** An answer that differs. */
export interface Difference {
  readonly line: number;
  /** The request. */
  readonly what: string;
  readonly recorded: number | null;
  readonly found: number | null;
  /** Free ranges around the recorded address, before the request if the free tree served it. */
  readonly around: readonly FreeRange[];
}

/** Free ranges around a recorded address, for the report. */
export function rangesAround(free: FreeSpace, page: number | null): FreeRange[] {
  if (page === null) return [];
  const { tree } = free;
  const ranges = [];
  let node = free.enclosing(page);
  for (let i = 0; i < 2; i++) if (tree.previous(node) !== 0) node = tree.previous(node);
  for (let i = 0; i < 5 && node !== 0; i++, node = tree.next(node))
    ranges.push({ start: tree.start[node] as number, end: tree.end[node] as number });
  return ranges;
}
