import { VmError } from '../errors.js';
import { protection } from '../format/protection.js';
import { changePage } from '../table/change/protect/change-page.js';
import { type TakenPages, takePages } from '../table/change/remove/take.js';
import type { MapPiece } from '../table/options.js';
import type { PageRange } from '../table/page-range.js';
import type { LeafRun } from '../table/walk/leaves.js';
import type { Walk } from '../table/walk/walk.js';
import { words } from '../words.js';
import type { Counted } from './page-references.js';
import type { PageMode, ProcessSpace } from './process-space.js';
import type { AccessKind } from './region-operations.js';
import type { RegionRecord } from './region-record.js';

/** Bits 63..32 of the address of a page. */
function highOf(page: number, shift: number): number {
  return Math.floor(page / 2 ** (32 - shift)) | 0;
}

/** Bits 31..0 of the address of a page. */
function lowOf(page: number, shift: number): number {
  return (page << shift) | 0;
}

/** The walk to a page that is mapped; `null` for none. */
export function walkTo(space: ProcessSpace, page: number, kind: AccessKind): Walk | null {
  // Most faults find none, and a walk that describes every step takes a hundred times as long.
  if (!isMapped(space, page)) return null;
  const walk = space.table.walk(space.addressOf(page), { kind, user: true });
  return walk.leaf === null ? null : walk;
}

/** True for a page that is mapped. */
export function isMapped(space: ProcessSpace, page: number): boolean {
  return frameOf(space, page) >= 0;
}

/** The frame that a page maps; -1 for none. */
export function frameOf({ table, pageShift }: ProcessSpace, page: number): number {
  return table.translateWords(highOf(page, pageShift), lowOf(page, pageShift));
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

/**
 * Maps a frame in place of what a page maps, with a flush in between.
 *
 * @returns the frame that the page has mapped; -1 when another thread has unmapped it.
 */
export function replacePage(
  space: ProcessSpace,
  region: RegionRecord,
  page: number,
  pfn: number,
  mode: PageMode,
): number {
  const high = highOf(page, space.pageShift);
  const low = lowOf(page, space.pageShift);
  // Encoded first: what cannot be expressed must not leave a hole.
  const protection = space.protectionOf(region.bits, mode);
  space.format.encode(protection, space.format.levels.length - 1);
  return together(space, () => {
    const was = space.table.unmapWords(high, low);
    space.table.mapWords(high, low, pfn, protection);
    return was;
  });
}

/** Runs calls on tables of which either none or all are made, when another thread dies meanwhile. */
export function together<R>({ threads }: ProcessSpace, call: () => R): R {
  return threads === null ? call() : threads.together(call);
}

/** Changes how a page maps the frame that it maps, with a flush. */
export function remapPage(
  space: ProcessSpace,
  region: RegionRecord,
  page: number,
  pfn: number,
  mode: PageMode,
): void {
  changePage(space.table, page, pfn, space.protectionOf(region.bits, mode));
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
 * @param regions - those that have pages in the range, ascending, as they were while it was mapped.
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
  letGoOf(space, regions, takePages(space.table, [{ first, pages: end - first }], reclaim));
}

/**
 * Lets go of what was taken out of regions.
 *
 * @param regions - ascending, as they were while it was mapped.
 */
export function letGoOf(
  space: ProcessSpace,
  regions: readonly RegionRecord[],
  { pages, frames }: TakenPages,
): void {
  let at = 0;
  for (const [i, page] of pages.entries()) {
    while (at < regions.length && (regions[at] as RegionRecord).end <= page) at++;
    const region = regions[at];
    const pfn = frames[i] as number;
    if (region !== undefined && region.first <= page) space.countsOf(region, pfn)?.put(pfn);
  }
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
    const ranges = zappedIn(space, first, end, pfn);
    const went = ranges.reduce((sum, { pages }) => sum + pages, 0);
    const [range] = ranges;
    if (range === undefined) return 0;
    if (went === 1) unmapPage(space, region, range.first);
    else letGoOf(space, [region], takePages(space.table, ranges, false));
    return went;
  });
}

/** The pages of a range that map a frame, or any with -1, and no copy that the process made for itself. */
function zappedIn(space: ProcessSpace, first: number, end: number, pfn: number): PageRange[] {
  const ranges: { first: number; pages: number }[] = [];
  for (const run of runsOf(space, first, end)) {
    const at = space.pageOf(run.va);
    for (let i = 0; i < run.count; i++) {
      const frame = run.pfn + i;
      if ((pfn >= 0 && frame !== pfn) || space.references.isAnonymous(frame)) continue;
      const last = ranges.at(-1);
      if (last !== undefined && last.first + last.pages === at + i) last.pages++;
      else ranges.push({ first: at + i, pages: 1 });
    }
  }
  return ranges;
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
