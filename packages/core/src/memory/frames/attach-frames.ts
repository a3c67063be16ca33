import { VmError } from '../../errors.js';
import { isPageShift, PHYSICAL_ADDRESS_BITS } from '../bank.js';
import { isBuffer } from '../host.js';
import { Bitmap } from './bitmap.js';
import { FrameAllocator, type FrameAllocatorOptions, handedOver } from './frame-allocator.js';
import {
  MAGIC,
  MAX_FRAMES,
  MAX_ORDER,
  NONE_FREE,
  SCATTER,
  type Shape,
  shapeOf,
  VERSION,
  Word,
} from './frame-layout.js';
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
  handedOver.set(options, new FrameState(state, readShape(state)));
  return new FrameAllocator(null, options);
}

/** Reads and checks the header of a state. `EINVAL` names the first invalid field. */
function readShape(buffer: unknown): Shape {
  if (!isBuffer(buffer)) {
    throw new VmError(
      'EINVAL',
      'the state of a frame allocator must be an ArrayBuffer or a SharedArrayBuffer',
    );
  }
  const length = buffer.byteLength;
  if (length < Word.header * 4 || length % 8 !== 0) bad('length', `${length} bytes`);
  const words = new Int32Array(buffer);
  const word = (at: number): number => words[at] as number;
  if (word(Word.magic) !== MAGIC) bad('magic', `0x${(word(Word.magic) >>> 0).toString(16)}`);
  if (word(Word.version) !== VERSION) bad('version', `${word(Word.version)}, this library has ${VERSION}`);
  const pageShift = word(Word.pageShift);
  if (!isPageShift(pageShift)) bad('page shift', `${pageShift}`);
  const flags = word(Word.flags);
  if ((flags & ~SCATTER) !== 0) bad('flags', `0x${(flags >>> 0).toString(16)}`);
  const frames = word(Word.frames);
  if (frames < 1 || frames > MAX_FRAMES) bad('number of frames', `${frames}`);
  const first = word(Word.firstHigh) * 2 ** 32 + (word(Word.firstLow) >>> 0);
  if (first < 0 || first + frames > 2 ** (PHYSICAL_ADDRESS_BITS - pageShift)) bad('first frame', `${first}`);
  const ranges = word(Word.reservedRanges);
  if (ranges < 0 || ranges > frames) bad('number of reserved ranges', `${ranges}`);
  const shape = shapeOf(pageShift, first, frames, ranges, (flags & SCATTER) !== 0);
  if (word(Word.bytes) !== shape.bytes) bad('byte count', `${word(Word.bytes)}, expected ${shape.bytes}`);
  if (length !== shape.bytes) bad('length', `${length} bytes, the header says ${shape.bytes}`);
  checkCounters(words, frames, shape.topOrder, ranges);
  checkLowest(words, shape);
  return shape;
}

function checkLowest(words: Int32Array, { bitmapStarts, bitmapSizes }: Shape): void {
  for (let order = 0; order <= MAX_ORDER; order++) {
    const [start, size] = [bitmapStarts[order], bitmapSizes[order]];
    const first = start === undefined ? -1 : new Bitmap(words, start, size as number).first();
    const index = words[Word.lowest + order] as number;
    const expected = first < 0 ? NONE_FREE : first << order;
    if (index !== expected) bad(`lowest free block of order ${order}`, `${index}, expected ${expected}`);
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
      bad('reserved range', `${(at - Word.header) / 2}, ${length} frames at distance ${start}`);
    }
    end = start + length;
    reserved += length;
  }
  if (word(Word.reserved) !== reserved) bad('reserved count', `${word(Word.reserved)}, expected ${reserved}`);
  const free = word(Word.free);
  if (free < 0 || free > frames - reserved) bad('free count', `${free} of ${frames - reserved}`);
  let sum = 0;
  let orders = 0;
  for (let order = 0; order <= MAX_ORDER; order++) {
    const count = word(Word.freeBlocks + order);
    if (count < 0 || (order > topOrder && count > 0)) bad('free block count', `${count} of order ${order}`);
    if (count > 0) orders |= 1 << order;
    sum += count * 2 ** order;
  }
  if (sum !== free) bad('free block counts', `${sum} frames together, the free count is ${free}`);
  if (word(Word.orders) !== orders) bad('mask of orders', `0x${(word(Word.orders) >>> 0).toString(16)}`);
}

function bad(field: string, value: string): never {
  throw new VmError('EINVAL', `this is not the state of a frame allocator: ${field} is ${value}`);
}
