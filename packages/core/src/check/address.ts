import { hex, shown, VmError, wideHex } from '../errors.js';
import { TOP } from '../words.js';

/**
 * Checks that a value is an address. Every public call of vmarea uses this function.
 *
 * @param what - what it is the address of, for the message.
 * @throws VmError `EINVAL` when it is not a bigint; `ERANGE` when it is not an unsigned 64-bit value.
 */
export function checkAddress(address: unknown, what = 'the address'): asserts address is bigint {
  if (typeof address !== 'bigint')
    throw new VmError('EINVAL', `${what} is ${shown(address)}, expected a bigint`);
  if (address < 0n || address >= TOP) throw outside(address, what);
}

/**
 * Checks that an address lies on a page.
 *
 * @param pageBytes - bytes of a page, a power of 2.
 * @param what - what it is the address of, for the message.
 * @throws VmError `EINVAL` when it lies inside a page.
 */
export function requireOnPage(address: bigint, pageBytes: bigint, what = 'the address'): void {
  if ((address & (pageBytes - 1n)) === 0n) return;
  throw new VmError('EINVAL', `${what} is not a multiple of the page size ${hex(pageBytes)}`, { address });
}

/** True for a 32-bit integer, signed or unsigned. */
export function isWord(word: unknown): word is number {
  return typeof word === 'number' && ((word | 0) === word || word >>> 0 === word);
}

/**
 * Checks the end of a range: the byte after the last one. It may be 2^64.
 *
 * @param what - what it is the end of, for the message.
 * @throws VmError `EINVAL` when it is not a bigint; `ERANGE` when it is negative or above 2^64.
 */
export function checkEnd(end: unknown, what = 'the end'): asserts end is bigint {
  if (end !== TOP) checkAddress(end, what);
}

/** Only a negative address has an unsigned twin. 2^64 and above would become an address that nobody meant. */
function outside(address: bigint, what: string): VmError {
  return new VmError('ERANGE', `${what} ${wideHex(address)} is outside 64 bits`, {
    advice:
      address < 0n
        ? 'pass an unsigned 64-bit value; BigInt.asUintN(64, address) makes one'
        : `the last address is ${wideHex(TOP - 1n)}`,
  });
}
