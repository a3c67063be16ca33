import { joinWords, VmError } from '@vmarea/core';
import { USER, WRITE } from './accesses.js';
import { Copies } from './copy.js';
import { checkedQuad } from './far-data.js';

/** What `atomic32` and `atomic64` do with the old value and an operand. */
export type AtomicOperation = 'add' | 'and' | 'or' | 'xor' | 'exchange';

/**
 * Atomic read-modify-writes: for LR/SC and AMO, LDXR/STXR and CAS, and LOCK. They need the right to write, as on hardware, and a
 * naturally aligned address. On shared memory no other thread comes between.
 *
 * A frame without bytes is read and written through `io`, which is not atomic.
 */
export abstract class Exchanges extends Copies {
  /**
   * Stores a value if the old one is the expected one.
   *
   * @param expected - of the old value, the 32 bits.
   * @param value - the new one.
   * @returns the old value, signed: it was replaced exactly when it equals `expected | 0`.
   * @throws MmuFault and VmError as `store32`; VmError `EINVAL` when the address is not a multiple of 4.
   */
  compareExchange32(vaHi: number, vaLo: number, user: boolean, expected: number, value: number): number {
    const place = this.#place(vaHi, vaLo, 4, user);
    if (typeof place !== 'number') return Atomics.compareExchange(place, 0, expected | 0, value | 0);
    const old = this.loadFar(vaHi, vaLo, 4, place);
    if (old === (expected | 0)) this.storeFar(vaHi, vaLo, 4, place, 0, value);
    return old;
  }

  /**
   * The same with 64 bits.
   *
   * @returns the old value, unsigned.
   */
  compareExchange64(vaHi: number, vaLo: number, user: boolean, expected: bigint, value: bigint): bigint {
    const [from, to] = [quadOperand(expected), quadOperand(value)];
    const place = this.#place(vaHi, vaLo, 8, user);
    if (typeof place !== 'number') return Atomics.compareExchange(quadOf(place), 0, from, to);
    const old = joinWords(this.loadFar(vaHi, vaLo, 8, place), this.high);
    if (old === from) this.#store(vaHi, vaLo, place, to);
    return old;
  }

  /**
   * Replaces a value by what an operation makes of it.
   *
   * @returns the old value, signed.
   * @throws as `compareExchange32`; VmError `EINVAL` for another operation.
   */
  atomic32(operation: AtomicOperation, vaHi: number, vaLo: number, user: boolean, operand: number): number {
    const run = operationOf(operation);
    const place = this.#place(vaHi, vaLo, 4, user);
    if (typeof place !== 'number') return Atomics[run](place, 0, operand | 0);
    const old = this.loadFar(vaHi, vaLo, 4, place);
    const made = BigInt.asIntN(32, MAKE[operation](BigInt(old), BigInt(operand | 0)));
    this.storeFar(vaHi, vaLo, 4, place, 0, Number(made));
    return old;
  }

  /**
   * The same with 64 bits.
   *
   * @returns the old value, unsigned.
   */
  atomic64(operation: AtomicOperation, vaHi: number, vaLo: number, user: boolean, operand: bigint): bigint {
    const run = operationOf(operation);
    const by = quadOperand(operand);
    const place = this.#place(vaHi, vaLo, 8, user);
    if (typeof place !== 'number') return Atomics[run](quadOf(place), 0, by);
    const old = joinWords(this.loadFar(vaHi, vaLo, 8, place), this.high);
    this.#store(vaHi, vaLo, place, BigInt.asUintN(64, MAKE[operation](old, by)));
    return old;
  }

  /** The words of a naturally aligned place that may be written; the number of the access for a device. */
  #place(vaHi: number, vaLo: number, size: number, user: boolean): Int32Array | number {
    if ((vaLo & (size - 1)) !== 0) {
      throw new VmError(
        'EINVAL',
        `an atomic access of ${size} bytes needs an address that is a multiple of ${size}`,
        {
          address: joinWords(vaLo | 0, vaHi | 0),
        },
      );
    }
    const number = user ? WRITE + USER : WRITE;
    const line = this.lineOf(vaHi | 0, vaLo | 0, number);
    const bank = this.bankOf(line);
    if (bank < 0) return number;
    const view = this.writableView(bank, this.frames[line >> 2] as number, vaLo & 4095);
    const at = view.byteOffset + (this.held[line + 2] as number) * 4 + (vaLo & 4095);
    return new Int32Array(view.buffer, at, size / 4);
  }

  #store(vaHi: number, vaLo: number, number: number, value: bigint): void {
    const hi = Number(BigInt.asIntN(32, value >> 32n));
    this.storeFar(vaHi, vaLo, 8, number, hi, Number(BigInt.asIntN(32, value)));
  }
}

function quadOperand(value: bigint): bigint {
  return BigInt.asUintN(64, checkedQuad(value));
}

function quadOf(words: Int32Array): BigUint64Array {
  return new BigUint64Array(words.buffer, words.byteOffset, 1);
}

const MAKE: Readonly<Record<AtomicOperation, (old: bigint, operand: bigint) => bigint>> = {
  add: (old, operand) => old + operand,
  and: (old, operand) => old & operand,
  or: (old, operand) => old | operand,
  xor: (old, operand) => old ^ operand,
  exchange: (_, operand) => operand,
};

function operationOf(operation: AtomicOperation): AtomicOperation {
  if (Object.hasOwn(MAKE, operation)) return operation;
  throw new VmError('EINVAL', `${String(operation)} is no atomic operation`, {
    advice: `it can be ${Object.keys(MAKE).join(', ')}`,
  });
}
