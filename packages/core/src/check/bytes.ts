import { shown, VmError } from '../errors.js';

/**
 * Checks a length or size in bytes. Every public call of vmarea uses this function.
 *
 * @param what - its name in the message: `length`, `size`.
 * @param address - where the range begins, for the message.
 * @returns the bytes, 1 or more.
 * @throws VmError `EINVAL` for 0, a negative number, a fraction, a number above 2^53, and anything that is
 *   not a number.
 */
export function checkBytes(bytes: unknown, what: string, address?: unknown): bigint {
  if (typeof bytes === 'bigint' ? bytes > 0n : Number.isSafeInteger(bytes) && (bytes as number) > 0)
    return BigInt(bytes as number);
  throw new VmError(
    'EINVAL',
    `the ${what} is ${shown(bytes)}, expected 1 or more bytes`,
    typeof address === 'bigint' ? { address } : {},
  );
}

/** @throws VmError `EINVAL` for an alignment that is not a power of two, as a bigint of bytes. */
export function checkAlign(align: unknown): asserts align is bigint {
  if (typeof align !== 'bigint' || align < 1n || (align & (align - 1n)) !== 0n)
    throw new VmError(
      'EINVAL',
      `the alignment is ${shown(align)}, expected a power of two, as a bigint of bytes`,
    );
}
