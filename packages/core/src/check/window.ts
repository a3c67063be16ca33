import { VmError, wideHex } from '../errors.js';
import { checkAddress, checkEnd } from './address.js';
import { type Given, optionsOf } from './options.js';

/** A window of addresses in bytes; the end is the first byte behind it. */
export interface WindowBounds {
  readonly start: bigint;
  readonly end: bigint;
}

const NAMES = ['start', 'end'] as const;

/**
 * Reads a window, or any range of addresses, as a frozen copy. Every public call of vmarea uses this
 * function.
 *
 * @param window - what the caller passed: `start` and `end`, bigints of bytes. The end may be 2^64.
 * @param what - the window in the message: `the window of reserve()`.
 * @param prefix - what comes before `start` and `end` in the message. Default: `window.`.
 * @throws VmError `EINVAL` for a name that a window does not have, for a member that is not a bigint, and
 *   when it ends before it starts; `ERANGE` for a start or end outside 64 bits.
 */
export function checkWindow(window: unknown, what: string, prefix = 'window.'): WindowBounds {
  // `undefined` stands for no options elsewhere. A window that must be there is none then.
  return bounds(membersOf(window === undefined ? null : window, what), what, prefix);
}

/**
 * The `window` of a Linux policy: where vmalloc places its areas.
 *
 * @param window - what the caller passed: `start` and `end`, bigints of bytes.
 * @param what - the call that takes it: `x8664Linux()`.
 * @param usual - what is used for members that are absent; `end` may depend on the start. Without it a member must be there.
 * @param pageShift - log2 of the base page in bytes.
 * @throws VmError as `checkWindow`; `EINVAL` when the window does not start on a page or has no whole page.
 */
export function windowOption(
  window: unknown,
  what: string,
  usual: { readonly start?: bigint; readonly end?: (start: bigint) => bigint },
  pageShift: number,
): WindowBounds {
  const name = `the window of ${what}`;
  const given = membersOf(window, name);
  const start = given.start === undefined ? usual.start : given.start;
  checkAddress(start, 'window.start');
  const { end } = bounds(
    { start, end: given.end === undefined ? usual.end?.(start) : given.end },
    name,
    'window.',
  );
  const page = 1n << BigInt(pageShift);
  if (start % page !== 0n)
    throw new VmError('EINVAL', 'the vmalloc window does not start on a page', { address: start });
  if (end - start < page)
    throw new VmError('EINVAL', 'the vmalloc window has no page before its end', { address: end });
  return Object.freeze({ start, end });
}

function membersOf(window: unknown, what: string): Given<WindowBounds> {
  return optionsOf(window as Partial<WindowBounds> | undefined, NAMES, what);
}

function bounds({ start, end }: Given<WindowBounds>, what: string, prefix: string): WindowBounds {
  checkAddress(start, `${prefix}start`);
  checkEnd(end, `${prefix}end`);
  if (end < start)
    throw new VmError('EINVAL', `${what} ends at ${wideHex(end)}, before it starts`, { address: start });
  return Object.freeze({ start, end });
}
