/**
 * A set of small integers, one bit each. Above the bits is a tree of summaries, 32 to one. So the lowest
 * member, or the lowest from a number on, is found in one step per level (6 for 2^27 bits), even when the
 * set is nearly empty.
 *
 * It is stored in words that the caller gives, and keeps nothing outside of them. Words of zeros are the
 * empty set. A summary bit is set exactly when the word below it is not 0.
 */
export class Bitmap {
  readonly #words: Int32Array;
  /** Index of the first word of the bits. */
  readonly #start: number;
  /** Index of the first word of each level, the bits themselves first. The last level is one word. */
  readonly #starts: readonly number[];
  readonly #size: number;

  /**
   * @param words - where the bits are.
   * @param start - index of the first word of the set; it takes `Bitmap.wordsFor(size)` words.
   * @param size - members are 0 to `size - 1`; 1 to 2^31 - 1.
   */
  constructor(words: Int32Array, start: number, size: number) {
    this.#words = words;
    this.#start = start;
    this.#size = size;
    const starts: number[] = [];
    let next = start;
    for (const count of levelSizes(size)) {
      starts.push(next);
      next += count;
    }
    this.#starts = starts;
  }

  /** Number of words for a set of `size` bits, summaries included. */
  static wordsFor(size: number): number {
    return levelSizes(size).reduce((sum, count) => sum + count, 0);
  }

  /** True when `i` is a member; false for all numbers outside the set's size. */
  has(i: number): boolean {
    if (i < 0 || i >= this.#size) return false;
    return ((this.#words[this.#start + (i >>> 5)] as number) & (1 << (i & 31))) !== 0;
  }

  /** Adds a member. */
  add(i: number): void {
    const words = this.#words;
    const at = this.#start + (i >>> 5);
    const before = words[at] as number;
    words[at] = before | (1 << (i & 31));
    if (before === 0) this.#mark(i >>> 5);
  }

  /** Removes a member. */
  remove(i: number): void {
    const words = this.#words;
    const at = this.#start + (i >>> 5);
    const after = (words[at] as number) & ~(1 << (i & 31));
    words[at] = after;
    if (after === 0) this.#unmark(i >>> 5);
  }

  /** Marks a word of members in the summaries as no longer 0. */
  #mark(i: number): void {
    const words = this.#words;
    const starts = this.#starts;
    for (let level = 1; level < starts.length; level++) {
      const at = (starts[level] as number) + (i >>> 5);
      const before = words[at] as number;
      words[at] = before | (1 << (i & 31));
      if (before !== 0) return;
      i >>>= 5;
    }
  }

  /** Marks a word of members in the summaries as 0. */
  #unmark(i: number): void {
    const words = this.#words;
    const starts = this.#starts;
    for (let level = 1; level < starts.length; level++) {
      const at = (starts[level] as number) + (i >>> 5);
      const after = (words[at] as number) & ~(1 << (i & 31));
      words[at] = after;
      if (after !== 0) return;
      i >>>= 5;
    }
  }

  /** The lowest member; -1 for an empty set. */
  first(): number {
    const top = this.#starts.length - 1;
    return this.#words[this.#starts[top] as number] === 0 ? -1 : this.#descend(top, 0);
  }

  /** The lowest member that is not below `i`; -1 for none. */
  from(i: number): number {
    const words = this.#words;
    const starts = this.#starts;
    let limit = this.#size;
    for (let level = 0; level < starts.length && i < limit; level++) {
      const at = i >>> 5;
      const rest = (words[(starts[level] as number) + at] as number) & (-1 << (i & 31));
      if (rest !== 0) {
        const found = at * 32 + lowestBit(rest);
        return level === 0 ? found : this.#descend(level - 1, found);
      }
      i = at + 1;
      limit = (limit + 31) >>> 5;
    }
    return -1;
  }

  /** The lowest member under word `at` of a level; the word is not 0. */
  #descend(level: number, at: number): number {
    for (; level >= 0; level--) {
      at = at * 32 + lowestBit(this.#words[(this.#starts[level] as number) + at] as number);
    }
    return at;
  }
}

/** Number of the lowest set bit; `word` is not 0. */
export function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

function levelSizes(size: number): number[] {
  const sizes: number[] = [];
  do {
    size = Math.ceil(size / 32);
    sizes.push(size);
  } while (size > 1);
  return sizes;
}
