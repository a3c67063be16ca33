import { BUSY_SPAN, NO_NODE } from '../slots/codes.js';
import type { ArenaCore } from './core.js';
import { Failure } from './failure.js';
import { Step } from './sharing.js';
import { Teardown } from './teardown.js';

/**
 * What a call that frees came to.
 *
 * - `freed`: the pages are free, and their slots can be given out.
 * - `deferred`: `runWorker` frees them, or makes their slots available.
 * - `dropped`: nothing happened, or in `6.12` and `6.14`: the pages are free, and no node was left to make their slots available.
 *   `lastFailure` says why; call it again.
 */
export type FreeOutcome = 'freed' | 'deferred' | 'dropped';

/**
 * Frees pages (arena_free_pages): a span inside the user range.
 *
 * @param low - low half of the first address, on a page.
 * @param count - pages. What reaches beyond the end of the arena is left out.
 */
export function free(core: ArenaCore, low: number, count: number, isSleepable: boolean): FreeOutcome {
  const slot = core.slotAt(low);
  const pages = Math.min(count, core.userPages - slot);
  if (core.rules.free === 'mutex') return freeUnderMutex(core, low, slot, pages);
  if (!isSleepable || !core.lock()) return defer(core, low, pages);
  core.calls++;
  const teardown = teardownOf(core, low, slot, pages);
  try {
    let code = 0;
    try {
      code = claim(core, teardown, slot, pages);
      if (code === BUSY_SPAN) core.requireNoneDead();
    } finally {
      core.end();
      core.unlock();
    }
    if (code === NO_NODE) return defer(core, low, pages);
    if (code === BUSY_SPAN) {
      core.fail(Failure.unavailable);
      return 'dropped';
    }
    return core.tearDown(teardown) ? teardown.outcome : 'deferred';
  } finally {
    core.calls--;
  }
}

/**
 * Begins a free in the middle of a call that gives pages back. This thread has the lock: a death before would leave pages that nobody
 * knows of.
 *
 * @returns what is left, to be done without the lock; `null` when it waits for the worker.
 */
export function beginFree(
  core: ArenaCore,
  slot: number,
  pages: number,
  isSleepable: boolean,
): Teardown | null {
  const low = core.lowOf(slot);
  const teardown = teardownOf(core, low, slot, pages);
  if (isSleepable && !core.failsLock() && claim(core, teardown, slot, pages) === 0) return teardown;
  if (!core.fails('span') && core.spans.add({ low, pages, isReleaseOnly: false })) return null;
  // Linux loses the pages. In the newest release this thread frees them later.
  return core.isLate ? beginHeldFree(core, slot, pages, false) : null;
}

/**
 * The same in the newest release, without a record: nobody gets the slots until all is done. Slots that wait for the worker are different:
 * a user's fault populates one that has no page, and would lose it then.
 */
export function beginHeldFree(
  core: ArenaCore,
  slot: number,
  pages: number,
  isSleepable: boolean,
): Teardown | null {
  const teardown = teardownOf(core, core.lowOf(slot), slot, pages);
  core.slots.hold(slot, pages);
  core.sharing?.hold(slot, Step.free);
  if (isSleepable) return teardown;
  core.unfinished.push(() => teardown.run());
  return null;
}

function teardownOf(core: ArenaCore, low: number, slot: number, pages: number): FreeTeardown {
  return pages === 1 ? new PageTeardown(core, low, slot) : new SpanTeardown(core, low, slot, pages);
}

/** Takes the slots of a free. This thread has the lock. @returns 0, `NO_NODE` or `BUSY_SPAN`. */
function claim(core: ArenaCore, teardown: FreeTeardown, slot: number, pages: number): number {
  core.begin(Step.free, slot, pages);
  const code = core.isLate ? core.slots.setUnavailable(slot, pages) : core.slots.setAvailable(slot, pages);
  if (code === 0 && core.isLate) core.sharing?.hold(slot, Step.free);
  // In the newest release nobody else uses the entries of such slots. Before, Linux holds the lock here.
  if (code === 0 && !core.isLate) teardown.take();
  return code;
}

/** The steps of a free. No closures and no list: a page takes little more than that. */
abstract class FreeTeardown extends Teardown {
  outcome: FreeOutcome = 'freed';
  protected readonly core: ArenaCore;
  protected readonly slot: number;
  protected readonly pages: number;
  protected readonly low: number;

  constructor(core: ArenaCore, low: number, slot: number, pages: number) {
    super(8);
    this.core = core;
    this.low = low;
    this.slot = slot;
    this.pages = pages;
  }

  protected override step(index: number): void {
    const { core } = this;
    if (index === 0) {
      if (core.isLate) this.take();
    } else if (index === 1) core.pause('flush');
    else if (index === 2) core.flush(this.low, this.pages);
    else if (index === 3) core.pause('zap');
    else if (index === 4) this.zap();
    else if (index === 5) this.give();
    else if (index === 6) core.pause('release');
    else if (core.isLate && !release(core, this.low, this.pages)) this.outcome = 'deferred';
  }

  /** Clears the entries, and keeps the frames that were there. */
  abstract take(): void;

  /** Takes the pages from the processes that map them. */
  protected abstract zap(): void;

  /** Lets go of the frames. */
  protected abstract give(): void;
}

class SpanTeardown extends FreeTeardown {
  #frames: Float64Array | null = null;

  override take(): void {
    this.#frames = takePages(this.core, this.low, this.pages);
  }

  protected override zap(): void {
    this.core.users.zap(this.slot, this.pages);
  }

  protected override give(): void {
    if (this.#frames !== null) giveFrames(this.core, this.slot, this.pages, this.#frames);
  }
}

class PageTeardown extends FreeTeardown {
  /** -1 for none. */
  #frame = -1;

  constructor(core: ArenaCore, low: number, slot: number) {
    super(core, low, slot, 1);
  }

  override take(): void {
    this.#frame = takePage(this.core, this.low, this.slot);
  }

  protected override zap(): void {
    if (this.#frame >= 0 && this.core.users.maps(this.#frame)) this.core.users.zap(this.slot, 1);
  }

  protected override give(): void {
    const { core } = this;
    if (this.#frame < 0) return;
    if (core.sharing === null) core.pages.freeOne(this.#frame);
    else giveFrames(core, this.slot, 1, [this.#frame]);
  }
}

/** Lets go of the frames of a span. */
export function giveFrames(core: ArenaCore, slot: number, pages: number, frames: ArrayLike<number>): void {
  const { sharing } = core;
  if (sharing !== null && core.isLate) {
    // Of a frame that somebody else uses, too, a recovery could not tell whether this thread had let go. It is rather lost than freed
    // twice.
    const { references } = core.pages;
    for (let i = slot; i < slot + pages; i++) {
      const pfn = sharing.carriedAt(i);
      if (pfn >= 0 && references.count(pfn) > 1) sharing.drop(i, 1);
    }
  }
  core.pages.free(frames);
  if (core.isLate) sharing?.drop(slot, pages);
}

/** Makes the slots of a freed span available, or leaves that to the worker. @returns false when it is left. */
function release(core: ArenaCore, low: number, pages: number): boolean {
  if (!core.lock()) {
    requeue(core, low, pages);
    return false;
  }
  makeAvailable(core, core.slotAt(low), pages);
  core.end();
  core.unlock();
  return true;
}

/** Makes an unavailable range available. This thread has the lock. */
export function makeAvailable(core: ArenaCore, slot: number, pages: number): void {
  core.begin(Step.free, slot, pages);
  core.slots.makeAvailable(slot, pages);
  core.sharing?.hold(slot, Step.nothing);
}

/** Leaves it to the worker to make slots available. Where there is no room, this thread does it later: Linux loses the slots there. */
export function requeue(core: ArenaCore, low: number, pages: number): void {
  const isRefused = core.fails('span');
  core.relock();
  const isQueued = !isRefused && core.spans.add({ low, pages, isReleaseOnly: true });
  if (isQueued) core.sharing?.queue(core.slotAt(low));
  core.unlock();
  if (!isQueued) core.unfinished.push(() => release(core, low, pages));
}

/** Leaves a free to the worker. */
function defer(core: ArenaCore, low: number, pages: number): FreeOutcome {
  if (!core.fails('span')) {
    core.relock();
    const isQueued = core.spans.add({ low, pages, isReleaseOnly: false });
    core.unlock();
    if (isQueued) return 'deferred';
  }
  core.fail(Failure.span);
  return 'dropped';
}

/** Clears the entry of a page. @returns the page that was there; -1 for none: the scratch page is none. */
function takePage(core: ArenaCore, low: number, slot: number): number {
  const { window, sharing } = core;
  if (sharing !== null && core.isLate) carryPages(core, low, slot, 1);
  const frame = window.takeOne(low);
  if (frame < 0) return -1;
  if (frame === core.scratch) {
    core.countScratched(-1);
    return -1;
  }
  core.count(-1);
  return frame;
}

/** Clears the entries of a span. @returns the pages that were there; the scratch page is none. */
export function takePages(core: ArenaCore, low: number, pages: number): Float64Array {
  if (core.sharing !== null && core.isLate) carryPages(core, low, core.slotAt(low), pages);
  const all = core.window.take(low, pages);
  // Of several threads, one may count the entries anew meanwhile.
  if (core.scratched === 0 && core.sharing === null) {
    core.count(-all.length);
    return all;
  }
  const frames = all.filter((frame) => frame !== core.scratch);
  core.countScratched(frames.length - all.length);
  core.count(-frames.length);
  return frames;
}

/** Notes the frames of a span whose entries are about to be cleared. Its slots are unavailable, so nobody else changes them. */
export function carryPages(core: ArenaCore, low: number, slot: number, pages: number): void {
  const { window, sharing, scratch, geometry } = core;
  for (let i = 0; i < pages; i++) {
    const frame = window.frameAt(low + i * geometry.pageBytes);
    if (frame >= 0 && frame !== scratch) sharing?.carry(slot + i, frame);
  }
}

/**
 * The order of 6.9 to 7.0: under one mutex, first the processes, then each entry with its flush. Linux makes the slots available first.
 * Nobody can look before the mutex is given back, and a sink that throws must leave the slots of pages that are still mapped.
 */
function freeUnderMutex(core: ArenaCore, low: number, slot: number, pages: number): FreeOutcome {
  core.users.lock();
  try {
    core.relock();
    core.calls++;
    try {
      core.begin(Step.free, slot, pages);
      return freeEach(core, low, slot, pages);
    } finally {
      core.end();
      core.calls--;
      core.unlock();
    }
  } finally {
    core.users.unlock();
  }
}

function freeEach(core: ArenaCore, low: number, slot: number, pages: number): FreeOutcome {
  const { users, window, geometry } = core;
  if (pages > 1) users.zap(slot, pages);
  for (let i = 0; i < pages; i++) {
    const at = low + i * geometry.pageBytes;
    const frame = window.frameAt(at);
    if (frame < 0) continue;
    if (pages === 1 && users.maps(frame)) users.zap(slot, 1);
    core.sharing?.carry(slot + i, frame);
    window.unmap(at);
    core.count(-1);
    core.pages.freeOne(frame);
    core.sharing?.drop(slot + i, 1);
  }
  if (core.slots.setAvailable(slot, pages) === 0) return 'freed';
  core.fail(Failure.range);
  return 'dropped';
}
