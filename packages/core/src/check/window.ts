import { VmError } from '../errors.js';
import { bigintOption } from './members.js';
import { optionsOf } from './options.js';

/** A window of addresses in bytes; the end is the first byte behind it. */
export interface WindowBounds {
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * The `window` of a Linux policy: where vmalloc places its areas.
 *
 * @param window - what the caller passed: `start` and `end`, bigints of bytes.
 * @param what - the call that takes it: `x8664Linux()`.
 * @param usual - what is used for members that are absent; `end` may depend on the start. Without it a member must be there.
 * @param pageShift - log2 of the base page in bytes.
 * @throws VmError `EINVAL` naming the member when it is not an address, and when the window does not start on a page or has
 *   no whole page.
 */
export function windowOption(
  window: unknown,
  what: string,
  usual: { readonly start?: bigint; readonly end?: (start: bigint) => bigint },
  pageShift: number,
): WindowBounds {
  const given = optionsOf(
    window as Partial<WindowBounds> | undefined,
    ['start', 'end'],
    `the window of ${what}`,
  );
  const named = { 'window.start': given.start, 'window.end': given.end };
  const start = bigintOption(named, 'window.start', usual.start);
  const end = bigintOption(named, 'window.end', usual.end?.(start), 1n << 64n);
  const page = 1n << BigInt(pageShift);
  if (start % page !== 0n)
    throw new VmError('EINVAL', 'the vmalloc window does not start on a page', { address: start });
  if (end - start < page)
    throw new VmError('EINVAL', 'the vmalloc window has no page before its end', { address: end });
  return Object.freeze({ start, end });
}
