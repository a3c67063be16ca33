import { VmError } from '../../../errors.js';
import type { RobustLock } from '../../../threads/robust-lock.js';
import type { ThreadGroup } from '../../../threads/thread-group.js';
import { takeScattered } from '../../scatter.js';
import { giveBack, takeLowest, takeMany } from '../buddy.js';
import { namedTwice, whyNotFree } from '../frame-errors.js';
import { ORDER_MASK, Word } from '../frame-layout.js';
import type { FrameCalls, FrameSharing } from '../frame-sharing.js';
import type { FrameState } from '../frame-state.js';
import { type FrameStats, statsOf } from '../frame-stats.js';
import { cachedFrames, FrameCache, reclaimCaches } from './frame-cache.js';
import { CACHED, NAMED, tagOf } from './head.js';
import { SharedMarks } from './shared-marks.js';

/** Frames that move between the buddy allocator and a cache at once. */
const BATCH = 32;

/** The bits of a word that a free compares: another call of freeMany must not have named the frame. */
const FREEABLE = ORDER_MASK | NAMED;

/**
 * The calls of one thread on a state that several threads use.
 *
 * Single frames come from the thread's cache and go there, without a lock. The rest is the buddy allocator of
 * one thread under one lock. When it has no block that fits, the caches of all threads are emptied into it. So
 * `ENOMEM` is never for free frames that another thread has at hand.
 */
export class SharedFrames implements FrameCalls {
  readonly marks: SharedMarks;
  /** Protects everything but the words of frames and the caches. */
  readonly lock: RobustLock;
  readonly group: ThreadGroup;
  readonly state: FrameState;
  readonly sharing: FrameSharing;
  readonly #heads: Int32Array;
  readonly #cache: FrameCache;

  /** @param state - views of this thread and this object alone. */
  constructor(state: FrameState, sharing: FrameSharing) {
    const { group } = sharing;
    this.group = group;
    this.state = state;
    this.sharing = sharing;
    this.#heads = state.heads as Int32Array;
    this.#cache = new FrameCache(state, group.slot);
    this.marks = new SharedMarks(state);
    this.lock = group.lock(state.words, Word.lock, 'a frame allocator');
  }

  get slot(): number {
    return this.group.slot;
  }

  take(order: number): number {
    const tag = this.#tag();
    const { state } = this;
    if (order === 0 && !state.scattered) {
      const index = this.#cache.pop(1 + tag);
      if (index >= 0) return state.first + index;
    }
    return this.lock.with(() => this.#takeBlock(order, tag));
  }

  takeMany(count: number): Float64Array | null {
    const tag = this.#tag();
    const { state } = this;
    // Many frames come from one place, so that they are adjacent.
    if (count >= BATCH || state.scattered)
      return this.lock.with(() => (this.#secure(count) ? this.#takeFrames(count, tag) : null));
    const pfns = new Float64Array(count);
    let done = 0;
    for (let index = 0; done < count && index >= 0; ) {
      index = this.#cache.pop(1 + tag);
      if (index >= 0) pfns[done++] = state.first + index;
    }
    return done === count ? pfns : this.#complete(pfns, done, tag);
  }

  give(pfn: number, order: number): void {
    this.#tag();
    const { state } = this;
    const heads = this.#heads;
    const isCached = order === 0 && !state.scattered && this.#cache.room > 0;
    for (;;) {
      const index = this.#indexOf(pfn);
      const head = index < 0 ? 0 : Atomics.load(heads, index);
      if ((head & FREEABLE) !== order + 1) throw whyNotFree(state, pfn, order);
      if (!isCached) {
        if (this.#isLocking()) this.#underLock(() => this.#giveBlock(pfn, order));
        else this.#giveLater([pfn], 1, order);
        return;
      }
      if (Atomics.compareExchange(heads, index, head, CACHED) !== head) continue;
      this.#cache.push(index);
      return;
    }
  }

  giveMany(pfns: ArrayLike<number>, length: number): void {
    const tag = this.#tag();
    if (!this.state.scattered && length <= this.#cache.room) {
      this.#nameAll(pfns, length, 0, tag);
      for (let i = 0; i < length; i++) this.#keep(pfns[i] as number);
    } else if (!this.#isLocking()) {
      this.#giveLater(pfns, length, 0);
    } else {
      this.#underLock(() => {
        this.#nameAll(pfns, length, 0, tag);
        for (let i = 0; i < length; i++) giveBack(this.state, (pfns[i] as number) - this.state.origin, 0);
      });
    }
  }

  retire(pfns: ArrayLike<number>, length: number, order: number = 0): () => void {
    this.#nameAll(pfns, length, order, this.#tag());
    const own = new Float64Array(length);
    for (let i = 0; i < length; i++) own[i] = pfns[i] as number;
    return () => this.#giveClaimed(own, order);
  }

  giveAfter(pfns: ArrayLike<number>, length: number, order: number, forget: () => void): void {
    const end = this.retire(pfns, length, order);
    forget();
    try {
      end();
    } catch (error) {
      if (!isInTheWay(error)) throw error;
      this.group.quiescence.retire(end);
    }
  }

  giveWhenUnseen(pfns: ArrayLike<number>, length: number, order: number, forget?: () => void): void {
    if (!this.group.registry.isAlone(this.group.slot)) this.#giveLater(pfns, length, order, forget);
    else if (forget !== undefined) this.giveAfter(pfns, length, order, forget);
    else for (let i = 0; i < length; i++) this.give(pfns[i] as number, order);
  }

  keep(pfns: ArrayLike<number>, length: number, order: number): void {
    const mine = (order + 1) | tagOf(this.group.token, false);
    for (let i = 0; i < length; i++) {
      const index = this.#indexOf(pfns[i] as number);
      const head = index < 0 ? 0 : Atomics.load(this.#heads, index);
      if ((head & FREEABLE) === order + 1) Atomics.compareExchange(this.#heads, index, head, mine);
    }
  }

  /** Frees blocks whose words name this thread as the one that frees them. */
  giveNamed(blocks: readonly { readonly pfn: number; readonly order: number }[]): void {
    this.lock.with(() => {
      for (const { pfn, order } of blocks) giveBack(this.state, pfn - this.state.origin, order);
    });
  }

  /** The same for blocks of one size. Single frames go to the cache, as far as it has room. All or none: the lock may be a dead thread's. */
  #giveClaimed(pfns: Float64Array, order: number): void {
    const { state } = this;
    const kept = order === 0 && !state.scattered ? Math.min(pfns.length, this.#cache.room) : 0;
    if (kept < pfns.length)
      this.lock.with(() => {
        for (let i = kept; i < pfns.length; i++) giveBack(state, (pfns[i] as number) - state.origin, order);
      });
    for (let i = 0; i < kept; i++) this.#keep(pfns[i] as number);
  }

  /** Frees the block that begins at a frame, whatever its order. For a recovery. */
  giveAny(pfn: number): void {
    const mark = Atomics.load(this.#heads, this.#indexOf(pfn)) & ORDER_MASK;
    if (mark !== 0 && mark < CACHED) this.give(pfn, mark - 1);
  }

  isAllocated(pfn: number, order: number): boolean {
    const index = this.#indexOf(pfn);
    return index >= 0 && (Atomics.load(this.#heads, index) & ORDER_MASK) === order + 1;
  }

  isBeingFreed(pfn: number): boolean {
    const index = this.#indexOf(pfn);
    return index >= 0 && (Atomics.load(this.#heads, index) & NAMED) !== 0;
  }

  /** Counts what is in the caches as free blocks of order 0. */
  stats(): FrameStats {
    try {
      return this.lock.with(() => this.#stats());
    } catch (error) {
      // A dead thread has the lock, or this thread may not wait. Numbers are still better than none.
      if (error instanceof VmError) return this.#stats();
      throw error;
    }
  }

  #stats(): FrameStats {
    const stats = statsOf(this.state);
    const cached = cachedFrames(this.state);
    if (cached === 0) return stats;
    const freeBlocks = [...stats.freeBlocks];
    (freeBlocks[0] as number) += cached;
    const free = stats.free + cached;
    const largestOrder = Math.max(0, stats.largestOrder);
    return {
      ...stats,
      free,
      allocated: stats.allocated - cached,
      freeBlocks,
      largestOrder,
      fragmentation: 1 - 2 ** largestOrder / free,
    };
  }

  /**
   * Takes the lock, to free blocks.
   *
   * @returns false when a thread died with it: see `#giveLater`.
   */
  #isLocking(): boolean {
    try {
      this.lock.acquire();
      return true;
    } catch (error) {
      if (isInTheWay(error)) return false;
      throw error;
    }
  }

  /** Runs a call with the lock, which this thread has, and gives the lock back. */
  #underLock(call: () => void): void {
    try {
      call();
    } finally {
      this.lock.release();
    }
  }

  /**
   * Frees blocks once the lock of a dead thread was mended. A call that fails because of that death undoes what it
   * did, so to free must not fail. The blocks wait as those do that other threads may still read.
   */
  #giveLater(pfns: ArrayLike<number>, length: number, order: number, forget?: () => void): void {
    const end = this.retire(pfns, length, order);
    forget?.();
    this.group.quiescence.retire(end);
  }

  /** Who takes now. */
  #tag(): number {
    if (this.group.hasLeft)
      throw new VmError('EINVAL', 'this thread has left the group of the allocator', {
        advice: 'get another description by share(), and attach again',
      });
    return tagOf(this.group.token, this.sharing.isInCall);
  }

  /** The index of a frame in the words of frames; -1 for a number outside the range. */
  #indexOf(pfn: number): number {
    const index = pfn - this.state.first;
    return Number.isInteger(pfn) && index >= 0 && index < this.state.frames ? index : -1;
  }

  #takeBlock(order: number, tag: number): number {
    const { state } = this;
    state.tag = tag;
    let index = this.#choose(order);
    if (index < 0) {
      reclaimCaches(state);
      index = this.#choose(order);
    }
    if (index < 0) return -1;
    if (order === 0 && !state.scattered) this.#refill();
    return state.origin + index;
  }

  #choose(order: number): number {
    return this.state.scattered ? takeScattered(this.state, order) : takeLowest(this.state, order);
  }

  /** Fills the empty cache, so that the lowest frame comes first. Few, when few are left: others want some. */
  #refill(): void {
    const { state } = this;
    state.tag = CACHED - 1;
    const pfns = new Float64Array(Math.min(BATCH - 1, (state.words[Word.free] as number) >>> 2));
    takeMany(state, pfns);
    for (let i = pfns.length - 1; i >= 0; i--) this.#cacheOrFree((pfns[i] as number) - state.first);
  }

  /** True when the buddy allocator has this many frames, after it got those of the caches. */
  #secure(count: number): boolean {
    const { words } = this.state;
    if (count > (words[Word.free] as number)) reclaimCaches(this.state);
    return count <= (words[Word.free] as number);
  }

  #takeFrames(count: number, tag: number): Float64Array {
    const { state } = this;
    const pfns = new Float64Array(count);
    state.tag = tag;
    if (state.scattered) for (let i = 0; i < count; i++) pfns[i] = state.origin + takeScattered(state, 0);
    else takeMany(state, pfns);
    return pfns;
  }

  /** Adds frames of the buddy allocator to those that came from the cache; or gives these back. */
  #complete(pfns: Float64Array, done: number, tag: number): Float64Array | null {
    let popped = done;
    try {
      return this.lock.with(() => {
        const isEnough = this.#secure(pfns.length - done);
        if (isEnough) {
          pfns.set(this.#takeFrames(pfns.length - done, tag), done);
          popped = 0;
          this.#refill();
        }
        // Under the lock, so that another thread that finds too few frames finds these.
        for (; popped > 0; popped--) this.#keep(pfns[popped - 1] as number);
        return isEnough ? pfns : null;
      });
    } finally {
      for (; popped > 0; popped--) this.#keep(pfns[popped - 1] as number);
    }
  }

  #giveBlock(pfn: number, order: number): void {
    const { state } = this;
    const heads = this.#heads;
    const index = pfn - state.first;
    for (;;) {
      const head = Atomics.load(heads, index);
      if ((head & FREEABLE) !== order + 1) throw whyNotFree(state, pfn, order);
      if (Atomics.compareExchange(heads, index, head, 0) === head) break;
    }
    giveBack(state, index + state.lead, order);
    if (order === 0) this.#drain();
  }

  /** Gives frames back when the cache is full. */
  #drain(): void {
    if (this.#cache.room > 0) return;
    for (let i = 0; i < BATCH; i++) {
      const index = this.#cache.pop(0);
      if (index < 0) return;
      giveBack(this.state, index + this.state.lead, 0);
    }
  }

  /** Puts a frame that this thread has into its cache. */
  #keep(pfn: number): void {
    const index = pfn - this.state.first;
    Atomics.store(this.#heads, index, CACHED);
    this.#cache.push(index);
  }

  /** Puts a frame whose word is `CACHED` into the cache, or frees it. The thread has the lock. */
  #cacheOrFree(index: number): void {
    if (this.#cache.push(index)) return;
    if (Atomics.compareExchange(this.#heads, index, CACHED, 0) === CACHED)
      giveBack(this.state, index + this.state.lead, 0);
  }

  /** Claims all blocks of a list for this call, which frees them, or none. */
  #nameAll(pfns: ArrayLike<number>, length: number, order: number, tag: number): void {
    const heads = this.#heads;
    const mine = (order + 1) | NAMED | tag;
    const before = new Int32Array(length);
    for (let i = 0; i < length; ) {
      const pfn = pfns[i] as number;
      const index = this.#indexOf(pfn);
      const head = index < 0 ? 0 : Atomics.load(heads, index);
      if ((head & FREEABLE) === order + 1) {
        if (Atomics.compareExchange(heads, index, head, mine) === head) before[i++] = head;
        continue;
      }
      for (let k = 0; k < i; k++)
        Atomics.store(heads, (pfns[k] as number) - this.state.first, before[k] as number);
      throw head === mine ? namedTwice(this.state, pfn) : whyNotFree(this.state, pfn, order);
    }
  }
}

/** True for the error of a lock that a dead thread has, or that this thread may not wait for. */
function isInTheWay(error: unknown): boolean {
  return error instanceof VmError && (error.code === 'EOWNERDEAD' || error.code === 'EAGAIN');
}
