import type { ProcessSpace, RegionCall } from './process-space.js';
import { ACCESS, VM_SPECIAL } from './region-flags.js';
import type { RegionRecord } from './region-record.js';

/**
 * True when two adjacent regions are of one kind (can_vma_merge_after, can_vma_merge_before).
 *
 * Source: Linux 6.12, `is_mergeable_vma` and `is_mergeable_anon_vma` in `mm/vma.c`.
 */
function isAlike(left: RegionRecord, right: RegionRecord): boolean {
  return (
    left.end === right.first &&
    left.bits === right.bits &&
    (left.bits & VM_SPECIAL) === 0 &&
    left.object === right.object &&
    left.operations === right.operations &&
    left.kind === right.kind &&
    left.name === right.name &&
    left.pgoffOf(right.first) === right.pgoff &&
    // Two families of anonymous pages stay apart. One that began with a fork takes no region in.
    (left.anon === right.anon || ((left.anon === 0 || right.anon === 0) && !left.isForked && !right.isForked))
  );
}

/** True when two adjacent regions can become one, the second of which goes: nobody waits for its end. */
function canMerge(left: RegionRecord, right: RegionRecord): boolean {
  return right.operations?.close === undefined && isAlike(left, right);
}

/**
 * Gives pages at one end of a region to the neighbour there, when they are of its kind with other VM_ bits. No region is
 * split.
 *
 * Source: Linux 6.12, `vma_merge_existing_range` in `mm/vma.c`.
 *
 * @param first - first page that changes.
 * @param end - the page after the last one.
 * @returns false when the pages are not such an end, or not of the neighbour's kind.
 */
export function moveBorder(
  { list }: ProcessSpace,
  { changes }: RegionCall,
  region: RegionRecord,
  { first, end }: Pick<RegionRecord, 'first' | 'end'>,
  bits: number,
): boolean {
  const at = list.indexAt(region.first);
  const before = list.all[at - 1];
  const after = list.all[at + 1];
  const part = region.part(first, end);
  part.bits = bits;
  if (first === region.first && end < region.end && before !== undefined && isAlike(before, part)) {
    changes.set(before, { end, anon: before.anon || region.anon });
    changes.set(region, { first: end, pgoff: region.pgoffOf(end) });
    return true;
  }
  if (end === region.end && first > region.first && after !== undefined && isAlike(part, after)) {
    changes.set(after, { first, pgoff: part.pgoff, anon: after.anon || region.anon });
    changes.set(region, { end: first });
    return true;
  }
  return false;
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
  list.isChanged = true;
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
      left.kind === right.kind &&
      ((left.bits ^ right.bits) & ~ACCESS) === 0 &&
      left.pgoffOf(right.first) === right.pgoff;
    if (isLike && other.anon !== 0 && !other.isForked) {
      region.anon = other.anon;
      return;
    }
  }
  region.anon = half.list.newFamily();
}
