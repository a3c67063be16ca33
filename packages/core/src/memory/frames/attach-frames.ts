import { VmError } from '../../errors.js';
import { Bitmap } from './bitmap.js';
import { FrameAllocator, type FrameAllocatorOptions, handedOver } from './frame-allocator.js';
import { badState, readShape } from './frame-header.js';
import { MAX_ORDER, NONE_FREE, type Shape, Word } from './frame-layout.js';
import { FrameState } from './frame-state.js';

/**
 * Makes an allocator over the state of another one, of this worker or another.
 *
 * It continues where that one is, and both may be used, one call at a time. The header and the counters of
 * the state are checked, but not every frame: that costs nothing per frame. Attach while no call is running.
 *
 * @param state - `state` of the other allocator, or a copy of its bytes.
 * @returns an allocator whose `memory` is `null`.
 * @throws VmError `EINVAL` naming the first field of the state that is invalid.
 * @example
 * ```ts
 * const frames = new FrameAllocator(memory, { shared: true });
 * worker.postMessage(frames.state);
 * // In the worker:
 * const same = attachFrames(state);
 * ```
 */
export function attachFrames(state: ArrayBufferLike): FrameAllocator {
  const options: FrameAllocatorOptions = {};
  handedOver.set(options, { state: new FrameState(state, checkedShape(state)), calls: null });
  return new FrameAllocator(null, options);
}

/** The shape of a state, after its counters were checked. `EINVAL` names the first invalid field. */
function checkedShape(state: ArrayBufferLike): Shape {
  const shape = readShape(state);
  if (shape.slots > 0)
    throw new VmError('EINVAL', 'several threads use this state', {
      advice: 'get the allocator by share() and attach()',
    });
  const words = new Int32Array(state);
  checkCounters(words, shape.frames, shape.topOrder, words[Word.reservedRanges] as number);
  checkLowest(words, shape);
  return shape;
}

function checkLowest(words: Int32Array, { bitmapStarts, bitmapSizes }: Shape): void {
  for (let order = 0; order <= MAX_ORDER; order++) {
    const [start, size] = [bitmapStarts[order], bitmapSizes[order]];
    const first = start === undefined ? -1 : new Bitmap(words, start, size as number).first();
    const index = words[Word.lowest + order] as number;
    const expected = first < 0 ? NONE_FREE : first << order;
    if (index !== expected) badState(`lowest free block of order ${order}`, `${index}, expected ${expected}`);
  }
}

function checkCounters(words: Int32Array, frames: number, topOrder: number, ranges: number): void {
  const word = (at: number): number => words[at] as number;
  let end = 0;
  let reserved = 0;
  for (let at = Word.header; at < Word.header + 2 * ranges; at += 2) {
    const start = word(at);
    const length = word(at + 1);
    if (start < end || length < 1 || start + length > frames) {
      badState('reserved range', `${(at - Word.header) / 2}, ${length} frames at distance ${start}`);
    }
    end = start + length;
    reserved += length;
  }
  if (word(Word.reserved) !== reserved)
    badState('reserved count', `${word(Word.reserved)}, expected ${reserved}`);
  const free = word(Word.free);
  if (free < 0 || free > frames - reserved) badState('free count', `${free} of ${frames - reserved}`);
  let sum = 0;
  let orders = 0;
  for (let order = 0; order <= MAX_ORDER; order++) {
    const count = word(Word.freeBlocks + order);
    if (count < 0 || (order > topOrder && count > 0))
      badState('free block count', `${count} of order ${order}`);
    if (count > 0) orders |= 1 << order;
    sum += count * 2 ** order;
  }
  if (sum !== free) badState('free block counts', `${sum} frames together, the free count is ${free}`);
  if (word(Word.orders) !== orders) badState('mask of orders', `0x${(word(Word.orders) >>> 0).toString(16)}`);
}
