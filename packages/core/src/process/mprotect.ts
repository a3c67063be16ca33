import { optionsOf } from '../check/options.js';
import { VmError } from '../errors.js';
import type { Protection } from '../format/protection.js';
import { mergeAround, moveBorder } from './merge.js';
import { type UserPages, userPagesOrNone } from './munmap.js';
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
  const range = userPagesOrNone(space, address, length);
  space.call((call) => {
    if (range === null) return;
    const regions = requireAllowed(space, range, rights).filter(({ bits }) => (bits & ACCESS) !== rights);
    if (regions.length > 0) change(space, call, range, regions, rights);
  });
}

/**
 * The regions of a range, which has no holes. They may all have the rights.
 *
 * @throws VmError the first error from the lowest address on: `ENOMEM` for a hole, `EACCES` for forbidden rights.
 */
function requireAllowed(
  space: ProcessSpace,
  { first, end }: UserPages,
  rights: number,
): readonly RegionRecord[] {
  const regions = space.list.within(first, end);
  space.requireKnown(regions);
  let page = first;
  for (const region of regions) {
    if (region.first > page) break;
    if (isForbidden((region.bits & ~ACCESS) | rights))
      throw new VmError('EACCES', 'the region may not have these rights', { address: space.addressOf(page) });
    page = region.end;
  }
  if (page < end) throw new VmError('ENOMEM', 'no region is there', { address: space.addressOf(page) });
  return regions;
}

/** Changes the regions of a range whose rights differ. Those that have the rights already are not split. */
function change(
  space: ProcessSpace,
  call: RegionCall,
  range: UserPages,
  differing: readonly RegionRecord[],
  rights: number,
): void {
  const ranges: { va: bigint; bytes: bigint }[] = [];
  for (const region of differing) {
    const first = Math.max(range.first, region.first);
    const end = Math.min(range.end, region.end);
    ranges.push({ va: space.addressOf(first), bytes: space.addressOf(end - first) });
    const bits = (region.bits & ~ACCESS) | rights;
    if (moveBorder(space, call, region, { first, end }, bits)) continue;
    const [part] = splitEnds(space, call, first, end, true) as [RegionRecord];
    call.changes.set(part, { bits });
    mergeAround(space, call, part);
  }
  space.table.protectMany(ranges, fieldsOf(space, differing, rights));
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
