import type { ProcessSpace, RegionCall } from './process-space.js';
import { ACCESS, VM_SPECIAL } from './region-flags.js';
import type { RegionRecord } from './region-record.js';

/**
 * True when two adjacent regions can become one, the second of which goes (can_vma_merge_after, can_vma_merge_before).
 *
 * Source: Linux 6.12, `is_mergeable_vma` and `is_mergeable_anon_vma` in `mm/vma.c`.
 */
function canMerge(left: RegionRecord, right: RegionRecord): boolean {
  return (
    left.end === right.first &&
    left.bits === right.bits &&
    (left.bits & VM_SPECIAL) === 0 &&
    left.object === right.object &&
    left.operations === right.operations &&
    left.name === right.name &&
    left.pgoffOf(right.first) === right.pgoff &&
    right.operations?.close === undefined &&
    // Two families of anonymous pages stay apart. One that began with a fork takes no region in.
    (left.anon === right.anon || ((left.anon === 0 || right.anon === 0) && !left.isForked && !right.isForked))
  );
}

/**
 * Merges a region with its neighbours where Linux would.
 *
 * @returns the region that holds its pages now.
 */
export function mergeAround(
  { list }: ProcessSpace,
  { changes }: RegionCall,
  region: RegionRecord,
): RegionRecord {
  const at = list.indexAt(region.first);
  const before = list.all[at - 1];
  const after = list.all[at + 1];
  let merged = region;
  if (before !== undefined && canMerge(before, region)) {
    changes.remove([region]);
    changes.set(before, { end: region.end, anon: before.anon || region.anon });
    merged = before;
  }
  if (after !== undefined && canMerge(merged, after)) {
    changes.remove([after]);
    changes.set(merged, { end: after.end, anon: merged.anon || after.anon });
  }
  return merged;
}

/**
 * Gives a region a family of anonymous pages, when it has none (anon_vma_prepare). It takes that of a neighbour with which
 * it may merge one day.
 *
 * Source: Linux 6.12, `find_mergeable_anon_vma` and `anon_vma_compatible` in `mm/vma.c`.
 */
export function prepareFamily({ list, half }: ProcessSpace, region: RegionRecord): void {
  if (region.anon !== 0) return;
  const at = list.indexAt(region.first);
  const after = list.all[at + 1];
  const before = list.all[at - 1];
  for (const [left, right] of [
    [region, after],
    [before, region],
  ] as const) {
    if (left === undefined || right === undefined) continue;
    const other = left === region ? right : left;
    const isLike =
      left.end === right.first &&
      left.object === right.object &&
      left.operations === right.operations &&
      ((left.bits ^ right.bits) & ~ACCESS) === 0 &&
      left.pgoffOf(right.first) === right.pgoff;
    if (isLike && other.anon !== 0 && !other.isForked) {
      region.anon = other.anon;
      return;
    }
  }
  region.anon = ++half.families;
}
