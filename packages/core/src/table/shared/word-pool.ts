/** Words of the pool: the entries of four tables with 512. */
const POOL_WORDS = 4096;

/**
 * Arrays of words for one call at a time. A typed array of its own for each call has bytes outside of V8's heap:
 * to make and to sweep three of them took a third of a call for 64 pages.
 */
export class WordPool {
  readonly #words = new Int32Array(POOL_WORDS);
  #used = 0;

  /** Begins a call: nobody holds an array any more. */
  reset(): void {
    this.#used = 0;
  }

  /** An array for the rest of the call. Its words are not zero. */
  take(count: number): Int32Array {
    const from = this.#used;
    if (count > POOL_WORDS - from) return new Int32Array(count);
    this.#used = from + count;
    return this.#words.subarray(from, this.#used);
  }
}
