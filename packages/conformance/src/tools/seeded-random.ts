/**
 * A small source of random numbers (mulberry32): the same seed gives the same sequence everywhere.
 *
 * @example
 * ```ts
 * const random = new SeededRandom(1);
 * const va = BigInt(random.below(512)) << 12n;
 * ```
 */
export class SeededRandom {
  #state: number;

  /** @param seed - 32 bits. */
  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A signed 32-bit word. */
  word(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let x = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    x ^= x + Math.imul(x ^ (x >>> 7), 61 | x);
    return x ^ (x >>> 14);
  }

  /**
   * A whole number from 0 to `end - 1`.
   *
   * @param end - at most 2^32.
   */
  below(end: number): number {
    return Math.floor(((this.word() >>> 0) / 4294967296) * end);
  }

  /** True once in `n` times, on average. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  /** One member of a list that is not empty. */
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}
