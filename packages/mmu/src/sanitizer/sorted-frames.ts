/** Blocks of frames of one call, for questions about ranges. */
export class SortedFrames {
  readonly #starts: Float64Array;
  readonly #length: number;

  /** @param scale - frames of the format in one of the allocator: a power of two, or its inverse. */
  constructor(pfns: ArrayLike<number>, order: number, scale: number) {
    this.#starts = Float64Array.from(pfns, (pfn) => Math.floor(pfn * scale)).sort();
    this.#length = Math.max(1, 2 ** order * scale);
  }

  /** The lowest frame that is in a block and in `first` to `end`, exclusive; -1 for none. */
  firstIn(first: number, end: number): number {
    const starts = this.#starts;
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const half = (low + high) >>> 1;
      if ((starts[half] as number) + this.#length <= first) low = half + 1;
      else high = half;
    }
    const start = starts[low];
    return start === undefined || start >= end ? -1 : Math.max(start, first);
  }
}
