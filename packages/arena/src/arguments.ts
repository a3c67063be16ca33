import { hex, integerOption, VmError } from '@vmarea/core';
import type { ArenaCore } from './kernel/core.js';
import { lowOf } from './kernel/pointers.js';

/** @throws VmError `EINVAL` for what is no whole number in a range. */
export function requireWhole(value: number, name: string, least: number, most: number): void {
  if (typeof value === 'number' && value >= least && value <= most && Math.floor(value) === value) return;
  integerOption({ [name]: value }, name, least, most);
}

/** Alignment in pages. @throws VmError `EINVAL` for what is no power of two, from a page to 4 GiB. */
export function alignOf(align: unknown, pageBytes: number): number {
  if (align === undefined) return 1;
  const pages = typeof align === 'number' ? align / pageBytes : Number.NaN;
  if (!Number.isInteger(pages) || pages > 2 ** 32 / pageBytes || !Number.isInteger(Math.log2(pages)))
    throw new VmError('EINVAL', `align is ${String(align)}, expected a power of two`, {
      advice: `a page has ${pageBytes} bytes`,
    });
  return pages;
}

/** Low half of the page of an address. @throws VmError `EINVAL` and `ERANGE` for an address that is not in the arena. */
export function lowInside(core: ArenaCore, address: bigint): number {
  const { userPages, geometry } = core;
  const half = lowOf(address);
  const low = half - (half % geometry.pageBytes);
  if (userPages === 0)
    throw new VmError('EINVAL', 'the arena has no user address yet', {
      advice: 'make it with mapExtra, or map it into a process first',
    });
  if (core.slotAt(low) >= userPages)
    throw new VmError('ERANGE', 'the address is not in the arena', {
      address,
      advice: `it begins at ${hex(core.userStart)} and has ${userPages} pages`,
    });
  return low;
}
