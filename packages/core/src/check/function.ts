import { isArray } from '../errors.js';
import { wrongValue } from './members.js';

/** True for a function that can be called: a revoked proxy of one cannot. */
export function isCallable(value: unknown): boolean {
  return typeof value === 'function' && isArray(value) !== undefined;
}

/**
 * Checks a function that a caller passed.
 *
 * @param what - its name in the message: `release`.
 * @throws VmError `EINVAL` for anything but a function.
 */
export function checkFunction(value: unknown, what: string): void {
  if (!isCallable(value)) throw wrongValue(what, value, 'a function');
}
