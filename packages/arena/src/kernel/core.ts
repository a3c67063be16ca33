import { type AddressSpace, VmError } from '@vmarea/core';
import { BestFit } from '../slots/best-fit.js';
import { LowestFirst } from '../slots/lowest-first.js';
import type { Ranges } from '../slots/ranges.js';
import type { AllocationKind, ArenaFailure } from './failure.js';
import type { Geometry } from './geometry.js';
import type { Pages } from './pages.js';
import type { ReleaseRules } from './releases.js';
import { Sharing, Step, type StepValue } from './sharing.js';
import { Spans } from './spans.js';
import type { Teardown } from './teardown.js';
import type { Users } from './users.js';
import type { Window } from './window.js';
import { type ArenaWords, Word } from './words.js';

/**
 * A point at which Linux holds no lock of the arena, so that other processors may use it:
 *
 * - `flush`: the entries of a freed span are cleared, their translations are not flushed.
 * - `zap`: they are flushed; processes may still map the pages.
 * - `release`: the pages are free; with `three-state`, the slots are not available yet.
 * - `insert`: the page of a user fault is chosen, and not mapped for the user.
 */
export type ArenaPoint = 'flush' | 'zap' | 'release' | 'insert';

/** What an arena is made of, checked. */
export interface CoreParts {
  readonly kernel: AddressSpace;
  readonly rules: ReleaseRules;
  readonly geometry: Geometry;
  readonly window: Window;
  readonly pages: Pages;
  readonly words: ArenaWords;
  readonly maxEntries: number;
  readonly flags: number;
  readonly nodes: number;
  readonly strictHints: boolean;
  readonly reserveNull: number;
  readonly allocFailure: ((kind: AllocationKind) => boolean) | undefined;
  readonly interleave: ((point: ArenaPoint) => void) | undefined;
}

const NOBODY: Users = {
  regions: 0,
  lock: () => {},
  unlock: () => {},
  zap: () => {},
  maps: () => false,
  countAt: () => 0,
  mend: () => {},
  check: () => [],
};

/** What all calls of an arena work on, in one thread. */
export class ArenaCore {
  readonly kernel: AddressSpace;
  readonly rules: ReleaseRules;
  readonly geometry: Geometry;
  readonly window: Window;
  readonly pages: Pages;
  readonly words: ArenaWords;
  readonly slots: Ranges;
  readonly spans: Spans;
  readonly maxEntries: number;
  readonly flags: number;
  readonly nodes: number;
  readonly strictHints: boolean;
  readonly reserveNull: number;
  /** Slots that are worked on are unavailable meanwhile, so that no lock is held. */
  readonly isLate: boolean;
  /** What several threads need; `null` for one thread. */
  readonly sharing: Sharing | null;
  /** Frees of this thread that a sink interrupted. They go on at the next run of the worker. */
  readonly unfinished: (() => void)[] = [];
  /** Called when this thread has destroyed the arena. */
  onEnd: (() => void) | null = null;
  /** The processes; set once, by what makes the arena. */
  users: Users = NOBODY;
  /** Why the last call of this thread came to nothing; `null` when it did not. */
  lastFailure: ArenaFailure | null = null;
  /** True while the arena is destroyed: then nothing fails for a moment. */
  isEnding = false;
  /** Calls of this thread that work on pages now. */
  calls = 0;
  /** Pages that the request has mapped which runs, or ran last. */
  populated = 0;
  /** The frame of the last page that was mapped by itself. */
  newFrame = -1;
  readonly #header: Int32Array;
  readonly #owed: (() => void)[] = [];
  readonly #allocFailure: ((kind: AllocationKind) => boolean) | undefined;
  readonly #interleave: ((point: ArenaPoint) => void) | undefined;
  /** The upper half of the last user address, and what it adds: each bigint less is time. */
  #knownHigh = 0;
  #upper = 0n;

  constructor(parts: CoreParts) {
    const { words, maxEntries, rules, kernel } = parts;
    this.kernel = kernel;
    this.rules = rules;
    this.geometry = parts.geometry;
    this.window = parts.window;
    this.pages = parts.pages;
    this.words = words;
    this.maxEntries = maxEntries;
    this.flags = parts.flags;
    this.nodes = parts.nodes;
    this.strictHints = parts.strictHints;
    this.reserveNull = parts.reserveNull;
    this.isLate = rules.free === 'late';
    this.#allocFailure = parts.allocFailure;
    this.#interleave = parts.interleave;
    this.#header = words.header;
    this.spans = new Spans(words.header, words.spans);
    const Kind = rules.slots === 'best fit' ? BestFit : LowestFirst;
    this.slots = new Kind(words.slots, maxEntries, () => !this.fails('node'));
    this.sharing = kernel.threads === null ? null : new Sharing(kernel.threads, words, kernel.ram.first);
  }

  /** Asks the caller whether an allocation fails. */
  fails(kind: AllocationKind): boolean {
    return !this.isEnding && this.#allocFailure?.(kind) === true;
  }

  /** Lets other processors go on: the lock is not held. */
  pause(point: ArenaPoint): void {
    this.#interleave?.(point);
  }

  /** Pages of the user range: what requests may use. 0 while it is not known. */
  get userPages(): number {
    return this.#header[Word.userPages] as number;
  }

  /** Low half of the first user address. */
  get userLow(): number {
    return (this.#header[Word.userLo] as number) >>> 0;
  }

  /** Upper half of all user addresses, unsigned. */
  get userHigh(): number {
    return (this.#header[Word.userHi] as number) >>> 0;
  }

  /** First user address; 0n while it is not known. */
  get userStart(): bigint {
    return this.userPages === 0 ? 0n : this.userAt(this.userLow);
  }

  /** The user address of a low half. */
  userAt(low: number): bigint {
    const { userHigh } = this;
    if (userHigh !== this.#knownHigh) {
      this.#knownHigh = userHigh;
      this.#upper = BigInt(userHigh) << 32n;
    }
    return this.#upper | BigInt(low);
  }

  /** True once some thread has destroyed the arena. */
  get isDestroyed(): boolean {
    return this.#header[Word.destroyed] !== 0;
  }

  set isDestroyed(isDestroyed: boolean) {
    Atomics.store(this.#header, Word.destroyed, isDestroyed ? 1 : 0);
  }

  /** The frame of the scratch page; -1 for none. */
  get scratch(): number {
    const word = this.#header[Word.scratch] as number;
    return word === 0 ? -1 : word - 1 + this.kernel.ram.first;
  }

  set scratch(pfn: number) {
    this.#header[Word.scratch] = pfn - this.kernel.ram.first + 1;
  }

  /** Pages that are mapped in the window. */
  get mapped(): number {
    return this.#header[Word.pages] as number;
  }

  /** Entries of the window that hold the scratch page. */
  get scratched(): number {
    return this.#header[Word.scratched] as number;
  }

  /** Counts pages that came or went. */
  count(pages: number): void {
    this.#add(Word.pages, pages);
  }

  /** Counts entries of the scratch page that came or went. */
  countScratched(entries: number): void {
    this.#add(Word.scratched, entries);
  }

  #add(word: number, number: number): void {
    if (this.sharing === null) (this.#header[word] as number) += number;
    else Atomics.add(this.#header, word, number);
  }

  /** Fixes the user range, for the life of the arena. */
  pin(start: bigint): void {
    this.#header[Word.userHi] = Number((start >> 32n) & 0xffffffffn);
    this.#header[Word.userLo] = Number(start & 0xffffffffn);
    const { first, pages } = this.nullPages();
    if (pages > 0) {
      this.relock();
      this.begin(Step.populate, first, pages);
      this.slots.clear(first, pages);
      this.end();
      this.unlock();
    }
    // Last: who reads it finds the rest.
    Atomics.store(this.#header, Word.userPages, this.maxEntries);
  }

  /** The slots of the addresses from low half 0 on that `reserveNull` keeps. */
  nullPages(): { readonly first: number; readonly pages: number } {
    const first = this.slotAt(0);
    return { first, pages: Math.max(0, Math.min(this.reserveNull, this.maxEntries - first)) };
  }

  /** The slot of a low half (compute_pgoff): how many pages after the first address, modulo 4 GiB. */
  slotAt(low: number): number {
    return ((low - this.userLow) >>> 0) >>> this.geometry.pageShift;
  }

  /** Low half of the address of a slot. */
  lowOf(slot: number): number {
    return (this.userLow + slot * this.geometry.pageBytes) >>> 0;
  }

  /**
   * Begins a call that changes something.
   *
   * @throws VmError `EINVAL` for a destroyed arena; `EBUSY` inside a flush sink or callback of the kernel.
   */
  enter(): void {
    this.requireLive();
    this.lastFailure = null;
    this.window.area.requireIdle();
    if (this.#owed.length > 0) this.#settle();
  }

  /** Notes why a call comes to nothing. */
  fail(failure: ArenaFailure): null {
    this.lastFailure = failure;
    return null;
  }

  /**
   * Takes the lock of the arena, as Linux tries to.
   *
   * @returns false when it was not obtained.
   * @throws VmError `EOWNERDEAD` when a thread died with it.
   */
  lock(): boolean {
    if (this.failsLock()) return false;
    this.relock();
    return true;
  }

  /** Asks the caller whether the lock is not to be had. */
  failsLock(): boolean {
    return this.rules.isAnyContext && this.fails('lock');
  }

  /** Takes the lock where Linux spins until it has it. */
  relock(): void {
    this.sharing?.lock.acquire();
  }

  /** Gives the lock back. */
  unlock(): void {
    this.sharing?.lock.release();
  }

  /** Notes, for a recovery, that states of a span are about to change under the lock. */
  begin(step: StepValue, slot: number, pages: number): void {
    this.sharing?.begin(step, slot, pages, this.spans.length);
  }

  /** The states are whole again. */
  end(): void {
    this.sharing?.end();
  }

  /** Makes a span that was just allocated unavailable for all other threads. This thread has the lock. */
  hold(step: StepValue, slot: number, pages: number): void {
    if (this.sharing === null || !this.isLate) return;
    this.slots.hold(slot, pages);
    this.sharing.hold(slot, step);
  }

  /** Ends what `hold` began: the span is allocated for all threads. This thread has the lock. */
  release(slot: number, pages: number): void {
    if (this.sharing === null || !this.isLate) return;
    this.slots.removeUnavailable(slot, pages);
    this.sharing.hold(slot, Step.nothing);
  }

  /** The same, with the lock. */
  letGo(step: StepValue, slot: number, pages: number): void {
    if (this.sharing !== null && this.isLate) this.locked(() => this.#letGo(step, slot, pages));
  }

  #letGo(step: StepValue, slot: number, pages: number): void {
    this.begin(step, slot, pages);
    this.release(slot, pages);
  }

  /**
   * Runs something short under the lock that ends a call. When a thread has died with the lock, or this thread may not wait for it, it runs
   * at the beginning of this thread's next call.
   *
   * @returns false when it is left.
   */
  locked(call: () => void): boolean {
    try {
      this.relock();
    } catch (error) {
      if (!isInTheWay(error)) throw error;
      this.#owed.push(call);
      return false;
    }
    try {
      call();
      return true;
    } finally {
      this.end();
      this.unlock();
    }
  }

  /** Does what earlier calls could not do because a thread had died with the lock. */
  #settle(): void {
    this.relock();
    try {
      for (const call of this.#owed.splice(0)) call();
    } finally {
      this.end();
      this.unlock();
    }
  }

  /**
   * Does the steps of a free in which a sink may throw. What is not done then waits for the worker.
   *
   * @returns false when a thread has died, or is in the way: the worker of this thread must go on later.
   */
  tearDown(teardown: Teardown): boolean {
    // What others do in a pause is no answer to the call that frees.
    const failure = this.lastFailure;
    this.calls++;
    try {
      teardown.run();
      return true;
    } catch (error) {
      this.unfinished.push(() => teardown.run());
      if (isInTheWay(error)) return false;
      throw error;
    } finally {
      this.calls--;
      this.lastFailure = failure;
    }
  }

  /** Flushes pages of the window. */
  flush(low: number, count: number): void {
    this.window.flush(low, count);
  }

  /** The arena is gone: this thread forgets it. */
  ended(): void {
    this.#header[Word.pages] = 0;
    this.onEnd?.();
  }

  /** @throws VmError `EINVAL` for a destroyed arena. */
  requireLive(): void {
    if (this.isDestroyed) throw new VmError('EINVAL', 'the arena was destroyed');
  }

  /**
   * Explains a slot that stays unavailable.
   *
   * @throws VmError `EOWNERDEAD` when a thread has died: it may be one that held the slot.
   */
  requireNoneDead(): void {
    const dead = this.sharing?.threads.dead ?? [];
    if (dead.length > 0)
      throw new VmError(
        'EOWNERDEAD',
        'a thread died, and may have been in the middle of a call on an arena',
        {
          advice: 'call recover()',
        },
      );
  }
}

/** True for the error of a lock that a dead thread has, or that this thread may not wait for. */
function isInTheWay(error: unknown): boolean {
  return error instanceof VmError && (error.code === 'EOWNERDEAD' || error.code === 'EAGAIN');
}
