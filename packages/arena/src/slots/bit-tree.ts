/**
 * A set of whole numbers below a limit, in words: one bit for each number, and above them one bit for each word
 * that is not 0, and so on up to one word. Each call reads at most one word of each level and back: 4 levels hold
 * 2^20 numbers.
 */
export class BitTree {
  readonly #words: Int32Array;
  /** First word of each level, from the numbers up; then the end. */
  readonly #starts: readonly number[];
  readonly #levels: number;

  /** Words that a set needs. */
  static wordsFor(limit: number): number {
    return levelsOf(limit).at(-1) as number;
  }

  /**
   * @param words - at least `wordsFor(limit)`, all 0 for an empty set.
   * @param limit - numbers are below it.
   */
  constructor(words: Int32Array, limit: number) {
    this.#words = words;
    this.#starts = levelsOf(limit);
    this.#levels = this.#starts.length - 1;
  }

  /** Adds a number. */
  add(number: number): void {
    for (let level = 0, at = number; level < this.#levels; level++) {
      const word = this.#at(level, at >>> 5);
      const before = this.#words[word] as number;
      this.#words[word] = before | (1 << (at & 31));
      if (before !== 0) return;
      at >>>= 5;
    }
  }

  /** Removes a number. */
  remove(number: number): void {
    for (let level = 0, at = number; level < this.#levels; level++) {
      const word = this.#at(level, at >>> 5);
      const after = (this.#words[word] as number) & ~(1 << (at & 31));
      this.#words[word] = after;
      if (after !== 0) return;
      at >>>= 5;
    }
  }

  /** The lowest number that is at least this one; -1 for none. */
  next(number: number): number {
    for (let level = 0, at = number; level < this.#levels; level++) {
      const index = at >>> 5;
      if (this.#at(level, index) >= (this.#starts[level + 1] as number)) return -1;
      const bits = (this.#words[this.#at(level, index)] as number) & (-1 << (at & 31));
      if (bits !== 0) return this.#down(level, index * 32 + lowest(bits), lowest);
      at = index + 1;
    }
    return -1;
  }

  /** The highest number that is at most this one; -1 for none. */
  previous(number: number): number {
    for (let level = 0, at = number; level < this.#levels && at >= 0; level++) {
      const index = at >>> 5;
      const bits = (this.#words[this.#at(level, index)] as number) & ((2 << (at & 31)) - 1);
      if (bits !== 0) return this.#down(level, index * 32 + highest(bits), highest);
      at = index - 1;
    }
    return -1;
  }

  /** Goes from a bit of a level down to a number. */
  #down(level: number, bit: number, choose: (bits: number) => number): number {
    let at = bit;
    for (let below = level - 1; below >= 0; below--)
      at = at * 32 + choose(this.#words[this.#at(below, at)] as number);
    return at;
  }

  #at(level: number, index: number): number {
    return (this.#starts[level] as number) + index;
  }
}

/** Where each level begins, and where the last one ends. */
function levelsOf(limit: number): number[] {
  const starts = [0];
  let bits = limit;
  do {
    bits = Math.ceil(bits / 32);
    starts.push((starts.at(-1) as number) + bits);
  } while (bits > 1);
  return starts;
}

function lowest(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function highest(bits: number): number {
  return 31 - Math.clz32(bits);
}
