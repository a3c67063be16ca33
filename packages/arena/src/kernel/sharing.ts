import type { RobustLock, ThreadCalls } from '@vmarea/core';
import { type ArenaWords, Word } from './words.js';

/** What a thread does with a span of slots: what becomes of it when the thread dies. */
export const Step = {
  nothing: 0,
  /** It is being allocated: undone. */
  alloc: 1,
  /** It is being freed: finished. */
  free: 2,
  /** A user's fault makes a page for a slot that was taken before: undone, and the slot stays taken. */
  populate: 3,
  /** A user's fault maps a page that is there: the page stays. */
  fault: 4,
} as const;

/** One of `Step`. */
export type StepValue = (typeof Step)[keyof typeof Step];

/** Bits of a holder's word for the step. */
const STEP_BITS = 3;
/** The word of a range that the worker makes available: no thread holds it. */
const QUEUED = -1;

/**
 * What an arena of several threads has beside: its locks, and notes for a recovery.
 *
 * The slots lock is held while states of slots change. In the newest release, all other work is done on slots that are unavailable: the
 * slot itself is the lock. A word at its first slot names the thread that holds it.
 */
export class Sharing {
  readonly threads: ThreadCalls;
  /** Of slots and spans. */
  readonly lock: RobustLock;
  /** Of the list of regions. It is taken before `lock`. */
  readonly users: RobustLock;
  readonly #words: ArenaWords;
  readonly #firstFrame: number;

  constructor(threads: ThreadCalls, words: ArenaWords, firstFrame: number) {
    this.threads = threads;
    this.lock = threads.lock(words.header, Word.lock, 'an arena');
    this.users = threads.lock(words.header, Word.users, 'the regions of an arena');
    this.#words = words;
    this.#firstFrame = firstFrame;
  }

  /** Waits a moment, for another thread. */
  wait(): void {
    try {
      Atomics.wait(this.#words.header, Word.moment, 0, 1);
    } catch {
      // The main thread of a browser may not wait: it looks again at once.
    }
  }

  /** Notes that states of a span are about to change. This thread has the lock. */
  begin(step: StepValue, slot: number, pages: number, spans: number): void {
    const { header } = this.#words;
    header[Word.workSlot] = slot;
    header[Word.workPages] = pages;
    header[Word.workSpans] = spans;
    Atomics.store(header, Word.work, step);
  }

  /** The states are whole again. */
  end(): void {
    Atomics.store(this.#words.header, Word.work, Step.nothing);
  }

  /** Notes that this thread holds the unavailable range from a slot on; `nothing`: no longer. */
  hold(slot: number, step: StepValue): void {
    const word = step === Step.nothing ? 0 : ((this.threads.slot + 1) << STEP_BITS) | step;
    Atomics.store(this.#words.holders, slot, word);
  }

  /** Notes that the range from a slot on waits for the worker. */
  queue(slot: number): void {
    Atomics.store(this.#words.holders, slot, QUEUED);
  }

  /** True for a range that waits for the worker. */
  isQueued(slot: number): boolean {
    return Atomics.load(this.#words.holders, slot) === QUEUED;
  }

  /** True for a range that a thread holds, or that waits for the worker. */
  isHeld(slot: number): boolean {
    return Atomics.load(this.#words.holders, slot) !== 0;
  }

  /** The thread that holds the range from a slot on, by its place; -1 for none, or for the worker. */
  holderOf(slot: number): number {
    const word = Atomics.load(this.#words.holders, slot);
    return word === QUEUED ? -1 : (word >> STEP_BITS) - 1;
  }

  /** What it does there. */
  stepOf(slot: number): StepValue {
    return (Atomics.load(this.#words.holders, slot) & ((1 << STEP_BITS) - 1)) as StepValue;
  }

  /** Notes the frame that this thread puts into a slot or takes out of it; -1 for none. */
  carry(slot: number, pfn: number): void {
    Atomics.store(this.#words.frames, slot, pfn < 0 ? 0 : pfn - this.#firstFrame + 1);
  }

  /** The frame of a slot that a thread carries; -1 for none. */
  carriedAt(slot: number): number {
    const word = Atomics.load(this.#words.frames, slot);
    return word === 0 ? -1 : word - 1 + this.#firstFrame;
  }

  /** Forgets the frames of a span. */
  drop(slot: number, pages: number): void {
    if (pages === 1) Atomics.store(this.#words.frames, slot, 0);
    else this.#words.frames.fill(0, slot, slot + pages);
  }
}
