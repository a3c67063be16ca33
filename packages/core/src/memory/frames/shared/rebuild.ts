import { addRange } from '../buddy.js';
import { MAX_ORDER, NONE_FREE, ORDER_MASK, Word } from '../frame-layout.js';
import type { FrameState } from '../frame-state.js';
import { CACHED } from './head.js';

/** Frames of the block that begins at a frame with this word; 0 for none. */
export function blockFrames(head: number): number {
  const mark = head & ORDER_MASK;
  if (mark === 0) return 0;
  return mark === CACHED ? 1 : 2 ** (mark - 1);
}

/**
 * Makes free what is in no block and not reserved, whatever the bitmaps and counters say. The words of frames
 * are the truth.
 *
 * Other threads may take and free frames of their caches meanwhile: such a frame is in a block all the time.
 */
export function rebuildFree(state: FrameState): void {
  const { words } = state;
  const ranges = words[Word.reservedRanges] as number;
  words.fill(0, Word.header + 2 * ranges, state.heads.byteOffset >>> 2);
  words.fill(0, Word.freeBlocks, Word.freeBlocks + MAX_ORDER + 1);
  words.fill(NONE_FREE, Word.lowest, Word.lowest + MAX_ORDER + 1);
  words[Word.orders] = 0;
  words[Word.free] = 0;
  words[Word.reserved] = state.reservedRanges().reduce((sum, range) => sum + range.frames, 0);
  eachFree(state, (index, frames) => addRange(state, index + state.lead, frames));
}

/** Calls back with each stretch of frames that are in no block and not reserved. Indexes count from the first. */
function eachFree(state: FrameState, visit: (index: number, frames: number) => void): void {
  // The frames before it are in blocks. Where blocks overlap in a damaged state, the last end counts.
  let blocksEnd = 0;
  let from = 0;
  const end = { pfn: state.first + state.frames, frames: 0 };
  for (const reserved of [...state.reservedRanges(), end]) {
    const to = reserved.pfn - state.first;
    let start = -1;
    for (let i = from; i < to; i++) {
      blocksEnd = Math.max(blocksEnd, i + blockFrames(Atomics.load(state.heads, i)));
      if (i >= blocksEnd) {
        if (start < 0) start = i;
      } else if (start >= 0) {
        visit(start, i - start);
        start = -1;
      }
    }
    if (start >= 0) visit(start, to - start);
    from = to + reserved.frames;
  }
}
