import { checkAddress } from '../check/address.js';
import { optionsOf } from '../check/options.js';
import { VmError } from '../errors.js';
import type { Protection } from '../format/protection.js';
import { mergeAround } from './merge.js';
import { type UserPages, userPages } from './munmap.js';
import type { ProcessSpace, RegionCall } from './process-space.js';
import { ACCESS, isForbidden, type RegionRights, RIGHTS, rightsOf, VM_SHARED } from './region-flags.js';
import type { RegionRecord } from './region-record.js';
import { splitEnds } from './split.js';

/**
 * `mprotect`. Linux changes one region after the other, and keeps what it has changed when it meets an error. Here all is
 * checked first.
 *
 * Source: Linux 6.12, `do_mprotect_pkey` and `mprotect_fixup` in `mm/mprotect.c`.
 */
export function mprotect(
  space: ProcessSpace,
  address: bigint,
  length: number | bigint,
  given: RegionRights,
): void {
  const rights = rightsOf(optionsOf(given, RIGHTS, 'mprotect()'));
  checkAddress(address);
  const range = userPages(space, address, length, 'ENOMEM');
  space.call((call) => {
    const regions = requireCovered(space, range);
    for (const region of regions)
      if (isForbidden((region.bits & ~ACCESS) | rights))
        throw new VmError('EACCES', 'the region may not have these rights', {
          address: space.addressOf(region.first),
        });
    if (regions.every(({ bits }) => (bits & ACCESS) === rights)) return;
    change(space, call, range, rights);
  });
}

/** The regions of a range without holes. @throws VmError `ENOMEM` for a hole. */
function requireCovered(space: ProcessSpace, { first, end }: UserPages): readonly RegionRecord[] {
  const regions = space.list.within(first, end);
  let page = first;
  for (const region of regions) {
    if (region.first > page) break;
    page = region.end;
  }
  if (page < end) throw new VmError('ENOMEM', 'no region is there', { address: space.addressOf(page) });
  return regions;
}

function change(space: ProcessSpace, call: RegionCall, { first, end }: UserPages, rights: number): void {
  const regions = splitEnds(space, call, first, end, true).filter(({ bits }) => (bits & ACCESS) !== rights);
  for (const region of regions) call.changes.set(region, { bits: (region.bits & ~ACCESS) | rights });
  const ranges = regions.map((region) => ({
    va: space.addressOf(region.first),
    bytes: space.addressOf(region.end - region.first),
  }));
  for (const region of regions) if (region.isLive) mergeAround(space, call, region);
  space.table.protectMany(ranges, fieldsOf(space, regions, rights));
}

/**
 * What the pages of all regions allow now. One call changes all of them or none, so they get the same. Where private pages
 * are among them, none may be written at once: the next write of a page finds out whether it may.
 */
function fieldsOf(
  { user }: ProcessSpace,
  regions: readonly RegionRecord[],
  rights: number,
): Partial<Protection> {
  const isShared = regions.every((region) => region.isShared);
  const {
    read,
    write,
    execute,
    user: isUser,
  } = user.protections[rights | (isShared ? VM_SHARED : 0)] as Protection;
  return { read, write, execute, user: isUser };
}
