import { requireOnPage } from '../check/address.js';
import { VmError } from '../errors.js';
import type { ProcessSpace } from './process-space.js';
import type { UnmappedAreaRequest } from './region-operations.js';
import type { RegionRecord } from './region-record.js';

/** What is asked for an address, in pages. */
export interface Place {
  /** The hint, or the address itself. */
  readonly address: bigint;
  readonly pages: number;
  readonly pgoff: number;
  readonly fixed: boolean;
  readonly shared: boolean;
  readonly operations: RegionRecord['operations'];
}

/**
 * `get_unmapped_area`: the first page of a new region.
 *
 * Source: Linux 6.12, `__get_unmapped_area` and `generic_get_unmapped_area_topdown` in `mm/mmap.c`.
 *
 * @throws VmError `ENOMEM` when nothing fits; `EINVAL` for an address that is not on a page; `EPERM` below the
 *   lowest address; what the operations throw.
 */
export function getUnmappedArea(space: ProcessSpace, place: Place): number {
  const { pages, pgoff, fixed, shared, operations } = place;
  const { taskPages, user } = space;
  if (pages > taskPages) throw tooLong(space, pages);
  let { address } = place;
  if (operations?.getUnmappedArea !== undefined) {
    const request: UnmappedAreaRequest = {
      process: space.face as NonNullable<typeof space.face>,
      address,
      length: space.addressOf(pages),
      pgoff,
      fixed,
      shared,
      find: (length = space.addressOf(pages)) =>
        space.addressOf(findFree(space, address, space.pageOf(space.wholePages(length)))),
    };
    address = operations.getUnmappedArea(request);
  } else if (!fixed) {
    address = space.addressOf(findFree(space, address, pages));
  }
  if (typeof address !== 'bigint' || address < 0n || address > user.taskSize - space.addressOf(pages))
    throw new VmError('ENOMEM', `${pages} pages from there on leave the user addresses`, {
      ...(typeof address === 'bigint' && address >= 0n ? { address } : {}),
      advice: `user addresses end at 0x${user.taskSize.toString(16)}`,
    });
  requireOnPage(address, space.pages);
  if (address < user.minAddress)
    throw new VmError('EPERM', 'a process may not map so low an address', {
      address,
      advice: `the lowest is 0x${user.minAddress.toString(16)} (vm.mmap_min_addr)`,
    });
  return space.pageOf(address);
}

/**
 * The first page of free addresses: at the hint when they are free there, else from the top down.
 *
 * @throws VmError `ENOMEM` when nothing fits.
 */
function findFree(space: ProcessSpace, hint: bigint, pages: number): number {
  const { user, taskPages } = space;
  const isWide = hint > user.mapWindow;
  const window = space.pageOf(user.mapWindow);
  const end = user.hintWidens && !isWide ? window : taskPages;
  const least = space.pageOf(user.minAddress);
  if (pages > end - least) throw tooLong(space, pages);
  if (hint !== 0n) {
    const first = space.pageOf(hint + space.pages - 1n);
    if (first >= least && first <= end - pages && space.list.within(first, first + pages).length === 0)
      return first;
  }
  const base = space.pageOf(user.mmapBase) + (user.hintWidens && isWide ? taskPages - window : 0);
  const found = highest(space, base, pages) ?? lowest(space, space.pageOf(user.unmappedBase), end, pages);
  if (found === null) throw tooLong(space, pages);
  return found;
}

/** The highest free pages below a limit, and above page 0 (unmapped_area_topdown). */
function highest({ list }: ProcessSpace, limit: number, pages: number): number | null {
  let top = limit;
  for (let i = list.indexAt(limit - 1); i >= 0; i--) {
    const region = list.all[i];
    // The first one may begin above the limit, or hold it.
    if (region === undefined || region.first >= top) continue;
    if (top - region.end >= pages) return top - pages;
    top = region.first;
  }
  return top - pages >= 1 ? top - pages : null;
}

/** The lowest free pages between two limits (unmapped_area). */
function lowest({ list }: ProcessSpace, from: number, limit: number, pages: number): number | null {
  let bottom = from;
  for (let i = list.indexAt(from); bottom + pages <= limit; i++) {
    const region = list.all[i];
    if (region === undefined || region.first - bottom >= pages) return bottom;
    bottom = region.end;
  }
  return null;
}

function tooLong(space: ProcessSpace, pages: number): VmError {
  return new VmError('ENOMEM', `no free addresses for ${pages} pages of the process`, {
    advice: `it has ${space.list.all.length} regions; unmap something`,
  });
}
