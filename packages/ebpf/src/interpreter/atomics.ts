import { joinWords, words } from '@vmarea/core';
import type { AtomicOperation, Mmu } from '@vmarea/mmu';
import {
  ATOMIC_ADD,
  ATOMIC_AND,
  ATOMIC_OR,
  ATOMIC_XOR,
  CMPXCHG,
  FETCH,
  LOAD_ACQUIRE,
  STORE_RELEASE,
  XCHG,
} from '../isa/codes.js';
import { BadAccess, type Memory } from './memory.js';

/** By the code of the ISA without FETCH. */
const OPERATIONS: Readonly<Record<number, AtomicOperation>> = {
  [ATOMIC_ADD]: 'add',
  [ATOMIC_OR]: 'or',
  [ATOMIC_AND]: 'and',
  [ATOMIC_XOR]: 'xor',
  [XCHG & ~FETCH]: 'exchange',
};

/**
 * Atomic instructions (RFC 9669, section 5.3), on registers in words. They are real atomics, of JavaScript or of the processor: those of 64
 * bits make bigints.
 */
export class AtomicSteps {
  readonly #memory: Memory;
  readonly #registers: Int32Array;
  /** An atomic change of it orders the accesses before and after: loads and stores of 8 and 16 bits have no atomic form. */
  readonly #fence: Int32Array;

  constructor(memory: Memory, registers: Int32Array) {
    this.#memory = memory;
    this.#registers = registers;
    this.#fence = new Int32Array(
      typeof SharedArrayBuffer === 'undefined' ? new ArrayBuffer(4) : new SharedArrayBuffer(4),
    );
  }

  /**
   * Runs one.
   *
   * @param dst - number of the destination register, and `src` of the source.
   * @param operation - the immediate.
   * @param size - bytes of the access.
   * @param offset - of the address.
   */
  run(dst: number, src: number, operation: number, size: number, offset: number): void {
    const r = this.#registers;
    const base = (operation === LOAD_ACQUIRE ? src : dst) * 2;
    const lo = ((r[base] as number) + offset) | 0;
    const hi = ((r[base + 1] as number) + (offset >> 31) + (lo >>> 0 < offset >>> 0 ? 1 : 0)) | 0;
    if (operation === LOAD_ACQUIRE) this.#loadAcquire(dst * 2, hi, lo, size);
    else if (operation === STORE_RELEASE) this.#storeRelease(src * 2, hi, lo, size);
    else if (size === 4) this.#change32(operation, src * 2, hi, lo);
    else this.#change64(operation, src * 2, hi, lo);
  }

  #loadAcquire(dst: number, hi: number, lo: number, size: number): void {
    const [r, memory] = [this.#registers, this.#memory];
    this.#requireAligned(lo, size);
    const low =
      size === 8
        ? memory.load64(hi, lo)
        : size === 4
          ? memory.load32(hi, lo)
          : size === 2
            ? memory.load16(hi, lo)
            : memory.load8(hi, lo);
    Atomics.add(this.#fence, 0, 1);
    r[dst] = low;
    r[dst + 1] = size === 8 ? memory.high : 0;
  }

  #storeRelease(src: number, hi: number, lo: number, size: number): void {
    const [r, memory] = [this.#registers, this.#memory];
    this.#requireAligned(lo, size);
    Atomics.add(this.#fence, 0, 1);
    const value = r[src] as number;
    if (size === 8) memory.store64(hi, lo, r[src + 1] as number, value);
    else if (size === 4) memory.store32(hi, lo, value);
    else if (size === 2) memory.store16(hi, lo, value);
    else memory.store8(hi, lo, value);
  }

  #change32(operation: number, src: number, hi: number, lo: number): void {
    const [r, memory] = [this.#registers, this.#memory];
    this.#requireAligned(lo, 4);
    const value = r[src] as number;
    const isArena = memory.isArena(hi, lo);
    let old: number;
    if (operation === CMPXCHG) {
      const expected = r[0] as number;
      old = isArena
        ? (memory.mmu as Mmu).compareExchange32(
            memory.kernelHi(hi, lo),
            memory.kernelLo(lo),
            false,
            expected,
            value,
          )
        : Atomics.compareExchange(memory.wordsAt(hi, lo, 4), 0, expected, value);
    } else {
      const name = OPERATIONS[operation & ~FETCH] as AtomicOperation;
      old = isArena
        ? (memory.mmu as Mmu).atomic32(name, memory.kernelHi(hi, lo), memory.kernelLo(lo), false, value)
        : Atomics[name](memory.wordsAt(hi, lo, 4), 0, value);
    }
    const result = resultRegister(operation, -1, src);
    if (result < 0) return;
    r[result] = old;
    r[result + 1] = 0;
  }

  #change64(operation: number, src: number, hi: number, lo: number): void {
    const [r, memory] = [this.#registers, this.#memory];
    this.#requireAligned(lo, 8);
    const value = joinWords(r[src] as number, r[src + 1] as number);
    const isArena = memory.isArena(hi, lo);
    let old: bigint;
    if (operation === CMPXCHG) {
      const expected = joinWords(r[0] as number, r[1] as number);
      old = isArena
        ? (memory.mmu as Mmu).compareExchange64(
            memory.kernelHi(hi, lo),
            memory.kernelLo(lo),
            false,
            expected,
            value,
          )
        : Atomics.compareExchange(quadOf(memory.wordsAt(hi, lo, 8)), 0, expected, value);
    } else {
      const name = OPERATIONS[operation & ~FETCH] as AtomicOperation;
      old = isArena
        ? (memory.mmu as Mmu).atomic64(name, memory.kernelHi(hi, lo), memory.kernelLo(lo), false, value)
        : Atomics[name](quadOf(memory.wordsAt(hi, lo, 8)), 0, value);
    }
    const result = resultRegister(operation, -1, src);
    if (result < 0) return;
    const { lo: oldLo, hi: oldHi } = words(old);
    r[result] = oldLo;
    r[result + 1] = oldHi;
  }

  /** Bases of buffers are multiples of 8, and so is the kernel's window: the lower word alone decides. */
  #requireAligned(lo: number, size: number): void {
    if ((lo & (size - 1)) !== 0) throw new BadAccess(`an atomic access of ${size} bytes is not aligned`);
  }
}

/** The words of the register that gets what was read; -1 for none. Registers are given by their words, too. */
export function resultRegister(operation: number, dst: number, src: number): number {
  if (operation === LOAD_ACQUIRE) return dst;
  if (operation === STORE_RELEASE) return -1;
  if (operation === CMPXCHG) return 0;
  return (operation & FETCH) !== 0 ? src : -1;
}

function quadOf(words: Int32Array): BigInt64Array {
  return new BigInt64Array(words.buffer, words.byteOffset, 1);
}
