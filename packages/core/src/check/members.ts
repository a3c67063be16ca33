import { shown, VmError } from '../errors.js';
import type { Given } from './options.js';

/**
 * Reads a member that is true or false.
 *
 * @param fallback - used when the member is absent; without it the member is required.
 * @throws VmError `EINVAL` naming the member and its value.
 * @example
 * ```ts
 * const nxe = flagOption(given, 'nxe', true);
 * ```
 */
export function flagOption<Name extends string>(
  given: Given<Record<Name, unknown>>,
  name: Name,
  fallback?: boolean,
): boolean {
  const value = given[name] === undefined ? fallback : given[name];
  if (typeof value !== 'boolean') throw wrongValue(name, value, 'true or false');
  return value;
}

/**
 * Reads a member that is an integer in a range, as a number.
 *
 * @param least - smallest value that is allowed.
 * @param most - largest value that is allowed.
 * @param fallback - used when the member is absent; without it the member is required.
 * @throws VmError `EINVAL` naming the member, its value and the range.
 * @example
 * ```ts
 * const paBits = integerOption(given, 'paBits', 32, 52, 52);
 * ```
 */
export function integerOption<Name extends string>(
  given: Given<Record<Name, unknown>>,
  name: Name,
  least: number,
  most: number,
  fallback?: number,
): number {
  const value = given[name] === undefined ? fallback : given[name];
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
    throw wrongValue(
      name,
      value,
      most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${most}`,
    );
  return value as number;
}

/**
 * Reads a member that is one of a few values.
 *
 * @param choices - the values, text or numbers.
 * @param fallback - used when the member is absent; without it the member is required.
 * @throws VmError `EINVAL` naming the member, its value and the choices.
 * @example
 * ```ts
 * const granule = choiceOption(given, 'granule', [4, 16, 64]);
 * ```
 */
export function choiceOption<Name extends string, const Choice extends string | number>(
  given: Given<Record<Name, unknown>>,
  name: Name,
  choices: readonly Choice[],
  fallback?: NoInfer<Choice>,
): Choice {
  const value = given[name] === undefined ? fallback : given[name];
  if (!choices.includes(value as Choice)) {
    const last = choices.at(-1);
    const others = choices.slice(0, -1);
    throw wrongValue(name, value, others.length === 0 ? `${last}` : `${others.join(', ')} or ${last}`);
  }
  return value as Choice;
}

/**
 * Reads a member that is an unsigned integer, as a bigint: an address, or a register of the machine.
 *
 * @param fallback - used when the member is absent; without it the member is required.
 * @param most - largest value that is allowed. Default: 2^64 - 1.
 * @throws VmError `EINVAL` naming the member, its value and the range.
 * @example
 * ```ts
 * const pat = bigintOption(given, 'pat', LINUX_PAT);
 * ```
 */
export function bigintOption<Name extends string>(
  given: Given<Record<Name, unknown>>,
  name: Name,
  fallback?: bigint,
  most: bigint = (1n << 64n) - 1n,
): bigint {
  const value = given[name] === undefined ? fallback : given[name];
  if (typeof value !== 'bigint' || value < 0n || value > most)
    throw wrongValue(name, value, `a bigint from 0 to 0x${most.toString(16)}`);
  return value;
}

/**
 * Reads a member that is text: a name, words for a message.
 *
 * @param fallback - used when the member is absent; without it the member is required.
 * @throws VmError `EINVAL` naming the member and its value.
 */
export function textOption<Name extends string>(
  given: Given<Record<Name, unknown>>,
  name: Name,
  fallback?: string,
): string {
  const value = given[name] === undefined ? fallback : given[name];
  if (typeof value !== 'string') throw wrongValue(name, value, 'text');
  return value;
}

/** The refusal of a value: `paBits is '48', expected 32 to 52`. */
export function wrongValue(name: string, value: unknown, expected: string): VmError {
  return new VmError('EINVAL', `${name} is ${shown(value)}, expected ${expected}`);
}
