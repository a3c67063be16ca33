import { checkAddress, VmError } from '@vmarea/core';
import type { AtomicOperation } from '@vmarea/mmu';
import { lowOf } from '../kernel/pointers.js';
import { type AccessBytes, checkedBytes, compareExchange, exchange, load, store } from './access.js';
import type { ArenaView } from './view.js';

/** The accesses of an `Arena` by bigints: as a program makes them, by the arena's own processor. */
export abstract class ArenaAccesses {
  /** What makes them. @internal */
  protected abstract get own(): ArenaView;

  /**
   * Loads a value as a program does: 0n when the page is not there.
   *
   * @param address - any pointer into the arena; only its low half counts.
   * @param bytes - 1, 2, 4 or 8.
   * @returns it, unsigned.
   */
  load(address: bigint, bytes: AccessBytes): bigint {
    return load(this.own, lowHalf(address), checkedBytes(bytes));
  }

  /** Stores the low bits of a value as a program does. It is dropped when the page is not there. As `load`. */
  store(address: bigint, bytes: AccessBytes, value: bigint): void {
    store(this.own, lowHalf(address), checkedBytes(bytes), value);
  }

  /**
   * Replaces a value by what an operation makes of it, as one atomic access.
   *
   * @param bytes - 4 or 8. The address is a multiple of it.
   * @returns the old value, unsigned; 0n when the page is not there.
   * @throws VmError `EINVAL` for another operation, or an address inside a value.
   */
  atomic(operation: AtomicOperation, address: bigint, bytes: 4 | 8, operand: bigint): bigint {
    return exchange(this.own, operation, lowHalf(address), bytes, operand);
  }

  /** Stores a value if the old one is the expected one. Returns the old one. As `atomic`. */
  compareExchange(address: bigint, bytes: 4 | 8, expected: bigint, value: bigint): bigint {
    return compareExchange(this.own, lowHalf(address), bytes, expected, value);
  }

  /**
   * Loads a value with acquire ordering, as one access (BPF_LOAD_ACQ).
   *
   * @param bytes - 1, 2, 4 or 8. The address is a multiple of it.
   * @returns it, unsigned; 0n when the page is not there.
   */
  loadAcquire(address: bigint, bytes: AccessBytes): bigint {
    const low = aligned(address, bytes);
    if (bytes === 4) return BigInt(this.own.loadAcquire32(low) >>> 0);
    // One or two bytes are whole in any case.
    return bytes === 8 ? this.own.loadAcquire64(low) : load(this.own, low, bytes);
  }

  /** Stores a value with release ordering, as one access (BPF_STORE_REL). Dropped when the page is not there. As `loadAcquire`. */
  storeRelease(address: bigint, bytes: AccessBytes, value: bigint): void {
    const low = aligned(address, bytes);
    // One or two bytes are whole in any case.
    if (bytes === 1 || bytes === 2) store(this.own, low, bytes, value);
    else exchange(this.own, 'exchange', low, bytes, value);
  }
}

function lowHalf(address: bigint): number {
  checkAddress(address);
  return lowOf(address);
}

function aligned(address: bigint, bytes: AccessBytes): number {
  const low = lowHalf(address);
  if (low % checkedBytes(bytes) === 0) return low;
  throw new VmError('EINVAL', `the address is not a multiple of ${bytes}`, { address });
}
