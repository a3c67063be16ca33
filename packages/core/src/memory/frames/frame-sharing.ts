import type { ThreadGroup } from '../../threads/thread-group.js';
import type { FrameState } from './frame-state.js';
import type { FrameStats } from './frame-stats.js';

/** What an allocator needs of the object that lets several threads use it. */
export interface FrameSharing {
  /** The threads. */
  readonly group: ThreadGroup;
  /** True while this thread is in a call of the library. What it takes now belongs to that call. */
  readonly isInCall: boolean;
  /** The calls of this thread on the state of an allocator. */
  framesOf(state: FrameState): FrameCalls;
}

/** Marks of frames that areas own. A frame is named by its distance from the first frame of the allocator. */
export interface OwnerMarks {
  has(index: number): boolean;
  set(index: number, isOwned: boolean): void;
}

/** The calls of one thread on a state that several threads use. Orders and counts were checked. */
export interface FrameCalls {
  /** The slot of the thread. */
  readonly slot: number;
  /** Allocates a block. Returns its first frame number, or -1. */
  take(order: number): number;
  /** Allocates single frames, all or none (`null`). */
  takeMany(count: number): Float64Array | null;
  /** Frees a block. Throws as `FrameAllocator.free`. */
  give(pfn: number, order: number): void;
  /** Frees single frames, all or none. The list does not change during the call. */
  giveMany(pfns: ArrayLike<number>, length: number): void;
  /**
   * Begins to free blocks of an order that other threads may still read, all or none. They stay allocated, and
   * nobody else can free them. When this thread dies, a recovery frees them.
   *
   * @returns a function that ends it: for `Quiescence.retire`.
   */
  retire(pfns: ArrayLike<number>, length: number, order?: number): () => void;
  /**
   * Frees blocks, after something was forgotten about them. When this thread dies in between, a recovery frees them.
   *
   * @param forget - it must not throw.
   */
  giveAfter(pfns: ArrayLike<number>, length: number, order: number, forget: () => void): void;
  /**
   * Frees blocks that were mapped, once no thread can use an old translation to them: after the next quiescent point of each. At once
   * when no other thread is attached.
   *
   * @param forget - called in between, as by `giveAfter`.
   */
  giveWhenUnseen(pfns: ArrayLike<number>, length: number, order: number, forget?: () => void): void;
  /** Makes blocks those of this thread's own code: no call holds them any more. */
  keep(pfns: ArrayLike<number>, length: number, order: number): void;
  isAllocated(pfn: number, order: number): boolean;
  /** True for a block that some thread has begun to free; see `retire`. */
  isBeingFreed(pfn: number): boolean;
  stats(): FrameStats;
  readonly marks: OwnerMarks;
}
