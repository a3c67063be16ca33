import type { EntryReader, EntryWords } from './run-loops.js';

/**
 * Reads entries of shared memory that has no loops in WebAssembly.
 *
 * The bigint of each atomic goes through a private array into two words: 35 ns. To take it apart by shifts made 200.
 */
export class SharedEntries implements EntryReader {
  high: number = 0;
  readonly #entries: BigUint64Array;
  readonly #entry: BigUint64Array = new BigUint64Array(1);
  readonly #halves: Int32Array = new Int32Array(this.#entry.buffer);

  /** @param bank - its words are shared, so a view of them stays valid. */
  constructor({ words }: EntryWords) {
    this.#entries = new BigUint64Array(words.buffer, words.byteOffset, words.length / 2);
  }

  load64(at: number): number {
    this.#entry[0] = Atomics.load(this.#entries, at / 2);
    this.high = this.#halves[1] as number;
    return this.#halves[0] as number;
  }
}
