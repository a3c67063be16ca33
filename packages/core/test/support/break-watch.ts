import type { FlushSink, PageTableFormat, PhysicalMemory, Words } from '@vmarea/core';
import { hex, toBigint } from '@vmarea/core';
import { expect } from 'vitest';
import type { FoundTable } from './manual-walk/enumerate.js';
import { addressOfPage, type Geometry, type ManualLevel } from './manual-walk/geometry.js';

/** What was seen of one table's entries. */
interface Watched {
  readonly level: number;
  readonly page: number;
  /** Two words for each entry: the last that was valid, 0 and 0 for none. */
  readonly valid: Int32Array;
  /** 1 for an entry that a flush has found invalid since. */
  readonly broken: Uint8Array;
}

/**
 * Watches that the law of break-before-make is kept: an entry that was valid becomes another valid one, where the format
 * says that it needs a break, only after a flush of its address that found it invalid.
 *
 * It looks at all entries of all tables at every flush and between calls; what happens in between it cannot see.
 */
export class BreakWatch implements FlushSink {
  readonly #format: PageTableFormat;
  readonly #geometry: Geometry;
  readonly #tables = new Map<number, Watched>();
  memory!: PhysicalMemory;
  /** Finds the tables as they can be reached at a flush. */
  reachable!: () => readonly FoundTable[];

  constructor(format: PageTableFormat, geometry: Geometry) {
    this.#format = format;
    this.#geometry = geometry;
  }

  flush(va: bigint, bytes: bigint): void {
    this.look(this.reachable(), { va, bytes });
  }

  /** Forgets a table that went, and what it knew of the others: the test has changed entries by itself. */
  clear(): void {
    this.#tables.clear();
  }

  /**
   * Looks at all entries.
   *
   * @param reachable - the tables as they can be reached now.
   * @param flushed - addresses that caches forget at this moment; absent between calls.
   */
  look(reachable: readonly FoundTable[], flushed?: { readonly va: bigint; readonly bytes: bigint }): void {
    for (const { pfn, level, page } of reachable) {
      let watched = this.#tables.get(pfn);
      if (watched === undefined || watched.level !== level || watched.page !== page) {
        const entries = 2 ** (this.#geometry.levels[level] as ManualLevel).bits;
        watched = { level, page, valid: new Int32Array(2 * entries), broken: new Uint8Array(entries) };
        this.#tables.set(pfn, watched);
      }
      this.#lookAt(pfn, watched, flushed);
    }
  }

  /** Forgets tables whose frames may be given to somebody else now. */
  keep(allocated: ReadonlySet<number>): void {
    for (const pfn of this.#tables.keys()) if (!allocated.has(pfn)) this.#tables.delete(pfn);
  }

  #lookAt(pfn: number, watched: Watched, flushed?: { readonly va: bigint; readonly bytes: bigint }): void {
    const { valid, broken, level, page } = watched;
    const { pageShift } = this.#format;
    const place = this.memory.locate(pfn, pageShift);
    if (place === null) throw new Error(`the table in frame 0x${pfn.toString(16)} has no bytes`);
    const { words } = place.bank;
    const { pages } = this.#geometry.levels[level] as ManualLevel;
    const { mask, value } = this.#format.present;
    for (let slot = 0; slot < broken.length; slot++) {
      const lo = words[place.word + 2 * slot] as number;
      const hi = words[place.word + 2 * slot + 1] as number;
      const oldLo = valid[2 * slot] as number;
      const oldHi = valid[2 * slot + 1] as number;
      if (lo === oldLo && hi === oldHi) {
        broken[slot] = 0;
        continue;
      }
      const first = page + slot * pages;
      if ((((lo & mask.lo) ^ value.lo) | ((hi & mask.hi) ^ value.hi)) !== 0) {
        if (flushed !== undefined && this.#holds(flushed, first, pages)) broken[slot] = 1;
        continue;
      }
      if ((oldLo | oldHi) !== 0 && broken[slot] === 0) {
        this.#expectNoBreak({ lo: oldLo, hi: oldHi }, { lo, hi }, level, first);
      }
      valid[2 * slot] = lo;
      valid[2 * slot + 1] = hi;
      broken[slot] = 0;
    }
  }

  #expectNoBreak(before: Words, after: Words, level: number, page: number): void {
    if (!this.#format.needsBreak(before, after, level)) return;
    const what = `${hex(toBigint(before))} at ${hex(addressOfPage(this.#geometry, page))} becomes ${hex(toBigint(after))}`;
    expect.fail(`${what} without a break`);
  }

  #holds({ va, bytes }: { va: bigint; bytes: bigint }, page: number, pages: number): boolean {
    const start = addressOfPage(this.#geometry, page);
    return start < va + bytes && start + (BigInt(pages) << BigInt(this.#geometry.pageShift)) > va;
  }
}
