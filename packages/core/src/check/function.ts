import { isArray } from '../errors.js';
import { wrongValue } from './members.js';

/**
 * Checks a function that a caller passed.
 *
 * @param what - its name in the message: `release`.
 * @throws VmError `EINVAL` for anything but a function.
 */
export function checkFunction(value: unknown, what: string): void {
  if (typeof value !== 'function' || isArray(value) === undefined)
    throw wrongValue(what, value, 'a function');
}
