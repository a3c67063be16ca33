import { VmError } from '../errors.js';
import { protection } from '../format/protection.js';
import type { MapPiece } from '../table/options.js';
import type { LeafRun } from '../table/walk/leaves.js';
import type { WalkLeaf } from '../table/walk/walk.js';
import { words } from '../words.js';
import type { Counted } from './page-references.js';
import type { PageMode, ProcessSpace } from './process-space.js';
import type { RegionRecord } from './region-record.js';

/** Bits 63..32 of the address of a page. */
function highOf(page: number, shift: number): number {
  return Math.floor(page / 2 ** (32 - shift)) | 0;
}

/** Bits 31..0 of the address of a page. */
function lowOf(page: number, shift: number): number {
  return (page << shift) | 0;
}

/** The leaf of a page; `null` for none. */
export function leafOf(space: ProcessSpace, page: number): WalkLeaf | null {
  // Most faults find none, and a walk that describes every step takes a hundred times as long.
  return isMapped(space, page) ? space.table.walk(space.addressOf(page)).leaf : null;
}

/** True for a page that is mapped. */
export function isMapped({ table, pageShift }: ProcessSpace, page: number): boolean {
  return table.translateWords(highOf(page, pageShift), lowOf(page, pageShift)) >= 0;
}

/** Maps a frame at an empty page. @throws VmError `ENOMEM` for no table. */
export function mapPage(
  space: ProcessSpace,
  region: RegionRecord,
  page: number,
  pfn: number,
  mode: PageMode,
): void {
  const { pageShift } = space;
  space.table.mapWords(
    highOf(page, pageShift),
    lowOf(page, pageShift),
    pfn,
    space.protectionOf(region.bits, mode),
  );
}

/** Maps a frame in place of what a page maps, with a flush in between. */
export function replacePage(
  space: ProcessSpace,
  region: RegionRecord,
  page: number,
  pfn: number,
  mode: PageMode,
): void {
  const high = highOf(page, space.pageShift);
  const low = lowOf(page, space.pageShift);
  // Encoded first: what cannot be expressed must not leave a hole.
  const protection = space.protectionOf(region.bits, mode);
  space.format.encode(protection, space.format.levels.length - 1);
  space.table.unmapWords(high, low);
  space.table.mapWords(high, low, pfn, protection);
}

/** The leaves of a range of pages. All are base pages. */
function runsOf(space: ProcessSpace, first: number, end: number): LeafRun[] {
  return [...space.table.leaves(space.addressOf(first), space.addressOf(end) - space.addressOf(first))];
}

/** What a range maps, as pieces for `mapMany`. */
export function piecesOf(space: ProcessSpace, first: number, end: number): MapPiece[] {
  const options = space.capsOf([], 0);
  return runsOf(space, first, end).map(({ va, pfn, count, flags, level }) => ({
    va,
    frames: Float64Array.from({ length: count }, (_, i) => pfn + i),
    protection: protection(space.format.decode(words(flags), level)),
    options,
  }));
}

/** Lets go of frames. */
export function letGo(counted: readonly Counted[]): void {
  for (const { pfn, counts } of counted) counts.put(pfn);
}

/** The frames of a range that somebody counts. Leaves are looked for region by region, not in the holes. */
export function countedIn(
  space: ProcessSpace,
  regions: readonly RegionRecord[],
  first: number,
  end: number,
): Counted[] {
  const found: Counted[] = [];
  for (const region of regions) {
    for (const { pfn, count } of runsOf(space, Math.max(first, region.first), Math.min(end, region.end))) {
      for (let i = 0; i < count; i++) {
        const counts = space.countsOf(region, pfn + i);
        if (counts !== null) found.push({ pfn: pfn + i, counts });
      }
    }
  }
  return found;
}

/**
 * Unmaps a range of pages, with one flush, and lets go of the frames after it.
 *
 * @param regions - those that have pages in the range, as they were while it was mapped.
 * @param reclaim - also frees the tables that are then empty, as munmap does.
 * @throws what the sink throws; nothing has then changed.
 */
export function unmapPages(
  space: ProcessSpace,
  regions: readonly RegionRecord[],
  first: number,
  end: number,
  reclaim: boolean,
): void {
  const [region] = regions;
  if (!reclaim && end - first === 1 && region !== undefined && regions.length === 1) {
    unmapPage(space, region, first);
    return;
  }
  const counted = countedIn(space, regions, first, end);
  const start = space.addressOf(first);
  space.table.unmap(start, space.addressOf(end) - start, { reclaim });
  letGo(counted);
}

/** The same for one page, without a list of leaves: a zap and a fault of a private page take most of their time there. */
function unmapPage(space: ProcessSpace, region: RegionRecord, page: number): void {
  const { table, pageShift } = space;
  const pfn = table.unmapWords(highOf(page, pageShift), lowOf(page, pageShift));
  if (pfn >= 0) space.countsOf(region, pfn)?.put(pfn);
}

/** See `RegionSpace.zap`. */
export function zapPages(
  space: ProcessSpace,
  region: RegionRecord,
  first: number,
  end: number,
  pfn: number,
): number {
  return space.lock.change(() => {
    let went = 0;
    for (const run of runsOf(space, first, end)) {
      const at = space.pageOf(run.va);
      for (let i = 0; i < run.count; i++) {
        const frame = run.pfn + i;
        if (pfn >= 0 && frame !== pfn) continue;
        if (space.references.isAnonymous(frame)) continue;
        const from = i;
        // Adjacent pages go together, with one flush.
        while (pfn < 0 && i + 1 < run.count && !space.references.isAnonymous(run.pfn + i + 1)) i++;
        unmapPages(space, [region], at + from, at + i + 1, false);
        went += i + 1 - from;
      }
    }
    return went;
  });
}

/**
 * Checks that a frame can be mapped.
 *
 * @throws VmError `EINVAL` for a frame that fits no entry, that is free or anonymous, or that holds a page table.
 */
export function requireMappable(space: ProcessSpace, region: RegionRecord, pfn: number): void {
  if (!Number.isInteger(pfn) || pfn < 0 || pfn >= space.pfnLimit)
    throw new VmError('EINVAL', `${String(pfn)} is not a frame`, {
      advice: `a frame is an integer below 0x${space.pfnLimit.toString(16)}`,
    });
  space.countsOf(region, pfn)?.requireInsertable(pfn);
}
