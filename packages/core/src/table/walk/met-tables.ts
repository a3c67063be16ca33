import type { TablePath } from './rights.js';

/** A table that a listing has met. */
export interface MetTable {
  /** The table entries on the way to it; `null` when rights are not wanted. */
  readonly path: TablePath | null;
  /** Index of the first page that it translates where it was met first. */
  readonly page: number;
  /** True when nothing below it is an item of the list. */
  isEmpty: boolean;
}

/** Paths below which one table is listed. Entries with ever new flags would else list it without end. */
const PATHS = 16;

/**
 * Tables that a listing has met whole, by frame, level and path. So a listing knows a table that it meets again:
 * one that entries share, or one in a loop.
 */
export class MetTables {
  readonly #met = new Map<number, MetTable[]>();

  /**
   * The table as it was met first; `null` the first time. When it was met below many other paths, the first of
   * them.
   */
  find(level: number, pfn: number, path: TablePath | null): MetTable | null {
    const met = this.#met.get(pfn * 8 + level);
    return met?.find((one) => one.path === path) ?? (met?.length === PATHS ? (met[0] as MetTable) : null);
  }

  add(level: number, pfn: number, path: TablePath | null, page: number): MetTable {
    const table = { path, page, isEmpty: false };
    const met = this.#met.get(pfn * 8 + level);
    if (met === undefined) this.#met.set(pfn * 8 + level, [table]);
    else met.push(table);
    return table;
  }
}
