import type { FrameStats } from '@vmarea/core';
import { WrongResult } from './wrong-result.js';

/**
 * Compares an allocator after a run with its state before it. The counts must be equal, and all free blocks must have
 * joined again.
 *
 * @param what - the frames, for the message: `mapped frames`.
 * @returns the allocated frames of both moments.
 * @throws WrongResult with the numbers when they differ.
 */
export function proveAllReturned(
  what: string,
  before: FrameStats,
  after: FrameStats,
): { before: number; after: number } {
  if (before.allocated !== after.allocated || before.free !== after.free) {
    throw new WrongResult(
      `${what} leaked: ${before.allocated} allocated before the run, ${after.allocated} after it; ` +
        `${before.free} free before, ${after.free} after`,
    );
  }
  if (before.freeBlocks.join() !== after.freeBlocks.join()) {
    throw new WrongResult(
      `${what} came back in pieces: free blocks by order ${before.freeBlocks.join(' ')} before the run, ` +
        `${after.freeBlocks.join(' ')} after it`,
    );
  }
  return { before: before.allocated, after: after.allocated };
}
