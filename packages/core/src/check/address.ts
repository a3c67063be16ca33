import { VmError } from '../errors.js';

/**
 * Checks that a value is an address at all.
 *
 * @throws VmError `EINVAL` when it is not a bigint, `ERANGE` when it is not an unsigned 64-bit value.
 */
export function requireAddress(va: bigint): void {
  if (typeof va !== 'bigint')
    throw new VmError('EINVAL', `the address has type ${typeof va}, expected bigint`);
  if (va < 0n || va >= 1n << 64n) {
    throw new VmError('ERANGE', `the address ${va} is outside 64 bits`, {
      advice: 'pass it as an unsigned 64-bit value, as in BigInt.asUintN(64, address)',
    });
  }
}
