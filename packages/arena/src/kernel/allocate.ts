import { NUMA_NO_NODE } from '../flags.js';
import { BUSY_SPAN, NO_NODE, NONE_FITS } from '../slots/codes.js';
import type { ArenaCore } from './core.js';
import { type ArenaFailure, Failure } from './failure.js';
import { beginFree, beginHeldFree } from './free.js';
import { removeScratch } from './scratch.js';
import { Step } from './sharing.js';
import type { Teardown } from './teardown.js';
import type { MapResult } from './window.js';

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
  const hinted = request.hintHigh !== 0 || request.hintLow !== 0 ? hintedSlot(core, request) : -1;
  if (hinted === null) return null;
  if (core.fails('array')) return core.fail(Failure.array);
  core.calls++;
  try {
    return core.isLate ? allocateLate(core, request, hinted) : allocateLocked(core, request, hinted);
  } finally {
    core.calls--;
  }
}

/** The slots are unavailable for other threads until the pages are mapped: no lock is held meanwhile. */
function allocateLate(core: ArenaCore, request: Request, hinted: number): number | null {
  if (!core.lock()) return core.fail(Failure.lock);
  const { count } = request;
  let slot = -1;
  try {
    slot = takeSlots(core, request, hinted);
    if (slot >= 0) core.hold(Step.alloc, slot, count);
  } finally {
    core.end();
    core.unlock();
  }
  if (slot < 0) return null;
  let mapped = 0;
  try {
    mapped = populate(core, slot, count);
  } catch (error) {
    undo(core, slot, core.populated, request);
    throw error;
  }
  if (mapped < count) return undo(core, slot, mapped, request);
  core.letGo(Step.alloc, slot, count);
  return core.lowOf(slot);
}

/** What a call that gives slots back must know of its request. */
type Taken = Pick<Request, 'count' | 'isSleepable'>;

/** Gives back slots whose pages could not all be mapped, and those pages. */
function undo(core: ArenaCore, slot: number, mapped: number, request: Taken): null {
  let rest: Teardown | null = null;
  const isDone = core.locked(() => {
    core.begin(Step.alloc, slot, request.count);
    core.release(slot, request.count);
    rest = giveBack(core, slot, mapped, request);
  });
  if (isDone) finish(core, rest);
  // Once the lock can be had.
  else core.unfinished.push(() => rest?.run());
  return null;
}

/** Gives back the slots of a request, of which some have pages. This thread has the lock. @returns what is left, to be done without it. */
function giveBack(
  core: ArenaCore,
  slot: number,
  mapped: number,
  { count, isSleepable }: Taken,
): Teardown | null {
  // Linux loses slots for which it has no record. Here they go the way of those that have pages: that of every free.
  const isLost = core.slots.setAvailable(slot + mapped, count - mapped) !== 0 && core.rules.isAnyContext;
  if (isLost && core.isLate) return beginHeldFree(core, slot, count, isSleepable);
  const pages = isLost ? count : mapped;
  return pages > 0 ? beginFree(core, slot, pages, isSleepable) : null;
}

/** Ends what `giveBack` began. */
function finish(core: ArenaCore, rest: Teardown | null): void {
  if (rest !== null) core.tearDown(rest);
}

/** The order up to 7.3: under the lock to the end. */
function allocateLocked(core: ArenaCore, request: Request, hinted: number): number | null {
  if (!core.lock()) return core.fail(Failure.lock);
  const { count } = request;
  let rest: Teardown | null = null;
  core.populated = 0;
  try {
    const slot = takeSlots(core, request, hinted);
    if (slot < 0) return null;
    try {
      if (populate(core, slot, count) === count) return core.lowOf(slot);
    } finally {
      if (core.populated < count) rest = giveBack(core, slot, core.populated, request);
    }
  } finally {
    core.end();
    core.unlock();
    finish(core, rest);
  }
  return null;
}

/** The slot of a hint; `null` for a hint that cannot be. */
function hintedSlot(core: ArenaCore, { hintHigh, hintLow, count, align }: Request): number | null {
  const { pageBytes } = core.geometry;
  if (hintLow % (pageBytes * align) !== 0) return core.fail(Failure.unaligned);
  if (core.strictHints && hintHigh !== 0 && hintHigh !== core.userHigh) return core.fail(Failure.wrongHalf);
  const slot = core.slotAt(hintLow);
  return slot > core.userPages - count ? core.fail(Failure.outside) : slot;
}

/** Takes the slots of a request. @returns the first one; -1 for none: `lastFailure` says why. */
function takeSlots(core: ArenaCore, { count, align }: Request, hinted: number): number {
  const { slots } = core;
  let slot = hinted;
  if (hinted >= 0) {
    if (!slots.isSet(hinted, count)) return refused(core, Failure.taken);
  } else {
    slot =
      align === 1
        ? slots.find(count)
        : slots.findAligned(count, align, (core.userLow / core.geometry.pageBytes) % align);
    if (slot === NONE_FITS) return noneFits(core);
  }
  core.begin(Step.alloc, slot, count);
  switch (slots.clear(slot, count)) {
    case 0:
      return slot;
    case BUSY_SPAN:
      core.requireNoneDead();
      return refused(core, Failure.unavailable);
    case NO_NODE:
      return refused(core, Failure.range);
    default:
      return refused(core, Failure.taken);
  }
}

/** No range is long enough: for a moment, where other threads work on slots. */
function noneFits(core: ArenaCore): -1 {
  if (core.sharing === null || !core.slots.hasUnavailable(0, core.userPages))
    return refused(core, Failure.noSlots);
  core.requireNoneDead();
  return refused(core, Failure.unavailable);
}

function refused(core: ArenaCore, failure: ArenaFailure): -1 {
  core.fail(failure);
  return -1;
}

/** Maps new pages at slots that were taken, in batches. @returns how many it has mapped: less than all when one failed. */
function populate(core: ArenaCore, slot: number, count: number): number {
  const { batchPages, pageBytes } = core.geometry;
  const low = core.lowOf(slot);
  const most = core.rules.isAnyContext ? batchPages : count;
  core.populated = 0;
  while (core.populated < count) {
    const batch = Math.min(count - core.populated, most);
    const failure = mapNew(core, low + core.populated * pageBytes, batch);
    if (failure !== null) {
      core.fail(failure);
      break;
    }
    core.populated += batch;
  }
  return core.populated;
}

/** Maps new pages: all, or none. @returns why it failed. */
export function mapNew(core: ArenaCore, low: number, count: number): ArenaFailure | null {
  const { pages, sharing } = core;
  if (core.fails('page')) return Failure.page;
  // One page goes without an array.
  const frames = count === 1 ? pages.takeOne() : pages.take(count);
  if (frames === null || frames === -1) return Failure.frames;
  if (sharing !== null) carry(core, low, frames);
  if (typeof frames === 'number') pages.beginOne(frames);
  else pages.begin(frames);
  let result: MapResult | null = null;
  try {
    result = mapFrames(core, low, frames, count);
    if (result === 'mapped') {
      core.count(count);
      if (typeof frames === 'number') core.newFrame = frames;
    }
    return result === 'mapped' ? null : result === 'busy' ? Failure.mapped : Failure.tables;
  } finally {
    if (result !== 'mapped') {
      if (typeof frames === 'number') pages.freeOne(frames);
      else pages.free(frames);
    }
    sharing?.drop(core.slotAt(low), count);
  }
}

/** Notes frames that are on the way into slots. */
function carry(core: ArenaCore, low: number, frames: Float64Array | number): void {
  const slot = core.slotAt(low);
  if (typeof frames === 'number') core.sharing?.carry(slot, frames);
  else for (let i = 0; i < frames.length; i++) core.sharing?.carry(slot + i, frames[i] as number);
}

/** Maps frames where nothing is mapped but the scratch page. */
function mapFrames(core: ArenaCore, low: number, frames: Float64Array | number, count: number): MapResult {
  if (core.scratched > 0) removeScratch(core, low, count);
  for (;;) {
    const result = core.window.map(low, frames);
    // Another thread may have used the page as kernel code meanwhile.
    if (result !== 'busy' || core.sharing === null || !removeScratch(core, low, count)) return result;
  }
}
