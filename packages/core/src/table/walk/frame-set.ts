import type { WantedLeaves } from './items.js';

/** Frames as ascending intervals that do not touch. */
export class FrameSet implements WantedLeaves {
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;

  /** @param frames - ascending; equal ones may repeat. */
  static of(frames: Float64Array): FrameSet {
    const starts: number[] = [];
    const ends: number[] = [];
    for (const pfn of frames) {
      const last = ends.length - 1;
      if (last >= 0 && pfn <= (ends[last] as number)) ends[last] = Math.max(ends[last] as number, pfn + 1);
      else {
        starts.push(pfn);
        ends.push(pfn + 1);
      }
    }
    return new this(Float64Array.from(starts), Float64Array.from(ends));
  }

  constructor(starts: Float64Array, ends: Float64Array) {
    this.#starts = starts;
    this.#ends = ends;
  }

  touch(pfn: number, pages: number): boolean {
    const at = this.#after(pfn);
    return at < this.#starts.length && (this.#starts[at] as number) < pfn + pages;
  }

  /** The parts of some adjacent frames that are in the set, ascending, as first frame and frame behind. */
  *partsOf(pfn: number, pages: number): Generator<readonly [first: number, end: number], void, undefined> {
    for (let at = this.#after(pfn); at < this.#starts.length; at++) {
      const first = Math.max(pfn, this.#starts[at] as number);
      if (first >= pfn + pages) return;
      yield [first, Math.min(pfn + pages, this.#ends[at] as number)];
    }
  }

  /** Index of the first interval that ends behind a frame. */
  #after(pfn: number): number {
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ends[middle] as number) <= pfn) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
