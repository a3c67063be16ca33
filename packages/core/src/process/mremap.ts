import { checkAddress, requireOnPage } from '../check/address.js';
import { checkBytes } from '../check/bytes.js';
import { flagOption } from '../check/members.js';
import { optionsOf } from '../check/options.js';
import { VmError } from '../errors.js';
import { prepareTables } from '../table/change/map/prepare.js';
import { takePages } from '../table/change/remove/take.js';
import { mergeAround } from './merge.js';
import { pagesOf } from './mmap.js';
import { remove, takeOut } from './munmap.js';
import { MREMAP_OPTIONS, type MremapOptions } from './options.js';
import { letGoOf, piecesOf, together } from './pages.js';
import { getUnmappedArea, type Place } from './place.js';
import type { ProcessSpace, RegionCall } from './process-space.js';
import { VM_DONTEXPAND, VM_PFNMAP, VM_SPECIAL } from './region-flags.js';
import type { RegionRecord } from './region-record.js';
import { splitEnds } from './split.js';

/** What a call moves: pages of one region. */
interface Move {
  readonly region: RegionRecord;
  readonly first: number;
  readonly old: number;
  readonly pages: number;
}

/**
 * `mremap`.
 *
 * Source: Linux 6.12, `mremap`, `mremap_to`, `vma_to_resize` and `move_vma` in `mm/mremap.c`.
 *
 * @returns the first address.
 */
export function mremap(
  space: ProcessSpace,
  address: bigint,
  oldLength: number | bigint,
  newLength: number | bigint,
  options: MremapOptions | undefined,
): bigint {
  const given = optionsOf(options, MREMAP_OPTIONS, 'mremap()');
  const mayMove = flagOption(given, 'mayMove', false);
  const { fixed } = given;
  checkAddress(address);
  if (fixed !== undefined && !mayMove)
    throw new VmError('EINVAL', 'fixed needs mayMove', { address, advice: 'set both' });
  requireOnPage(address, space.pages);
  const oldBytes =
    oldLength === 0 || oldLength === 0n ? 0n : space.wholePages(checkBytes(oldLength, 'old length', address));
  const newBytes = space.wholePages(checkBytes(newLength, 'new length', address));
  const old = pagesOf(space, oldBytes) ?? Number.POSITIVE_INFINITY;
  const pages = pagesOf(space, newBytes) ?? Number.POSITIVE_INFINITY;
  const first = space.pageOf(address);
  return space.call((call) => {
    const region = regionAt(space, first);
    space.requireKnown([region]);
    if (fixed !== undefined) {
      const to = fixedPage(space, fixed, { region, first, old, pages });
      return space.addressOf(moveToFixed(space, call, { first, old, pages }, to));
    }
    if (newBytes === oldBytes) return address;
    if (newBytes < oldBytes) {
      requireUserEnd(space, first + old, address);
      remove(space, call, first + pages, first + old);
      return address;
    }
    const move = { region, first, old, pages };
    requireResizable(space, move);
    if (old > 0 && first + old === region.end && growInPlace(space, call, move)) return address;
    if (!mayMove)
      throw new VmError('ENOMEM', `there is no room for ${pages} pages at the region`, {
        address,
        advice: 'set mayMove',
      });
    const to = getUnmappedArea(space, placeOf(move, 0n, false));
    return space.addressOf(moveTo(space, call, move, to, { replaced: [], tail: [], tailEnd: first + old }));
  });
}

/** @throws VmError `EFAULT` for no region. */
function regionAt(space: ProcessSpace, page: number): RegionRecord {
  const region = space.list.at(page);
  if (region !== null) return region;
  throw new VmError('EFAULT', 'no region holds the address', { address: space.addressOf(page) });
}

/** @throws VmError `EINVAL` for a range that ends behind the user addresses. */
function requireUserEnd(space: ProcessSpace, end: number, address: bigint): void {
  if (end > space.taskPages)
    throw new VmError('EINVAL', 'the range leaves the user addresses', {
      address,
      advice: `user addresses end at 0x${space.user.taskSize.toString(16)}`,
    });
}

/** What `getUnmappedArea` is asked for a move. */
function placeOf({ region, first, pages }: Move, address: bigint, fixed: boolean): Place {
  const { isShared: shared, operations } = region;
  return { address, pages, pgoff: region.pgoffOf(first), fixed, shared, operations };
}

/** @throws VmError `ENOMEM` when fewer than four more regions fit. */
function requireSpare({ list, mostRegions }: ProcessSpace, more: number): void {
  if (list.all.length + more >= mostRegions - 3)
    throw new VmError('ENOMEM', `the process has ${list.all.length} regions, too many for a move`, {
      advice: 'unmap something, or make the process with a larger mostRegions',
    });
}

/** The first page of the place that a caller demands. @throws VmError `EINVAL`. */
function fixedPage(space: ProcessSpace, fixed: unknown, { first, old, pages }: Move): number {
  checkAddress(fixed, 'fixed');
  requireOnPage(fixed, space.pages, 'fixed');
  const to = space.pageOf(fixed);
  if (to + pages > space.taskPages)
    throw new VmError('EINVAL', 'the new range leaves the user addresses', { address: fixed });
  if (first + old > to && to + pages > first)
    throw new VmError('EINVAL', 'the new range overlaps the old one', { address: fixed });
  return to;
}

/** `vma_to_resize`. */
function requireResizable(space: ProcessSpace, { region, first, old, pages }: Move): void {
  const address = space.addressOf(first);
  if (old === 0 && !region.isShared)
    throw new VmError('EINVAL', 'only a shared region can be mapped a second time', { address });
  if (old > region.end - first)
    throw new VmError('EFAULT', `${old} pages are more than the region has there`, {
      address,
      advice: 'name pages of one region',
    });
  if (pages !== old && (region.bits & (VM_DONTEXPAND | VM_PFNMAP)) !== 0)
    throw new VmError('EFAULT', 'the region cannot become longer', { address });
}

/**
 * Makes a region longer where it is (vma_merge_extend).
 *
 * @returns false when something is behind it.
 * @throws VmError `ENOMEM` for a region that merges with none, as in Linux: it does not move, either.
 */
function growInPlace(space: ProcessSpace, call: RegionCall, { region, first, pages }: Move): boolean {
  const end = first + pages;
  if (end > space.taskPages || space.list.within(region.end, end).length > 0) return false;
  if ((region.bits & VM_SPECIAL) !== 0)
    throw new VmError('ENOMEM', 'a region with frames of others does not become longer in its place', {
      address: space.addressOf(first),
    });
  call.changes.set(region, { end });
  mergeAround(space, call, region);
  return true;
}

/** `mremap_to`: what is in the way goes with the move or not at all. @returns the first page of the new place. */
function moveToFixed(
  space: ProcessSpace,
  call: RegionCall,
  { first, old, pages }: Omit<Move, 'region'>,
  to: number,
): number {
  requireSpare(space, 2);
  const replaced = takeOut(space, call, to, to + pages);
  if (old > pages) requireUserEnd(space, first + old, space.addressOf(first));
  const tail = old > pages ? takeOut(space, call, first + pages, first + old) : [];
  // A second place over the first one has taken it away.
  const move = { region: regionAt(space, first), first, old: Math.min(old, pages), pages };
  requireResizable(space, move);
  // The operations may refuse the place. What they choose instead does not count.
  getUnmappedArea(space, placeOf(move, space.addressOf(to), true));
  return moveTo(space, call, move, to, { replaced, tail, tailEnd: first + old });
}

/** `move_vma`. @returns the first page of the new place. */
function moveTo(
  space: ProcessSpace,
  call: RegionCall,
  { region, first, old: kept, pages }: Move,
  to: number,
  goes: Pick<PageMove, 'replaced' | 'tail' | 'tailEnd'>,
): number {
  requireSpare(space, 0);
  const gone = kept === 0 ? [] : splitEnds(space, call, first, first + kept, false);
  const source = gone[0] ?? region;
  const moved = source.part(first, first + pages);
  moved.first = to;
  moved.end = to + pages;
  // Nothing of private memory was used yet: its offsets follow the address (copy_vma).
  if (source.object === null && source.operations === null && !source.isShared && source.anon === 0)
    moved.pgoff = to;
  call.changes.remove(gone);
  call.closing.push(...gone);
  call.changes.add(moved);
  if (moved.operations?.open !== undefined) {
    moved.operations.open(space.handleOf(moved));
    call.opened.push(moved);
  }
  moved.operations?.mremap?.(space.handleOf(moved));
  movePages({ space, source: gone, first, kept, to, pages, ...goes });
  mergeAround(space, call, moved);
  return to;
}

/** What a move does with pages. */
interface PageMove {
  readonly space: ProcessSpace;
  /** The region of the pages that move; none when no page does. */
  readonly source: readonly RegionRecord[];
  readonly first: number;
  /** Pages that move. */
  readonly kept: number;
  readonly to: number;
  /** Pages of the new place. */
  readonly pages: number;
  /** Regions that were in the way. */
  readonly replaced: readonly RegionRecord[];
  /** Regions behind the pages that move, up to a page: they go. */
  readonly tail: readonly RegionRecord[];
  readonly tailEnd: number;
}

/**
 * Moves what pages map. Frames that move keep their references, the others are let go. A sink that throws finds all as it
 * was.
 */
function movePages({ space, source, first, kept, to, pages, replaced, tail, tailEnd }: PageMove): void {
  const { table } = space;
  // Where threads share the process, another one may unmap a page of such operations at any time: a fault finds it again.
  const isMoved = source.every(({ kind }) => kind === 0);
  const distance = space.addressOf(to) - space.addressOf(first);
  let made = 0;
  try {
    const moved =
      isMoved && kept > 0
        ? piecesOf(space, first, first + kept).map((piece) => ({ ...piece, va: piece.va + distance }))
        : [];
    for (const { va, frames } of moved) made += prepareTables(table, va, frames.length * space.pageBytes);
    const ranges = [
      ...(kept === 0 ? [] : [{ first, pages: kept }]),
      ...(replaced.length === 0 ? [] : [{ first: to, pages }]),
      ...(tail.length === 0 ? [] : [{ first: first + kept, pages: tailEnd - first - kept }]),
    ].sort(byFirst);
    if (ranges.length === 0) return;
    const taken = together(space, () => {
      const all = takePages(table, ranges, false);
      // The tables are there, so nothing can fail.
      if (moved.length > 0) table.mapMany(moved);
      return all;
    });
    letGoOf(space, [...replaced, ...tail, ...(isMoved ? [] : source)].sort(byFirst), taken);
  } catch (error) {
    if (made > 0) reclaimQuietly(space, to, to + pages);
    throw error;
  }
  if (first < tailEnd) reclaimQuietly(space, first, Math.max(first + kept, tailEnd));
}

function byFirst(a: { readonly first: number }, b: { readonly first: number }): number {
  return a.first - b.first;
}

/** Frees empty tables. A sink that throws keeps them: they harm nobody. */
function reclaimQuietly(space: ProcessSpace, first: number, end: number): void {
  try {
    space.table.reclaim(space.addressOf(first), space.addressOf(end - first));
  } catch {
    // The move is over, and has its own result.
  }
}
