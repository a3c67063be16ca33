import { BitTree } from './bit-tree.js';
import { NONE_FITS } from './codes.js';
import { type MayAllocate, partsOf, Ranges } from './ranges.js';

/**
 * Best fit: a request takes the start of the smallest range that is long enough, and of equal ones the range that was
 * inserted last (kernel/bpf/range_tree.c, since 6.13).
 *
 * Linux keeps ranges in a red-black tree by size. Only the order matters: by size, then by time. Here, ranges of one size are a
 * list, the newest first, and a bit tree knows which sizes there are. So all calls but the skips over unavailable ranges
 * take a few steps, whatever the number of ranges.
 */
export class BestFit extends Ranges {
  /** One more than the first slot of the newest range of a size; 0 for none. */
  readonly #newest: Int32Array;
  /** One more than the first slot of the next newer and the next older range of the same size. */
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  readonly #sizes: BitTree;
  readonly #sizeWords: Int32Array;

  /** Words that an allocator needs. */
  static wordsFor(count: number): number {
    return Ranges.commonWords(count) + 3 * count + 1 + BitTree.wordsFor(count + 1);
  }

  /** @param words - `wordsFor(count)`, all 0 for slots that are all allocated. */
  constructor(words: Int32Array, count: number, mayAllocate: MayAllocate) {
    const parts = partsOf(words, count);
    super(count, parts, mayAllocate);
    const { rest } = parts;
    this.#newest = rest.subarray(0, count + 1);
    this.#newer = rest.subarray(count + 1, 2 * count + 1);
    this.#older = rest.subarray(2 * count + 1, 3 * count + 1);
    this.#sizeWords = rest.subarray(3 * count + 1, 3 * count + 1 + BitTree.wordsFor(count + 1));
    this.#sizes = new BitTree(this.#sizeWords, count + 1);
  }

  override find(count: number): number {
    return this.findAligned(count, 1, 0);
  }

  override findAligned(count: number, align: number, offset: number): number {
    for (let size = this.#sizes.next(count); size >= 0; ) {
      for (let at = this.#newest[size] as number; at !== 0; at = this.#older[at - 1] as number) {
        const first = this.alignedIn(at - 1, count, align, offset);
        if (first >= 0) return first;
      }
      size = size < this.count ? this.#sizes.next(size + 1) : -1;
    }
    return NONE_FITS;
  }

  protected override link(start: number, count: number): void {
    const before = this.#newest[count] as number;
    if (before === 0) this.#sizes.add(count);
    else this.#newer[before - 1] = start + 1;
    this.#older[start] = before;
    this.#newer[start] = 0;
    this.#newest[count] = start + 1;
  }

  protected override unlink(start: number, count: number): void {
    const newer = this.#newer[start] as number;
    const older = this.#older[start] as number;
    if (older !== 0) this.#newer[older - 1] = newer;
    if (newer !== 0) this.#older[newer - 1] = older;
    else {
      this.#newest[count] = older;
      if (older === 0) this.#sizes.remove(count);
    }
  }

  protected override forget(): void {
    this.#newest.fill(0);
    this.#sizeWords.fill(0);
  }
}
