import { BUSY_SPAN, NO_NODE } from '../slots/codes.js';
import type { ArenaCore } from './core.js';
import { Failure } from './failure.js';
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
  const isLate = core.rules.free === 'late';
  const code = isLate ? core.slots.setUnavailable(slot, pages) : core.slots.setAvailable(slot, pages);
  if (code === NO_NODE) return defer(core, low, pages);
  if (code === BUSY_SPAN) {
    core.fail(Failure.unavailable);
    return 'dropped';
  }
  const teardown =
    pages === 1
      ? new PageTeardown(core, low, slot, takePage(core, low))
      : new SpanTeardown(core, low, slot, pages, takePages(core, low, pages));
  core.tearDown(teardown);
  return teardown.outcome;
}

/** The steps of a free. No closures and no list: a page takes little more than that. */
abstract class FreeTeardown extends Teardown {
  outcome: FreeOutcome = 'freed';
  protected readonly core: ArenaCore;
  protected readonly slot: number;
  protected readonly pages: number;
  readonly #low: number;

  constructor(core: ArenaCore, low: number, slot: number, pages: number) {
    super(7);
    this.core = core;
    this.#low = low;
    this.slot = slot;
    this.pages = pages;
  }

  protected override step(index: number): void {
    const { core } = this;
    if (index === 0) core.pause('flush');
    else if (index === 1) core.flush(this.#low, this.pages);
    else if (index === 2) core.pause('zap');
    else if (index === 3) this.zap();
    else if (index === 4) this.give();
    else if (index === 5) core.pause('release');
    else if (core.rules.free === 'late' && !release(core, this.#low, this.pages)) this.outcome = 'deferred';
  }

  /** Takes the pages from the processes that map them. */
  protected abstract zap(): void;

  /** Lets go of the frames. */
  protected abstract give(): void;
}

class SpanTeardown extends FreeTeardown {
  readonly #frames: Float64Array;

  constructor(core: ArenaCore, low: number, slot: number, pages: number, frames: Float64Array) {
    super(core, low, slot, pages);
    this.#frames = frames;
  }

  protected override zap(): void {
    this.core.users.zap(this.slot, this.pages);
  }

  protected override give(): void {
    this.core.pages.free(this.#frames);
  }
}

class PageTeardown extends FreeTeardown {
  /** -1 for none. */
  readonly #frame: number;

  constructor(core: ArenaCore, low: number, slot: number, frame: number) {
    super(core, low, slot, 1);
    this.#frame = frame;
  }

  protected override zap(): void {
    if (this.#frame >= 0 && this.core.users.maps(this.#frame)) this.core.users.zap(this.slot, 1);
  }

  protected override give(): void {
    if (this.#frame >= 0) this.core.pages.freeOne(this.#frame);
  }
}

/** Makes the slots of a freed span available, or leaves that to the worker. @returns false when it is left. */
function release(core: ArenaCore, low: number, pages: number): boolean {
  if (core.lock()) {
    core.slots.makeAvailable(core.slotAt(low), pages);
    return true;
  }
  const isQueued = !core.fails('span') && core.spans.add({ low, pages, isReleaseOnly: true });
  // Linux loses the slots here. Nothing may be lost.
  if (!isQueued) core.unfinished.push(() => release(core, low, pages));
  return false;
}

/** Leaves a free to the worker. */
function defer(core: ArenaCore, low: number, pages: number): FreeOutcome {
  if (!core.fails('span') && core.spans.add({ low, pages, isReleaseOnly: false })) return 'deferred';
  core.fail(Failure.span);
  return 'dropped';
}

/** Clears the entry of a page. @returns the page that was there; -1 for none: the scratch page is none. */
function takePage(core: ArenaCore, low: number): number {
  const frame = core.window.takeOne(low);
  if (frame < 0) return -1;
  if (core.scratched > 0 && frame === core.scratch) {
    core.scratched--;
    return -1;
  }
  core.count(-1);
  return frame;
}

/** Clears the entries of a span. @returns the pages that were there; the scratch page is none. */
export function takePages(core: ArenaCore, low: number, pages: number): Float64Array {
  const all = core.window.take(low, pages);
  const frames = core.scratched === 0 ? all : all.filter((frame) => frame !== core.scratch);
  core.scratched -= all.length - frames.length;
  core.count(-frames.length);
  return frames;
}

/**
 * The order of 6.9 to 7.0: under one mutex, with a flush for each page. Linux makes the slots available first. Nobody can
 * look before the mutex is given back, and a sink that throws must leave the slots of pages that are still mapped.
 */
function freeUnderMutex(core: ArenaCore, low: number, slot: number, pages: number): FreeOutcome {
  if (pages > 1) core.users.zap(slot, pages);
  const { pageBytes } = core.geometry;
  core.window.unmapEach(low, pages, (page, frame) => {
    core.noteFlush(low + page * pageBytes, 1);
    core.count(-1);
    if (pages === 1 && core.users.maps(frame)) core.users.zap(slot, 1);
    core.pages.freeOne(frame);
  });
  if (core.slots.setAvailable(slot, pages) === 0) return 'freed';
  core.fail(Failure.range);
  return 'dropped';
}
