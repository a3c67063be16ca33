import { VmError } from '../errors.js';
import type { ProcessSpace, RegionCall } from './process-space.js';
import type { RegionRecord } from './region-record.js';

/** @throws VmError `ENOMEM` when a split makes too many regions. */
export function requireRoom({ list, mostRegions }: ProcessSpace): void {
  if (list.all.length >= mostRegions)
    throw new VmError('ENOMEM', `the process has ${list.all.length} regions, and may have ${mostRegions}`, {
      advice: 'unmap something, or make the process with a larger mostRegions',
    });
}

/**
 * Splits a region at a page inside it (__split_vma). The region keeps the lower part.
 *
 * @throws what `maySplit` and `open` throw.
 */
function splitAt(space: ProcessSpace, call: RegionCall, region: RegionRecord, page: number): void {
  region.operations?.maySplit?.(space.handleOf(region), space.addressOf(page));
  const upper = region.part(page, region.end);
  call.changes.set(region, { end: page });
  call.changes.add(upper);
  if (region.operations?.open !== undefined) {
    region.operations.open(space.handleOf(upper));
    call.opened.push(upper);
  }
}

/**
 * Splits the regions at both ends of a range.
 *
 * @param isChecked - each split needs room for one more region (split_vma).
 * @returns the regions of the range. Each lies inside it.
 * @throws VmError `ENOMEM` for no room; what `maySplit` and `open` throw.
 */
export function splitEnds(
  space: ProcessSpace,
  call: RegionCall,
  first: number,
  end: number,
  isChecked: boolean,
): readonly RegionRecord[] {
  const { list } = space;
  const low = list.at(first);
  if (low !== null && low.first < first) {
    if (isChecked) requireRoom(space);
    splitAt(space, call, low, first);
  }
  const high = list.at(end - 1);
  if (high !== null && high.end > end) {
    if (isChecked) requireRoom(space);
    splitAt(space, call, high, end);
  }
  return list.within(first, end);
}
