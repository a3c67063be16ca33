import { shown, VmError } from '../errors.js';

const TOP = 1n << 64n;

/**
 * Checks that a value is an address. Every public call of vmarea uses this function.
 *
 * @param what - what it is the address of, for the message.
 * @throws VmError `EINVAL` when it is not a bigint; `ERANGE` when it is not an unsigned 64-bit value.
 */
export function checkAddress(address: unknown, what = 'the address'): asserts address is bigint {
  if (typeof address !== 'bigint')
    throw new VmError('EINVAL', `${what} is ${shown(address)}, expected a bigint`);
  if (address < 0n || address >= TOP)
    throw new VmError('ERANGE', `${what} ${address} is outside 64 bits`, {
      advice: 'pass an unsigned 64-bit value; BigInt.asUintN(64, address) makes one',
    });
}

/** True for a 32-bit integer, signed or unsigned. */
export function isWord(word: unknown): word is number {
  return typeof word === 'number' && ((word | 0) === word || word >>> 0 === word);
}
