import { type AddressSpace, VmError } from '@vmarea/core';
import { BestFit } from '../slots/best-fit.js';
import { LowestFirst } from '../slots/lowest-first.js';
import type { Ranges } from '../slots/ranges.js';
import type { AllocationKind, ArenaFailure } from './failure.js';
import type { Geometry } from './geometry.js';
import type { Pages } from './pages.js';
import type { ReleaseRules } from './releases.js';
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

/** What all calls of an arena work on. */
export class ArenaCore {
  readonly kernel: AddressSpace;
  readonly rules: ReleaseRules;
  readonly geometry: Geometry;
  readonly window: Window;
  readonly pages: Pages;
  readonly slots: Ranges;
  readonly spans: Spans;
  readonly maxEntries: number;
  readonly flags: number;
  readonly nodes: number;
  readonly strictHints: boolean;
  /** Frees that a sink interrupted. They go on at the next run of the worker. */
  readonly unfinished: (() => void)[] = [];
  /** Told when translations of the window are flushed. */
  readonly flushed: Set<(low: number, count: number) => void> = new Set();
  /** The processes; set once, by what makes the arena. */
  users: Users = { regions: 0, zap: () => undefined, maps: () => false };
  /** The frame of the scratch page; -1 for none. */
  scratch = -1;
  /** Why the last call came to nothing; `null` when it did not. */
  lastFailure: ArenaFailure | null = null;
  isDestroyed = false;
  /** True while the arena is destroyed: then nothing fails for a moment. */
  isEnding = false;
  readonly #header: Int32Array;
  readonly #reserveNull: number;
  readonly #allocFailure: ((kind: AllocationKind) => boolean) | undefined;
  readonly #interleave: ((point: ArenaPoint) => void) | undefined;
  /** The upper half of the last user address, and what it adds: each bigint less is time. */
  #knownHigh = 0;
  #upper = 0n;
  /** True while a flush of the arena is in its sink. */
  #isFlushing = false;

  constructor(parts: CoreParts) {
    const { words, maxEntries, rules } = parts;
    this.kernel = parts.kernel;
    this.rules = rules;
    this.geometry = parts.geometry;
    this.window = parts.window;
    this.pages = parts.pages;
    this.maxEntries = maxEntries;
    this.flags = parts.flags;
    this.nodes = parts.nodes;
    this.strictHints = parts.strictHints;
    this.#reserveNull = parts.reserveNull;
    this.#allocFailure = parts.allocFailure;
    this.#interleave = parts.interleave;
    this.#header = words.header;
    this.spans = new Spans(words.header, words.spans);
    const Kind = rules.slots === 'best fit' ? BestFit : LowestFirst;
    this.slots = new Kind(words.slots, maxEntries, () => !this.fails('node'));
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
    return this.userAt(this.userLow);
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

  /** Pages that are mapped in the window. */
  get mapped(): number {
    return this.#header[Word.pages] as number;
  }

  /** Entries of the window that hold the scratch page. */
  get scratched(): number {
    return this.#header[Word.scratched] as number;
  }

  set scratched(count: number) {
    this.#header[Word.scratched] = count;
  }

  /** Counts pages that came or went. */
  count(pages: number): void {
    this.#header[Word.pages] = this.mapped + pages;
  }

  /** Fixes the user range, for the life of the arena. */
  pin(start: bigint): void {
    this.#header[Word.userHi] = Number((start >> 32n) & 0xffffffffn);
    this.#header[Word.userLo] = Number(start & 0xffffffffn);
    this.#header[Word.userPages] = this.maxEntries;
    if (this.#reserveNull === 0) return;
    const { first, pages } = this.nullPages();
    if (pages > 0) this.slots.clear(first, pages);
  }

  /** The slots of the addresses from low half 0 on that `reserveNull` keeps. */
  nullPages(): { readonly first: number; readonly pages: number } {
    const first = this.slotAt(0);
    return { first, pages: Math.max(0, Math.min(this.#reserveNull, this.maxEntries - first)) };
  }

  /** The slot of a low half (compute_pgoff): how many pages after the first address, modulo 4 GiB. */
  slotAt(low: number): number {
    return ((low - this.userLow) >>> 0) >>> this.geometry.pageShift;
  }

  /** Low half of the address of a slot. */
  lowOf(slot: number): number {
    return (this.userLow + slot * this.geometry.pageBytes) >>> 0;
  }

  /** Begins a call that changes something. */
  enter(): void {
    this.requireLive();
    this.lastFailure = null;
    if (this.#isFlushing)
      throw new VmError('EBUSY', 'this arena is in the middle of a flush', {
        advice: 'a flush sink may read, but must not change anything',
      });
    this.window.requireIdle();
  }

  /** Notes why a call comes to nothing. */
  fail(failure: ArenaFailure): null {
    this.lastFailure = failure;
    return null;
  }

  /**
   * Takes the lock of the arena. In a program of one thread, it is always free.
   *
   * @returns false when it was not obtained.
   */
  lock(): boolean {
    return !(this.rules.isAnyContext && this.fails('lock'));
  }

  /** Does the steps of a free in which a sink may throw. What is not done then waits for the worker. */
  tearDown(teardown: Teardown): void {
    try {
      teardown.run();
    } catch (error) {
      this.unfinished.push(() => teardown.run());
      throw error;
    }
  }

  /** Flushes pages of the window. */
  flush(low: number, count: number): void {
    this.#isFlushing = true;
    try {
      this.window.flush(low, count);
    } finally {
      this.#isFlushing = false;
      this.noteFlush(low, count);
    }
  }

  /** Tells the arena's own views that translations are gone. */
  noteFlush(low: number, count: number): void {
    this.#header[Word.flushes] = ((this.#header[Word.flushes] as number) + 1) | 0;
    for (const told of this.flushed) told(low, count);
  }

  requireLive(): void {
    if (this.isDestroyed) throw new VmError('EINVAL', 'the arena was destroyed');
  }
}
