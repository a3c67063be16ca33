import type { TablePath } from './rights.js';

/** A table that a listing has met. */
export interface MetTable {
  /** The table entries on the way to it; `null` when rights are not wanted. */
  readonly path: TablePath | null;
  /** Index of the first page that it translates where it was met first. */
  readonly page: number;
  /** True when nothing below it is an item of the list. */
  isEmpty: boolean;
  /** The same table of the same level, below each path that it was met below. */
  readonly all: readonly MetTable[];
}

/** Paths below which one table is listed. */
const PATHS = 16;

/**
 * How many entries one call may read again, in tables that it has read before. 2^18 entries are 512 tables of
 * 4 KiB.
 */
export const AGAIN_ENTRIES: number = 2 ** 18;

/**
 * The same where tables are listed at each address. A Linux 6.12 guest on x86-64 needs 2^20 + 1024 for its espfix stacks,
 * whose tables are shared on purpose (arch/x86/kernel/espfix_64.c).
 */
const LIST_ENTRIES = 2 ** 21;

/**
 * Tables that a listing has met whole, by frame and level. So a listing knows a table that it meets again: one
 * that entries share, or one in a loop. Without that, one page of entries could take 2^36 steps.
 *
 * Each table is read once for each level. To read it again, below other flags or to list it at another address,
 * takes from the entries that are left. So a call reads at most four times the entries in all tables, and
 * these.
 */
export class MetTables {
  /** Entries that may be read again. */
  left: number;
  readonly #met = new Map<number, MetTable[]>();
  readonly #lists: boolean;

  /** @param lists - a table that is met again is read again, while entries are left. */
  constructor(lists: boolean, left: number = lists ? LIST_ENTRIES : AGAIN_ENTRIES) {
    this.#lists = lists;
    this.left = left;
  }

  /** The table as it was met first: below the same path, else below another one. `null` the first time. */
  find(level: number, pfn: number, path: TablePath | null): MetTable | null {
    const met = this.#met.get(pfn * 8 + level);
    return met?.find((one) => one.path === path) ?? met?.[0] ?? null;
  }

  /** Takes the entries of a table that was met from those that are left. False when it is named instead. */
  spend({ path, all }: MetTable, now: TablePath | null, entries: number): boolean {
    if (path === now ? !this.#lists : all.length >= PATHS) return false;
    if (this.left < entries) return false;
    this.left -= entries;
    return true;
  }

  add(level: number, pfn: number, path: TablePath | null, page: number): MetTable {
    const key = pfn * 8 + level;
    let all = this.#met.get(key);
    if (all === undefined) {
      all = [];
      this.#met.set(key, all);
    }
    const table = { path, page, isEmpty: false, all };
    all.push(table);
    return table;
  }

  /** Forgets the tables, and keeps the count. */
  forget(): void {
    this.#met.clear();
  }
}
