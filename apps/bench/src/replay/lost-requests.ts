import type { LostArea } from './ledger.js';
import { lowerBound } from './lower-bound.js';

/** The areas whose request is lost, by their place. */
export class LostRequests {
  /** By first page, then by the row that frees them. */
  readonly #areas: readonly LostArea[];
  readonly #starts: Float64Array;
  /** By the row that frees them. */
  readonly #inOrder: readonly LostArea[];
  readonly #freed: Float64Array;
  /** The most pages of one whose size is known. */
  readonly #most: number;

  constructor(lost: readonly LostArea[]) {
    this.#areas = [...lost].sort((a, b) => a.start - b.start || a.freed - b.freed);
    this.#starts = Float64Array.from(this.#areas, ({ start }) => start);
    this.#inOrder = [...lost].sort((a, b) => a.freed - b.freed);
    this.#freed = Float64Array.from(this.#inOrder, ({ freed }) => freed);
    this.#most = lost.reduce((most, { size }) => Math.max(most, size ?? 1), 1);
  }

  /**
   * Those that overlap some pages and are freed after a row: for each first page, the next one.
   *
   * @param size - also the size of one whose size is unknown.
   */
  overlapping(at: number, start: number, size: number): { readonly start: number; readonly size: number }[] {
    const found: { readonly start: number; readonly size: number }[] = [];
    let i = lowerBound(this.#starts, start - Math.max(this.#most, size) + 1);
    while (i < this.#areas.length && (this.#areas[i] as LostArea).start < start + size) {
      const first = (this.#areas[i] as LostArea).start;
      const area = this.#next(i, at);
      const pages = area?.size ?? size;
      if (area !== null && first + pages > start) found.push({ start: first, size: pages });
      i = lowerBound(this.#starts, first + 0.5);
    }
    return found;
  }

  /** Those that are freed after a row, a number of them at most. */
  after(at: number, most: number): readonly LostArea[] {
    const from = lowerBound(this.#freed, at + 1);
    return this.#inOrder.slice(from, from + most);
  }

  /** Among those with the same first page, from a first index on: the one that is freed next. */
  #next(from: number, at: number): LostArea | null {
    const { start } = this.#areas[from] as LostArea;
    let low = from;
    let high = lowerBound(this.#starts, start + 0.5);
    const end = high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#areas[middle] as LostArea).freed <= at) low = middle + 1;
      else high = middle;
    }
    return low < end ? (this.#areas[low] as LostArea) : null;
  }
}
