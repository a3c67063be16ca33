import { VmError } from '../errors.js';
import type { ProcessSpace, RegionCall } from './process-space.js';
import type { RegionRecord } from './region-record.js';

/** @throws VmError `ENOMEM` when another region would be too many. */
export function requireRoom({ list, mostRegions }: ProcessSpace, more: number): void {
  if (list.all.length + more > mostRegions)
    throw new VmError('ENOMEM', `the process has ${list.all.length} regions, and may have ${mostRegions}`, {
      advice: 'unmap something, or make the process with a larger mostRegions',
    });
}

/**
 * Splits a region at a page inside it (split_vma). The region keeps the lower part.
 *
 * @returns the region of the upper part.
 * @throws VmError `ENOMEM` when the process has too many regions; what `maySplit` and `open` throw.
 */
export function splitAt(
  space: ProcessSpace,
  call: RegionCall,
  region: RegionRecord,
  page: number,
): RegionRecord {
  requireRoom(space, 1);
  region.operations?.maySplit?.(space.handleOf(region), space.addressOf(page));
  const upper = region.part(page, region.end);
  call.changes.set(region, { end: page });
  call.changes.add(upper);
  if (region.operations?.open !== undefined) {
    region.operations.open(space.handleOf(upper));
    call.opened.push(upper);
  }
  return upper;
}

/**
 * Splits the regions at both ends of a range.
 *
 * @returns the regions of the range. Each lies inside it.
 */
export function splitEnds(
  space: ProcessSpace,
  call: RegionCall,
  first: number,
  end: number,
): readonly RegionRecord[] {
  const { list } = space;
  const low = list.at(first);
  if (low !== null && low.first < first) splitAt(space, call, low, first);
  const high = list.at(end - 1);
  if (high !== null && high.end > end) splitAt(space, call, high, end);
  return list.within(first, end);
}
