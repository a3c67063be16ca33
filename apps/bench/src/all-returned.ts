import { CheckError } from '@vmarea/cli';
import type { FrameStats } from '@vmarea/core';

/**
 * Compares an allocator after a run with its state before it. The counts must be equal, and all free blocks must have
 * joined again.
 *
 * @throws CheckError with the numbers when they differ.
 */
export function proveAllReturned(
  what: string,
  before: FrameStats,
  after: FrameStats,
): { before: number; after: number } {
  if (before.allocated !== after.allocated || before.free !== after.free) {
    throw new CheckError(
      `${what} leaked: ${before.allocated} allocated before the run, ${after.allocated} after it; ` +
        `${before.free} free before, ${after.free} after`,
    );
  }
  if (before.freeBlocks.join() !== after.freeBlocks.join()) {
    throw new CheckError(
      `${what} came back in pieces: free blocks by order ${before.freeBlocks.join(' ')} before the run, ` +
        `${after.freeBlocks.join(' ')} after it`,
    );
  }
  return { before: before.allocated, after: after.allocated };
}
