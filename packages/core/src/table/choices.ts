import { shown, VmError } from '../errors.js';

/**
 * Checks a choice that is true or false; absent is allowed.
 *
 * @throws VmError `EINVAL` for anything else.
 */
export function requireFlag(member: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') {
    throw new VmError('EINVAL', `${member} is ${shown(value)}`, { advice: 'pass true or false' });
  }
}
