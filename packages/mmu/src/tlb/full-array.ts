import type { ArrayShape } from './resolved.js';
import { TlbArray } from './tlb-array.js';

/** No slot: the end of a chain. */
const END = -1;

/** A fully associative array: one set, and a hash table from key to slot in the place of comparing all. */
export class FullArray extends TlbArray {
  /** First slot of each chain, and the next slot in the chain of each. */
  readonly #heads: Int32Array;
  readonly #next: Int32Array;
  readonly #hashShift: number;
  /** No slot below it is free. */
  #firstFree = 0;

  constructor(shape: ArrayShape, seed: number) {
    super(shape, seed);
    const bits = Math.ceil(Math.log2(2 * shape.entries));
    this.#heads = new Int32Array(2 ** bits).fill(END);
    this.#next = new Int32Array(shape.entries).fill(END);
    this.#hashShift = 32 - bits;
  }

  next(keyLo: number, keyHi: number, after: number): number {
    let slot = (after < 0 ? this.#heads[this.#hash(keyLo, keyHi)] : this.#next[after]) as number;
    while (slot >= 0 && (this.keyLo[slot] !== keyLo || this.keyHi[slot] !== keyHi))
      slot = this.#next[slot] as number;
    return slot;
  }

  protected choose(): number {
    if (this.live === this.shape.entries) return this.victims.victim(0);
    while (this.valid[this.#firstFree] !== 0) this.#firstFree++;
    return this.#firstFree;
  }

  protected link(slot: number): void {
    const chain = this.#hash(this.keyLo[slot] as number, this.keyHi[slot] as number);
    this.#next[slot] = this.#heads[chain] as number;
    this.#heads[chain] = slot;
  }

  protected unlink(slot: number): void {
    const chain = this.#hash(this.keyLo[slot] as number, this.keyHi[slot] as number);
    const after = this.#next[slot] as number;
    if (slot < this.#firstFree) this.#firstFree = slot;
    let at = this.#heads[chain] as number;
    if (at === slot) {
      this.#heads[chain] = after;
      return;
    }
    while (this.#next[at] !== slot) at = this.#next[at] as number;
    this.#next[at] = after;
  }

  #hash(keyLo: number, keyHi: number): number {
    const mixed = Math.imul(keyLo ^ Math.imul(keyHi, 0x85ebca6b), 0x9e3779b1);
    return (mixed ^ (mixed >>> 15)) >>> this.#hashShift;
  }
}
