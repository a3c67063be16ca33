import { checkAddress, requireOnPage } from '../check/address.js';
import { checkBytes } from '../check/bytes.js';
import { VmError } from '../errors.js';
import { unmapPages } from './pages.js';
import type { ProcessSpace, RegionCall } from './process-space.js';
import type { RegionRecord } from './region-record.js';
import { requireRoom, splitEnds } from './split.js';

/** A range of user pages. */
export interface UserPages {
  readonly first: number;
  readonly end: number;
}

/**
 * A range of user addresses that a caller names.
 *
 * @param outside - what Linux's call answers for addresses that are not the user's.
 * @throws VmError `EINVAL` for an address that is not on a page, or a length that is none; `outside`.
 */
function userPages(
  space: ProcessSpace,
  address: bigint,
  length: number | bigint,
  outside: 'EINVAL' | 'ENOMEM',
): UserPages {
  checkPage(space, address);
  const bytes = checkBytes(length, 'length', address);
  const { taskSize } = space.user;
  if (address > taskSize || space.wholePages(bytes) > taskSize - address)
    throw new VmError(outside, 'the range leaves the user addresses', {
      address,
      advice: `user addresses end at 0x${taskSize.toString(16)}`,
    });
  return { first: space.pageOf(address), end: space.pageOf(address + space.wholePages(bytes)) };
}

/** @throws VmError `EINVAL` for an address that is not on a page. */
function checkPage(space: ProcessSpace, address: bigint): void {
  checkAddress(address);
  requireOnPage(address, space.pages);
}

/** As `userPages`, with `ENOMEM` for other addresses; `null` for a length of 0, which mprotect and madvise accept. */
export function userPagesOrNone(
  space: ProcessSpace,
  address: bigint,
  length: number | bigint,
): UserPages | null {
  checkPage(space, address);
  return length === 0 || length === 0n ? null : userPages(space, address, length, 'ENOMEM');
}

/**
 * `munmap`.
 *
 * Source: Linux 6.12, `do_vmi_munmap` in `mm/vma.c`.
 */
export function munmap(space: ProcessSpace, address: bigint, length: number | bigint): void {
  const { first, end } = userPages(space, address, length, 'EINVAL');
  space.call((call) => remove(space, call, first, end));
}

/** Takes a range out, and its pages. */
export function remove(space: ProcessSpace, call: RegionCall, first: number, end: number): void {
  const gone = takeOut(space, call, first, end);
  if (gone.length > 0) unmapPages(space, gone, first, end, true);
}

/**
 * Takes the regions of a range out of the list. Their pages stay until the caller unmaps them.
 *
 * @returns the regions that are gone.
 * @throws VmError `ENOMEM` for too many regions; what `maySplit` and `open` throw.
 */
export function takeOut(
  space: ProcessSpace,
  call: RegionCall,
  first: number,
  end: number,
): readonly RegionRecord[] {
  space.requireKnown(space.list.within(first, end));
  const low = space.list.at(first);
  // Only a hole inside of a region makes one more.
  if (low !== null && low.first < first && low.end > end) requireRoom(space);
  const gone = splitEnds(space, call, first, end, false);
  call.changes.remove(gone);
  call.closing.push(...gone);
  return gone;
}
