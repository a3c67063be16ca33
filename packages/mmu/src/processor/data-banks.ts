import type { Bank, PhysicalMemory } from '@vmarea/core';
import { isShared } from './store-entry.js';

/** No words: reading one gives undefined. */
const NO_WORDS: Int32Array = /* @__PURE__ */ new Int32Array(0);

/** The banks of a memory as a processor's data: which one an address is in, and views of any width. */
export class DataBanks {
  readonly all: readonly Bank[];
  /** Index of the bank whose pages are the fast ones: the largest in one piece; -1 for none. */
  readonly main: number;
  /** Its first frame of 4 KiB, and how many it has. */
  readonly mainFirst: number;
  readonly mainFrames: number;
  readonly isMainWritable: boolean;
  readonly #views: (DataView | null)[];
  readonly #seen: Int32Array[];

  constructor({ banks }: PhysicalMemory) {
    this.all = banks;
    let main = -1;
    for (const [i, { linear, bytes }] of banks.entries()) {
      if (linear && bytes > (banks[main]?.bytes ?? 0)) main = i;
    }
    const bank = banks[main];
    this.main = main;
    this.mainFirst = bank === undefined ? 0 : Number(bank.base >> 12n);
    this.mainFrames = bank === undefined ? 0 : (bank.bytes / 4096) | 0;
    this.isMainWritable = bank?.writable ?? false;
    this.#views = banks.map(() => null);
    this.#seen = banks.map(() => NO_WORDS);
  }

  /** The words of the main bank; none without one. They are others after the growth of a WebAssembly.Memory. */
  get words(): Int32Array {
    return this.all[this.main]?.words ?? NO_WORDS;
  }

  /** The same for accesses of 64 bits as two words; none on shared memory, where those could be torn. */
  wideOf(words: Int32Array): Int32Array {
    return isShared(words.buffer) ? NO_WORDS : words;
  }

  /** The bytes of a bank. */
  view(bank: number): DataView {
    const { words } = this.all[bank] as Bank;
    let view = this.#views[bank] as DataView | null;
    if (view === null || this.#seen[bank] !== words) {
      view = new DataView(words.buffer, words.byteOffset, words.byteLength);
      this.#views[bank] = view;
      this.#seen[bank] = words;
    }
    return view;
  }
}
