import { VmError } from '@vmarea/core';

/** A 64-bit register; a number must be a non-negative safe integer. */
export type Register = bigint | number;

/**
 * A register as an unsigned 64-bit value.
 *
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

/** `width` bits of a register from bit `low` on. */
export function field(register: bigint, low: number, width: number): bigint {
  return BigInt.asUintN(width, register >> BigInt(low));
}

/** True when a bit of a register is set. */
export function flag(register: bigint, bit: number): boolean {
  return field(register, bit, 1) !== 0n;
}
