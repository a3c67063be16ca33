import type { Given } from '../check/options.js';
import { shown, VmError } from '../errors.js';

/** A 64-bit register of a processor. A number must be a non-negative safe integer. */
export type Register = bigint | number;

/**
 * A register as an unsigned 64-bit value. A format's package checks its arguments with this.
 *
 * @param name - of the register, for the error.
 * @param register - what the caller passed.
 * @throws VmError `EINVAL` naming the register and its value when it is not an unsigned 64-bit integer.
 */
export function registerValue(name: string, register: unknown): bigint {
  if (typeof register === 'number' && !Number.isSafeInteger(register)) {
    throw new VmError('EINVAL', `${name} is ${register}, which is not an exact integer`, {
      advice: 'pass a bigint',
    });
  }
  if (typeof register === 'bigint' || typeof register === 'number') {
    const wide = BigInt(register);
    if (BigInt.asUintN(64, wide) === wide) return wide;
  }
  throw new VmError('EINVAL', `${name} is ${shown(register)}, expected an unsigned 64-bit value`, {
    advice: 'pass the register as a bigint',
  });
}

/**
 * One register of a machine's, as `registerValue` returns it.
 *
 * @param given - what `optionsOf` returned.
 * @param fallback - the value of an absent register; without it the register is required.
 * @throws VmError `EINVAL` as `registerValue`.
 * @example
 * ```ts
 * const satp = registerOption(given, 'satp');
 * const sstatus = registerOption(given, 'sstatus', 0n);
 * ```
 */
export function registerOption<Name extends string>(
  given: Given<Record<Name, unknown>>,
  name: Name,
  fallback?: bigint,
): bigint {
  return registerValue(name, given[name] === undefined ? fallback : given[name]);
}
