import { VmError } from '../../errors.js';
import { isPageShift, PHYSICAL_ADDRESS_BITS } from '../bank.js';
import { isBuffer } from '../host.js';
import { Bitmap } from './bitmap.js';

/** The largest order: a block of 2^18 frames is 1 GiB in frames of 4 KiB. */
export const MAX_ORDER: number = 18;

/** Most frames of one allocator (4 TiB in frames of 4 KiB). Every index then stays a 32-bit integer. */
export const MAX_FRAMES: number = 2 ** 30;

/**
 * The 32-bit words at the start of the state.
 *
 * After them come the reserved ranges (word pairs: distance of the first frame from `first`, length), one
 * bitmap of free blocks per order, and one byte per frame (0, or 1 + the order of the allocated block that
 * begins there).
 */
export const Word = {
  magic: 0,
  version: 1,
  pageShift: 2,
  /** Bit 0: scatter. */
  flags: 3,
  firstLow: 4,
  firstHigh: 5,
  frames: 6,
  /** Length of the whole state, in bytes. */
  bytes: 7,
  /** Reserved for ordering calls of several workers. 0: not used yet. */
  lock: 8,
  /** State of the random numbers that scatter uses. */
  random: 9,
  free: 10,
  reserved: 11,
  reservedRanges: 12,
  /** Bit k is set when blocks of order k are free. */
  orders: 13,
  /** Free blocks of order 0; the other orders follow. */
  freeBlocks: 16,
  /** Index of the lowest free block of order 0, or `NONE_FREE`; the other orders follow. */
  lowest: 35,
  /** Number of header words: the end of the lowest blocks, rounded up to 64 bits. */
  header: 54,
} as const;

/** The index for an order without a free block. It is larger than any index. */
export const NONE_FREE: number = 0x7fff_ffff;

/** `vmFA` in byte order. */
export const MAGIC: number = 0x41466d76;
export const VERSION: number = 1;
export const SCATTER: number = 1;

/** What follows from a few numbers of a state's header. */
export interface Shape {
  readonly pageShift: number;
  readonly first: number;
  readonly frames: number;
  readonly scattered: boolean;
  readonly origin: number;
  readonly topOrder: number;
  readonly bitmapStarts: readonly number[];
  readonly bitmapSizes: readonly number[];
  readonly headsOffset: number;
  readonly bytes: number;
}

/** Computes the layout of a state. */
export function shapeOf(
  pageShift: number,
  first: number,
  frames: number,
  reservedRanges: number,
  scattered: boolean,
): Shape {
  const topOrder = Math.min(MAX_ORDER, 31 - Math.clz32(frames));
  const origin = first - (first % 2 ** topOrder);
  const bitmapStarts: number[] = [];
  const bitmapSizes: number[] = [];
  let next = Word.header + 2 * reservedRanges;
  for (let order = 0; order <= topOrder; order++) {
    const size = Math.ceil((first - origin + frames) / 2 ** order);
    bitmapStarts.push(next);
    bitmapSizes.push(size);
    next += Bitmap.wordsFor(size);
  }
  const headsOffset = next * 4;
  // A whole number of 64-bit words, so that any typed array can view it.
  const bytes = Math.ceil((headsOffset + frames) / 8) * 8;
  return {
    pageShift,
    first,
    frames,
    scattered,
    origin,
    topOrder,
    bitmapStarts,
    bitmapSizes,
    headsOffset,
    bytes,
  };
}

/** Reads and checks the header of a state. `EINVAL` names the first invalid field. */
export function readShape(buffer: unknown): Shape {
  if (!isBuffer(buffer)) {
    throw new VmError('EINVAL', 'the state of a frame allocator is an ArrayBuffer or a SharedArrayBuffer');
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
  throw new VmError('EINVAL', `this is no state of a frame allocator: ${field} is ${value}`);
}
