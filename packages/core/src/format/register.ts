import { VmError } from '../errors.js';

/** A 64-bit register of a processor; a number must be a non-negative safe integer. */
export type Register = bigint | number;

/**
 * A register as an unsigned 64-bit value: what a format's package checks what it is given with.
 *
 * @param name - of the register, for the error.
 * @throws VmError `EINVAL` naming the register when it is none.
 */
export function registerValue(name: string, register: Register): bigint {
  if (typeof register === 'number' && !Number.isSafeInteger(register)) {
    throw new VmError('EINVAL', `${name} is ${register}, which is no exact integer`, {
      advice: 'pass a bigint',
    });
  }
  const wide = BigInt(register);
  if (BigInt.asUintN(64, wide) !== wide) throw new VmError('EINVAL', `${name} is no unsigned 64-bit value`);
  return wide;
}
