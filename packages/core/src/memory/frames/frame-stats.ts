import { requireState } from './frame-errors.js';
import { MAX_ORDER, Word } from './frame-layout.js';
import type { FrameState } from './frame-state.js';

/** What `FrameAllocator.stats` returns. */
export interface FrameStats {
  /** All frames of the range. */
  readonly total: number;
  /** Frames that can be allocated. */
  readonly free: number;
  /** Frames that are allocated. */
  readonly allocated: number;
  /** Frames that were reserved at construction. `total = free + allocated + reserved`. */
  readonly reserved: number;
  /** Number of free blocks per order: 19 numbers, for orders 0 to 18. */
  readonly freeBlocks: number[];
  /** Order of the largest free block; -1 when nothing is free. */
  readonly largestOrder: number;
  /**
   * 1 - frames in the largest free block / free frames; 0 when nothing is free. So 0 means that all free
   * frames are one block.
   *
   * No block is larger than 2^18 frames, so it says nothing about larger ranges: 512 GiB without a hole, in
   * frames of 4 KiB, are 512 blocks and have 0.998.
   */
  readonly fragmentation: number;
}

/**
 * Reads the counters of a state: 19 steps, whatever its size.
 *
 * @throws VmError `EINVAL` when the state was detached.
 */
export function statsOf(state: FrameState): FrameStats {
  requireState(state);
  const { words, frames } = state;
  const free = words[Word.free] as number;
  const reserved = words[Word.reserved] as number;
  const largestOrder = 31 - Math.clz32(words[Word.orders] as number);
  return {
    total: frames,
    free,
    allocated: frames - free - reserved,
    reserved,
    freeBlocks: Array.from(words.subarray(Word.freeBlocks, Word.freeBlocks + MAX_ORDER + 1)),
    largestOrder,
    fragmentation: largestOrder < 0 ? 0 : 1 - 2 ** largestOrder / free,
  };
}
