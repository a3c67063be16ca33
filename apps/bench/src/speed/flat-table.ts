/**
 * The TLB that emulators of 32-bit guests have, such as v86: a flat table with a word for each page of 4 GiB. A load takes its word,
 * tests that the access is allowed and inside the page, and reads.
 */
export class FlatTable {
  /** For each page: its physical address, exclusive or its virtual one, and `VALID` or `USER`. */
  readonly #table: Int32Array = new Int32Array(2 ** 20).fill(0);
  readonly #words: Int32Array;
  readonly #fill: (page: number) => number;

  /**
   * @param words - the physical memory.
   * @param fill - the physical address of a page, when a load misses.
   */
  constructor(words: Int32Array, fill: (page: number) => number) {
    this.#words = words;
    this.#fill = fill;
  }

  /** Loads 32 bits. @param user - true for user mode. */
  load(va: number, user: boolean): number {
    const entry = this.#table[va >>> 12] as number;
    // Valid, and user or any; an aligned address is inside its page.
    if ((entry & (user ? 5 : 1)) === (user ? 5 : 1) && (va & 3) === 0)
      return this.#words[((entry & -4096) ^ va) >>> 2] as number;
    return this.#miss(va, user);
  }

  #miss(va: number, user: boolean): number {
    if ((va & 3) !== 0) throw new Error('a load is not aligned');
    this.#table[va >>> 12] = ((this.#fill(va >>> 12) ^ va) & -4096) | 5;
    return this.load(va, user);
  }
}
