import { type PageTableReader, translateMany } from '@vmarea/core';

/** Addresses of a batch. */
export const BATCH = 4096;

/** Addresses and what they translate to. The arrays are used again for the next batch. */
export interface TranslatedBatch {
  /** How many addresses it has. */
  readonly count: number;
  /** Low and high word of each address. */
  readonly words: Uint32Array;
  /** The frame of each address in base pages; -1 where there is no translation. */
  readonly frames: Float64Array;
  /** log2 bytes of the leaf; 0 where there is no translation. */
  readonly leafShifts: Uint8Array;
}

/** Translates addresses in batches, without an object for each. */
export class Translations {
  /** Addresses that were translated, and those that were asked for. */
  found = 0;
  asked = 0;
  readonly #table: PageTableReader;
  readonly #addresses = new BigUint64Array(BATCH);
  readonly #words: Uint32Array = new Uint32Array(this.#addresses.buffer);
  readonly #frames = new Float64Array(BATCH);
  readonly #leafShifts = new Uint8Array(BATCH);
  readonly #take: (batch: TranslatedBatch) => void;
  #count = 0;

  /** @param take - gets each batch. */
  constructor(table: PageTableReader, take: (batch: TranslatedBatch) => void) {
    this.#table = table;
    this.#take = take;
  }

  /**
   * Adds an address.
   *
   * @param hi - its upper word, signed or unsigned.
   * @param lo - its lower word.
   */
  add(hi: number, lo: number): void {
    this.#words[2 * this.#count] = lo;
    this.#words[2 * this.#count + 1] = hi;
    if (++this.#count === BATCH) this.flush();
  }

  /** Translates what was added last. */
  flush(): void {
    const count = this.#count;
    if (count === 0) return;
    const [words, frames, leafShifts] = [this.#words, this.#frames, this.#leafShifts];
    this.found += translateMany(this.#table, this.#addresses.subarray(0, count), frames, leafShifts);
    this.asked += count;
    this.#count = 0;
    this.#take({ count, words, frames, leafShifts });
  }
}
