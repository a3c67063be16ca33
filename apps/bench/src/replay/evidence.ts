import type { LostRequests } from './lost-requests.js';
import { lowerBound } from './lower-bound.js';
import type { Row, Trace } from './trace.js';

/** Where a request went: as it is recorded, or as it is found here. */
export interface Answers {
  /** `null` for a failure. */
  readonly recorded: number | null;
  readonly found: number | null;
  /** Pages. */
  readonly size: number;
}

/**
 * What the rest of a recording says about a row whose answer is not ours: either the kernel's areas are not where ours are, or the row is
 * damaged. It is asked after the difference has been counted, and decides nothing but where the replay goes on.
 */
export class Evidence {
  readonly #rows: readonly Row[];
  /** Pages of the areas at the end, by first page; `null` when unknown. */
  readonly #end: ReadonlyMap<number, number> | null;
  /** Rows that name a first page: twice the number of the row, one more for a free. Made when first needed. */
  #mentions: ReadonlyMap<number, readonly number[]> | null = null;
  #pages = new Float64Array(0);
  readonly #lost: LostRequests;

  /**
   * @param lost - areas whose request is lost.
   * @param end - pages of the areas at the end, by first page; `null` when unknown.
   */
  constructor({ rows }: Pick<Trace, 'rows'>, lost: LostRequests, end: ReadonlyMap<number, number> | null) {
    this.#rows = rows;
    this.#lost = lost;
    this.#end = end;
  }

  /**
   * True when the kernel's area is where the recording says, not where ours is.
   *
   * @param at - the number of the row.
   * @param isLive - says whether a live area has a name.
   * @param isPossible - says whether the allocator can give the recorded place, at the edge of a free range.
   */
  isRecorded(
    at: number,
    { recorded, found, size }: Answers,
    isLive: (name: number) => boolean,
    isPossible: () => boolean,
  ): boolean {
    if (found === null) return true;
    const ours = this.#freedAt(found, at, isLive);
    const theirs = recorded === null ? null : this.#freedAt(recorded, at, isLive);
    // Somebody else is given our place while the area lives: the area is not there.
    if (
      this.#isGiven(
        found,
        size,
        at,
        Math.min(ours ?? Number.POSITIVE_INFINITY, theirs ?? Number.POSITIVE_INFINITY),
      )
    )
      return true;
    if (recorded === null) return false;
    if (theirs === null && (ours !== null || this.#end?.has(recorded) === false)) return false;
    // A place in the middle of a free range is damage, or the range is not free: then nobody is given ours any more.
    return isPossible() || (theirs !== null && !this.#isGiven(found, size, at, Number.POSITIVE_INFINITY));
  }

  /** True when a row frees an area by this name, before any row gives it again; or it lives to the end. */
  isFreedLater(name: number, at: number): boolean {
    const next = this.#next(name, at);
    return next === null ? this.#end === null || this.#end.has(name) : next.isFree;
  }

  /**
   * Areas that have a place although the replay finds it free: the kernel would have given it. Their requests are lost. When nobody is
   * given the place any more, it is as good as taken.
   */
  holders(at: number, start: number, size: number): { readonly start: number; readonly size: number }[] {
    const lost = this.#lost.overlapping(at, start, size);
    if (lost.length > 0) return lost;
    return this.#isGiven(start, size, at, Number.POSITIVE_INFINITY) ? [] : [{ start, size }];
  }

  /** The next row that frees a place which no live area has as its name, unless it is given again before. */
  #freedAt(page: number, at: number, isLive: (name: number) => boolean): number | null {
    const next = this.#next(page, at);
    return next?.isFree === true && !isLive(page) ? next.row : null;
  }

  /** The next row after one that names a first page. */
  #next(page: number, at: number): { readonly row: number; readonly isFree: boolean } | null {
    const rows = this.#all().get(page) ?? [];
    const next = rows[lowerBound(rows, 2 * (at + 1))];
    return next === undefined ? null : { row: next >> 1, isFree: (next & 1) === 1 };
  }

  /** True when a row gives a place that begins inside these pages. */
  #isGiven(start: number, size: number, at: number, until: number): boolean {
    const all = this.#all();
    for (
      let i = lowerBound(this.#pages, start);
      (this.#pages[i] ?? Number.POSITIVE_INFINITY) < start + size;
      i++
    )
      if (isGivenIn(all.get(this.#pages[i] as number) ?? [], at, until)) return true;
    return false;
  }

  #all(): ReadonlyMap<number, readonly number[]> {
    if (this.#mentions !== null) return this.#mentions;
    const mentions = new Map<number, number[]>();
    for (const [i, { event }] of this.#rows.entries()) {
      const isFree = event.type === 'free';
      if (!isFree && event.type !== 'allocation' && event.type !== 'percpu done') continue;
      if (event.start === null) continue;
      const rows = mentions.get(event.start) ?? [];
      rows.push(2 * i + (isFree ? 1 : 0));
      mentions.set(event.start, rows);
    }
    this.#mentions = mentions;
    this.#pages = Float64Array.from(mentions.keys()).sort();
    return mentions;
  }
}

/** True when an address is given after one row and before another. */
function isGivenIn(rows: readonly number[], at: number, until: number): boolean {
  for (let i = lowerBound(rows, 2 * (at + 1)); i < rows.length; i++) {
    const row = rows[i] as number;
    if (row >> 1 >= until) return false;
    if ((row & 1) === 0) return true;
  }
  return false;
}
