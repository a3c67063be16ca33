import { entryHi, entryLo } from '../address-codec.js';
import type { EntryTemplate } from '../entry-template.js';
import { ArrayLoops } from './array-loops.js';
import { type EntryWords, type FrameSource, type SharedRunLoops, WRITTEN } from './run-loops.js';
import { claimEach, storeEach } from './write-loops.js';

/**
 * The loops over shared memory without WebAssembly. Every access is one 64-bit atomic: with two 32-bit ones a
 * reader could see half an entry. Each makes a bigint, so they are slow.
 */
export class SharedArrayLoops extends ArrayLoops implements SharedRunLoops {
  override readonly isShared: true = true;
  /** The bank's entries, and the words that they were made of: a WebAssembly.Memory may have grown. */
  #quads: BigUint64Array = new BigUint64Array(0);
  #words: Int32Array | null = null;
  /** One entry as a bigint and as two words. */
  readonly #quad: BigUint64Array;
  readonly #pair: Int32Array;

  constructor(bank: EntryWords) {
    super(bank);
    this.#quad = new BigUint64Array(1);
    this.#pair = new Int32Array(this.#quad.buffer);
  }

  override writeFrames(
    at: number,
    count: number,
    source: FrameSource,
    from: number,
    template: EntryTemplate,
  ): number {
    return storeEach(this, at, count, source, from, template);
  }

  override writeLinear(
    at: number,
    count: number,
    pfn: number,
    step: number,
    { lo, hi, address }: EntryTemplate,
  ): void {
    for (let i = 0, next = pfn; i < count; i++, next += step)
      this.store64(at + 2 * i, lo | entryLo(address, next), hi | entryHi(address, next));
  }

  claimFrames(at: number, count: number, source: FrameSource, from: number, template: EntryTemplate): number {
    return claimEach(this, at, count, source, from, template);
  }

  claimLinear(
    at: number,
    count: number,
    pfn: number,
    step: number,
    { lo, hi, address }: EntryTemplate,
  ): number {
    for (let i = 0, next = pfn; i < count; i++, next += step) {
      if (!this.cas64(at + 2 * i, 0, 0, lo | entryLo(address, next), hi | entryHi(address, next))) return i;
    }
    return WRITTEN;
  }

  override erase(at: number, count: number): void {
    const quads = this.#fresh();
    for (let i = at / 2, end = i + count; i < end; i++) Atomics.store(quads, i, 0n);
  }

  override clear(at: number, count: number): number {
    const quads = this.#fresh();
    let live = 0;
    for (let i = at / 2, end = i + count; i < end; i++) {
      // An exchange either counts or keeps an entry that another thread writes meanwhile.
      if (Atomics.load(quads, i) !== 0n && Atomics.exchange(quads, i, 0n) !== 0n) live++;
    }
    return live;
  }

  take(at: number, count: number, into: Int32Array, from: number): number {
    const quads = this.#fresh();
    let live = 0;
    for (let i = 0; i < count; i++) {
      const entry = Atomics.exchange(quads, at / 2 + i, 0n);
      if (entry !== 0n) live++;
      this.#quad[0] = entry;
      into[from + 2 * i] = this.#pair[0] as number;
      into[from + 2 * i + 1] = this.#pair[1] as number;
    }
    return live;
  }

  override firstLive(at: number, count: number): number {
    const quads = this.#fresh();
    for (let i = 0; i < count; i++) if (Atomics.load(quads, at / 2 + i) !== 0n) return i;
    return -1;
  }

  override lastLive(at: number, count: number): number {
    const quads = this.#fresh();
    for (let i = count - 1; i >= 0; i--) if (Atomics.load(quads, at / 2 + i) !== 0n) return i;
    return -1;
  }

  override countLive(at: number, count: number): number {
    const quads = this.#fresh();
    let live = 0;
    for (let i = 0; i < count; i++) if (Atomics.load(quads, at / 2 + i) !== 0n) live++;
    return live;
  }

  override matching(
    at: number,
    count: number,
    maskLo: number,
    maskHi: number,
    valueLo: number,
    valueHi: number,
  ): number {
    for (let i = 0; i < count; i++) {
      const lo = this.load64(at + 2 * i);
      const hi = this.high;
      const differs = ((lo & maskLo) ^ valueLo) | ((hi & maskHi) ^ valueHi);
      if (differs !== 0 && (lo | hi) !== 0) return i;
    }
    return count;
  }

  override change(
    at: number,
    count: number,
    maskLo: number,
    maskHi: number,
    valueLo: number,
    valueHi: number,
  ): number {
    const setLo = valueLo & maskLo;
    const setHi = valueHi & maskHi;
    let live = 0;
    for (let i = at, end = at + 2 * count; i < end; i += 2) {
      // Bits outside the mask stay, even when another thread sets them meanwhile.
      for (let isDone = false; !isDone; ) {
        const lo = this.load64(i);
        const hi = this.high;
        if ((lo | hi) === 0) break;
        isDone = this.cas64(i, lo, hi, (lo & ~maskLo) | setLo, (hi & ~maskHi) | setHi);
        if (isDone) live++;
      }
    }
    return live;
  }

  override get(at: number, count: number, into: Int32Array, from: number): void {
    for (let i = 0; i < 2 * count; i += 2) {
      into[from + i] = this.load64(at + i);
      into[from + i + 1] = this.high;
    }
  }

  override put(at: number, words: Int32Array, from: number, count: number): void {
    for (let i = 0; i < 2 * count; i += 2)
      this.store64(at + i, words[from + i] as number, words[from + i + 1] as number);
  }

  override copy(to: number, from: number, count: number): void {
    const quads = this.#fresh();
    const move = (i: number): void => {
      Atomics.store(quads, to / 2 + i, Atomics.load(quads, from / 2 + i));
    };
    if (to < from) for (let i = 0; i < count; i++) move(i);
    else for (let i = count - 1; i >= 0; i--) move(i);
  }

  override firstDifference(a: number, b: number, count: number): number {
    const quads = this.#fresh();
    for (let i = 0; i < count; i++)
      if (Atomics.load(quads, a / 2 + i) !== Atomics.load(quads, b / 2 + i)) return i;
    return -1;
  }

  override load64(at: number): number {
    this.#quad[0] = Atomics.load(this.#fresh(), at / 2);
    this.high = this.#pair[1] as number;
    return this.#pair[0] as number;
  }

  override store64(at: number, lo: number, hi: number): void {
    Atomics.store(this.#fresh(), at / 2, this.#join(lo, hi));
  }

  override cas64(at: number, expectedLo: number, expectedHi: number, lo: number, hi: number): boolean {
    const expected = this.#join(expectedLo, expectedHi);
    return Atomics.compareExchange(this.#fresh(), at / 2, expected, this.#join(lo, hi)) === expected;
  }

  #join(lo: number, hi: number): bigint {
    this.#pair[0] = lo;
    this.#pair[1] = hi;
    return this.#quad[0] as bigint;
  }

  #fresh(): BigUint64Array {
    const { words } = this.bank;
    if (words === this.#words) return this.#quads;
    this.#words = words;
    this.#quads = new BigUint64Array(words.buffer, words.byteOffset, words.length / 2);
    return this.#quads;
  }
}

/** The loops without WebAssembly of a bank. */
export function arrayLoops(bank: EntryWords, isShared: boolean): ArrayLoops {
  return isShared ? new SharedArrayLoops(bank) : new ArrayLoops(bank);
}
