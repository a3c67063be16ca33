import { NONE_FITS, NOT_SET } from './codes.js';
import { type MayAllocate, partsOf, Ranges } from './ranges.js';

/**
 * Lowest first: a request takes the start of the lowest range that is long enough. It stands for the maple tree of 6.9 to
 * 6.12 (mtree_alloc_range from 0 on).
 *
 * A binary tree over the slots holds the longest range that begins in each half.
 */
export class LowestFirst extends Ranges {
  /** Node 1 is the root; node n has the children 2n and 2n + 1; the leaf of slot s is node `leaves` + s. */
  readonly #longest: Int32Array;
  readonly #leaves: number;

  /** Words that an allocator needs. */
  static wordsFor(count: number): number {
    return Ranges.commonWords(count) + 2 * leavesFor(count);
  }

  /** @param words - `wordsFor(count)`, all 0 for slots that are all allocated. */
  constructor(words: Int32Array, count: number, mayAllocate: MayAllocate) {
    const parts = partsOf(words, count);
    super(count, parts, mayAllocate);
    this.#leaves = leavesFor(count);
    this.#longest = parts.rest.subarray(0, 2 * this.#leaves);
  }

  override find(count: number): number {
    const longest = this.#longest;
    if ((longest[1] as number) < count) return NONE_FITS;
    let node = 1;
    while (node < this.#leaves) {
      node *= 2;
      if ((longest[node] as number) < count) node++;
    }
    return node - this.#leaves;
  }

  override findAligned(count: number, align: number, offset: number): number {
    for (let at = this.nextRange(0); at >= 0; at = this.nextRange(at + 1)) {
      const first = this.alignedIn(at, count, align, offset);
      if (first >= 0) return first;
    }
    return NONE_FITS;
  }

  /**
   * As in Linux's maple tree, a span is inserted only where nothing is (mtree_insert_range).
   *
   * @returns 0; `NOT_SET` when a slot of it is allocated; `NO_NODE`.
   */
  override clear(start: number, count: number): number {
    return this.isSet(start, count) ? super.clear(start, count) : NOT_SET;
  }

  protected override link(start: number, count: number): void {
    this.#note(start, count);
  }

  protected override unlink(start: number): void {
    this.#note(start, 0);
  }

  protected override forget(): void {
    this.#longest.fill(0);
  }

  #note(start: number, count: number): void {
    const longest = this.#longest;
    let node = this.#leaves + start;
    longest[node] = count;
    for (node >>>= 1; node >= 1; node >>>= 1) {
      const most = Math.max(longest[2 * node] as number, longest[2 * node + 1] as number);
      if (longest[node] === most) return;
      longest[node] = most;
    }
  }
}

/** Slots rounded up to a power of two. */
function leavesFor(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}
