/** Pages that a flush is owed for. */
export interface OwedRange {
  from: number;
  /** The page after the last. */
  to: number;
  /** log2 of the smallest leaf that was removed. */
  leafShift: number;
}

/**
 * Ranges of pages, ascending; none touches the next. A purge of 20,000 areas adds as many ranges, so `add`
 * and `touches` use binary search.
 */
export class OwedRanges {
  readonly #ranges: OwedRange[] = [];
  readonly #middle: number;

  /** @param middle - page at which a range must end, the other side of the canonical hole; -1 for none. */
  constructor(middle: number) {
    this.#middle = middle;
  }

  get list(): readonly Readonly<OwedRange>[] {
    return this.#ranges;
  }

  /** Adds a range, merged with the ranges that it touches. */
  add(from: number, to: number, leafShift: number): void {
    const middle = this.#middle;
    if (from < middle && to > middle) {
      this.add(from, middle, leafShift);
      this.add(middle, to, leafShift);
      return;
    }
    const ranges = this.#ranges;
    const first = this.#firstEndingAt(from === middle ? from + 1 : from);
    const merged: OwedRange = { from, to, leafShift };
    let last = first;
    for (; last < ranges.length; last++) {
      const range = ranges[last] as OwedRange;
      if (range.from > to || (range.from === to && to === middle)) break;
      merged.from = Math.min(merged.from, range.from);
      merged.to = Math.max(merged.to, range.to);
      merged.leafShift = Math.min(merged.leafShift, range.leafShift);
    }
    ranges.splice(first, last - first, merged);
  }

  /** True when one of the pages is in a range. */
  touches(first: number, end: number): boolean {
    const range = this.#ranges[this.#firstEndingAt(first + 1)];
    return range !== undefined && range.from < end;
  }

  clear(): void {
    this.#ranges.length = 0;
  }

  /** Index of the first range whose `to` is at or above a page. */
  #firstEndingAt(page: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const half = (low + high) >>> 1;
      if ((this.#ranges[half] as OwedRange).to < page) low = half + 1;
      else high = half;
    }
    return low;
  }
}
