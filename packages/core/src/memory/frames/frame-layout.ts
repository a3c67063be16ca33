import { Bitmap } from './bitmap.js';

/** The largest order: a block of 2^18 frames is 1 GiB in frames of 4 KiB. */
export const MAX_ORDER: number = 18;

/** Most frames of one allocator (4 TiB in frames of 4 KiB). Every index then stays a 32-bit integer. */
export const MAX_FRAMES: number = 1 << 30;

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
