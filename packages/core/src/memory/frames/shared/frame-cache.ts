import { giveBack } from '../buddy.js';
import { CACHE_WORDS } from '../frame-layout.js';
import type { FrameState } from '../frame-state.js';
import { CACHED } from './head.js';

/**
 * Free frames that one thread has at hand. Each word is 0, or 1 + the index of a frame.
 *
 * The words are only *hints*: a frame is free as long as its own word says `CACHED`, and who changes that word
 * has it. So any thread may take any hint at any time, and a hint that is left behind does no harm. Only its
 * thread adds hints.
 */
export class FrameCache {
  readonly #words: Int32Array;
  readonly #heads: Int32Array;
  readonly #start: number;
  /** All words from here on are 0. */
  #top = CACHE_WORDS;

  constructor(state: FrameState, slot: number) {
    this.#words = state.words;
    this.#heads = state.heads as Int32Array;
    this.#start = state.cachesStart + slot * CACHE_WORDS;
    while (this.#top > 0 && Atomics.load(this.#words, this.#start + this.#top - 1) === 0) this.#top--;
  }

  /** How many frames it takes for certain. */
  get room(): number {
    return CACHE_WORDS - this.#top;
  }

  /**
   * Takes the frame that was added last.
   *
   * @param head - the new word of the frame.
   * @returns its index; -1 when there is none.
   */
  pop(head: number): number {
    while (this.#top > 0) {
      const at = this.#start + --this.#top;
      if (Atomics.load(this.#words, at) === 0) continue;
      const index = Atomics.exchange(this.#words, at, 0) - 1;
      if (index >= 0 && Atomics.compareExchange(this.#heads, index, CACHED, head) === CACHED) return index;
    }
    return -1;
  }

  /** Adds a frame whose word is `CACHED`. False when the cache is full. */
  push(index: number): boolean {
    while (this.#top < CACHE_WORDS) {
      const at = this.#start + this.#top++;
      if (Atomics.compareExchange(this.#words, at, 0, index + 1) === 0) return true;
    }
    return false;
  }
}

/** Takes all frames out of all caches, and frees them. Their threads may go on. The caller has the lock. */
export function reclaimCaches(state: FrameState): void {
  const heads = state.heads as Int32Array;
  eachHint(state, (at) => {
    const index = Atomics.exchange(state.words, at, 0) - 1;
    if (index >= 0 && Atomics.compareExchange(heads, index, CACHED, 0) === CACHED)
      giveBack(state, index + state.lead, 0);
  });
}

/** Calls back with each word of a cache that is not 0. */
export function eachHint(state: FrameState, visit: (at: number, index: number) => void): void {
  const end = state.cachesStart + state.slots * CACHE_WORDS;
  for (let at = state.cachesStart; at < end; at++) {
    const hint = Atomics.load(state.words, at);
    if (hint !== 0) visit(at, hint - 1);
  }
}

/** Free frames that threads have at hand. Exact while no thread is in a call. */
export function cachedFrames(state: FrameState): number {
  const heads = state.heads as Int32Array;
  let count = 0;
  eachHint(state, (_, index) => {
    if (Atomics.load(heads, index) === CACHED) count++;
  });
  return count;
}
