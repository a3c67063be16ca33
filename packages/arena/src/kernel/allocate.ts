import { NUMA_NO_NODE } from '../flags.js';
import { BUSY_SPAN, NO_NODE, NONE_FITS } from '../slots/codes.js';
import type { ArenaCore } from './core.js';
import { type ArenaFailure, Failure } from './failure.js';
import { free } from './free.js';

/** A request for pages, with plain numbers. */
export interface Request {
  /** Both halves of the hint, unsigned; both 0 for none. */
  readonly hintHigh: number;
  readonly hintLow: number;
  /** Pages, a whole number of 0 or more. */
  readonly count: number;
  readonly node: number;
  readonly flags: number;
  /** The first address must be a multiple of so many pages. */
  readonly align: number;
  readonly isSleepable: boolean;
}

/**
 * Allocates pages (bpf_arena_alloc_pages), in Linux's order of checks.
 *
 * @returns the low half of the first address; `null` when it comes to nothing: `lastFailure` says why.
 */
export function allocate(core: ArenaCore, request: Request): number | null {
  core.enter();
  const { count, flags, node } = request;
  if (flags !== 0) return core.fail(Failure.flags);
  if (count === 0) return core.fail(Failure.noPages);
  if (node !== NUMA_NO_NODE && (node < 0 || node >= core.nodes)) return core.fail(Failure.node);
  if (count > core.userPages) return core.fail(Failure.tooMany);
  const hasHint = request.hintHigh !== 0 || request.hintLow !== 0;
  const slot = hasHint ? hintedSlot(core, request) : -1;
  if (slot === null) return null;
  if (core.fails('array')) return core.fail(Failure.array);
  if (!core.lock()) return core.fail(Failure.lock);
  const taken = hasHint ? takeHinted(core, slot, count) : takeFound(core, request);
  if (taken === null) return null;
  return populate(core, taken, request);
}

/** The slot of a hint; `null` for a hint that cannot be. */
function hintedSlot(core: ArenaCore, { hintHigh, hintLow, count, align }: Request): number | null {
  const { pageBytes } = core.geometry;
  if (hintLow % (pageBytes * align) !== 0) return core.fail(Failure.unaligned);
  if (core.strictHints && hintHigh !== 0 && hintHigh !== core.userHigh) return core.fail(Failure.wrongHalf);
  const slot = core.slotAt(hintLow);
  return slot > core.userPages - count ? core.fail(Failure.outside) : slot;
}

function takeHinted(core: ArenaCore, slot: number, count: number): number | null {
  if (!core.slots.isSet(slot, count)) return core.fail(Failure.taken);
  return cleared(core, slot, count);
}

function takeFound(core: ArenaCore, { count, align }: Request): number | null {
  const slot =
    align === 1
      ? core.slots.find(count)
      : core.slots.findAligned(count, align, (core.userLow / core.geometry.pageBytes) % align);
  return slot === NONE_FITS ? core.fail(Failure.noSlots) : cleared(core, slot, count);
}

function cleared(core: ArenaCore, slot: number, count: number): number | null {
  switch (core.slots.clear(slot, count)) {
    case 0:
      return slot;
    case BUSY_SPAN:
      return core.fail(Failure.unavailable);
    case NO_NODE:
      return core.fail(Failure.range);
    default:
      return core.fail(Failure.taken);
  }
}

/** Maps new pages at slots that were taken, in batches; or gives everything back. */
function populate(core: ArenaCore, slot: number, { count, isSleepable }: Request): number | null {
  const { batchPages, pageBytes } = core.geometry;
  const low = core.lowOf(slot);
  const most = core.rules.isAnyContext ? batchPages : count;
  let mapped = 0;
  while (mapped < count) {
    const failure = mapNew(core, low + mapped * pageBytes, Math.min(count - mapped, most));
    if (failure !== null) {
      core.slots.setAvailable(slot + mapped, count - mapped);
      // What is mapped goes the way of every free, which may set another failure.
      if (mapped > 0) free(core, low, mapped, isSleepable);
      return core.fail(failure);
    }
    mapped += Math.min(count - mapped, most);
  }
  return low;
}

/** Maps new pages: all, or none. @returns why it failed. */
export function mapNew(core: ArenaCore, low: number, count: number): ArenaFailure | null {
  const { pages, window } = core;
  if (core.fails('page')) return Failure.page;
  if (count === 1) return mapOne(core, low);
  const frames = pages.allocate(count);
  if (frames === null) return Failure.frames;
  let isMapped = false;
  try {
    removeScratch(core, low, count);
    const result = window.map(low, frames);
    isMapped = result === 'mapped';
    if (isMapped) core.count(count);
    return isMapped ? null : result === 'busy' ? Failure.mapped : Failure.tables;
  } finally {
    if (!isMapped) pages.free(frames);
  }
}

/** Maps one new page, or none, without an array. @returns why it failed. */
function mapOne(core: ArenaCore, low: number): ArenaFailure | null {
  const { pages, window } = core;
  const frame = pages.allocateOne();
  if (frame < 0) return Failure.frames;
  let isMapped = false;
  try {
    removeScratch(core, low, 1);
    const result = window.map(low, frame);
    isMapped = result === 'mapped';
    if (isMapped) core.count(1);
    return isMapped ? null : result === 'busy' ? Failure.mapped : Failure.tables;
  } finally {
    if (!isMapped) pages.freeOne(frame);
  }
}

/** Clears entries that hold the scratch page, each with its flush: a valid entry must not change (break-before-make). */
function removeScratch(core: ArenaCore, low: number, count: number): void {
  if (core.scratched === 0) return;
  const { window, geometry, scratch } = core;
  for (let i = 0; i < count; i++) {
    const at = low + i * geometry.pageBytes;
    if (window.frameAt(at) !== scratch) continue;
    window.take(at, 1);
    core.scratched--;
    core.flush(at, 1);
  }
}
