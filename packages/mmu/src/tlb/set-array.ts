import type { ArrayShape } from './resolved.js';
import { TlbArray } from './tlb-array.js';

/** A set-associative array: the low bits of a key choose the set, and its ways are compared one by one. */
export class SetArray extends TlbArray {
  readonly #ways: number;
  readonly #setMask: number;

  constructor(shape: ArrayShape, seed: number) {
    super(shape, seed);
    this.#ways = shape.ways;
    this.#setMask = shape.sets - 1;
  }

  next(keyLo: number, keyHi: number, after: number): number {
    const first = (keyLo & this.#setMask) * this.#ways;
    for (let slot = after < 0 ? first : after + 1; slot < first + this.#ways; slot++) {
      if (this.keyLo[slot] === keyLo && this.keyHi[slot] === keyHi) return slot;
    }
    return -1;
  }

  protected choose(keyLo: number): number {
    const set = keyLo & this.#setMask;
    const first = set * this.#ways;
    for (let slot = first; slot < first + this.#ways; slot++) if (this.valid[slot] === 0) return slot;
    return this.victims.victim(set);
  }

  protected link(): void {}

  protected unlink(): void {}
}
