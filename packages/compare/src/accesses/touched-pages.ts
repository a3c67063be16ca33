import { VmError } from '@vmarea/core';
import { plural } from '../parts/text.js';

/** log2 of the bytes of a part: its pages of 4 KiB are one bit each. */
export const PART_SHIFT = 21;
/** log2 of the bytes of the smallest page, which a bit stands for. */
const BIT_SHIFT = 12;
/** Words of 32 bits of a part. */
const WORDS = 2 ** (PART_SHIFT - BIT_SHIFT - 5);
/** The most parts: their bits and their table take 200 MiB. */
const MOST_PARTS: number = 2 ** 21;
/** The largest pages have 16 bits: 64 KiB. */
const LARGEST_PAGE = 16;

/** The pages that a trace touches: bits of 4 KiB, in parts of 2 MiB that are found by a hash. */
export class TouchedPages {
  /** The number of each part: its address divided by 2 MiB. In the order of first touches. */
  #numbers = new Float64Array(1024);
  #bits = new Uint32Array(1024 * WORDS);
  /** Open addressing: index of a part, plus 1. */
  #slots = new Int32Array(4096);
  #parts = 0;
  #lastNumber = -1;
  #lastPart = -1;

  /** How many parts of 2 MiB it has. */
  get parts(): number {
    return this.#parts;
  }

  /**
   * Adds the page of an address.
   *
   * @throws VmError `E2BIG` when there are more parts than it can hold.
   */
  add(hi: number, lo: number): void {
    const part = this.#partOf(numberOf(hi, lo), true);
    const at = part * WORDS + ((lo >>> 17) & (WORDS - 1));
    this.#bits[at] = (this.#bits[at] as number) | (1 << ((lo >>> BIT_SHIFT) & 31));
  }

  /** Whether it has the page of an address. */
  has(hi: number, lo: number): boolean {
    const part = this.#partOf(numberOf(hi, lo), false);
    if (part < 0) return false;
    const word = this.#bits[part * WORDS + ((lo >>> 17) & (WORDS - 1))] as number;
    return ((word >>> ((lo >>> BIT_SHIFT) & 31)) & 1) === 1;
  }

  /** The numbers of all parts, ascending: addresses divided by 2 MiB. */
  numbers(): Float64Array {
    return this.#numbers.slice(0, this.#parts).sort();
  }

  /**
   * Counts the touched pages of a part.
   *
   * @param number - its address divided by 2 MiB.
   * @param pageShift - log2 of the bytes of a page: 12 to 16.
   */
  countPart(number: number, pageShift: number): number {
    const part = this.#partOf(number, false);
    if (part < 0) return 0;
    let count = 0;
    for (let i = 0; i < WORDS; i++) count += groups(this.#bits[part * WORDS + i] as number, pageShift);
    return count;
  }

  /**
   * Counts the touched pages of an aligned block.
   *
   * @param address - of its first byte.
   * @param shift - log2 of its bytes, 16 or more.
   */
  countBlock(address: number, shift: number, pageShift: number): number {
    const first = Math.floor(address / 2 ** PART_SHIFT);
    let count = 0;
    if (shift >= PART_SHIFT) {
      for (let i = 0; i < 2 ** (shift - PART_SHIFT); i++) count += this.countPart(first + i, pageShift);
      return count;
    }
    const part = this.#partOf(first, false);
    if (part < 0) return 0;
    const bit = (address - first * 2 ** PART_SHIFT) / 2 ** BIT_SHIFT;
    const bits = 2 ** (shift - BIT_SHIFT);
    for (let at = bit; at < bit + bits; at += 32) {
      const word = this.#bits[part * WORDS + (at >>> 5)] as number;
      const some = bits >= 32 ? word : (word >>> (at & 31)) & (2 ** bits - 1);
      count += groups(some, pageShift);
    }
    return count;
  }

  /** Counts all touched pages. */
  count(pageShift: number): number {
    let count = 0;
    for (let i = 0; i < this.#parts; i++) count += this.countPart(this.#numbers[i] as number, pageShift);
    return count;
  }

  /** The index of a part; -1 when it is not there, or a new one. */
  #partOf(number: number, isNew: boolean): number {
    if (number === this.#lastNumber) return this.#lastPart;
    const mask = this.#slots.length - 1;
    let slot = hash(number) & mask;
    for (;;) {
      const part = (this.#slots[slot] as number) - 1;
      if (part < 0) break;
      if (this.#numbers[part] === number) {
        this.#lastNumber = number;
        this.#lastPart = part;
        return part;
      }
      slot = (slot + 1) & mask;
    }
    if (!isNew) return -1;
    const part = this.#parts++;
    if (this.#parts > MOST_PARTS) throw tooMany();
    this.#slots[slot] = part + 1;
    this.#grow();
    this.#numbers[part] = number;
    this.#lastNumber = number;
    this.#lastPart = part;
    if (2 * this.#parts > this.#slots.length) this.#rehash();
    return part;
  }

  #grow(): void {
    if (this.#parts <= this.#numbers.length) return;
    const numbers = new Float64Array(2 * this.#numbers.length);
    numbers.set(this.#numbers);
    this.#numbers = numbers;
    const bits = new Uint32Array(2 * this.#bits.length);
    bits.set(this.#bits);
    this.#bits = bits;
  }

  #rehash(): void {
    this.#slots = new Int32Array(2 * this.#slots.length);
    const mask = this.#slots.length - 1;
    for (let part = 0; part < this.#parts; part++) {
      let slot = hash(this.#numbers[part] as number) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = part + 1;
    }
  }
}

/** The part of an address. */
function numberOf(hi: number, lo: number): number {
  return hi * 2 ** (32 - PART_SHIFT) + (lo >>> PART_SHIFT);
}

function hash(number: number): number {
  const mixed = Math.imul(number | 0, 0x9e3779b1) ^ Math.imul(Math.floor(number / 2 ** 32), 0x85ebca6b);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

/** The pages that have a bit in a word. */
function groups(word: number, pageShift: number): number {
  let left = word;
  const size = 2 ** (pageShift - BIT_SHIFT);
  for (let i = 1; i < size; i *= 2) left |= left >>> i;
  return ones(left & (FIRST[pageShift - BIT_SHIFT] as number));
}

/** The first bit of each group of 1, 2, 4, 8, 16 bits. */
const FIRST: readonly number[] = [-1, 0x55555555, 0x11111111, 0x01010101, 0x00010001].slice(
  0,
  LARGEST_PAGE - BIT_SHIFT + 1,
);

function ones(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function tooMany(): VmError {
  return new VmError('E2BIG', `the accesses touch more than ${plural(MOST_PARTS, 'part')} of 2 MiB`, {
    advice: 'simulate a part of them',
  });
}
