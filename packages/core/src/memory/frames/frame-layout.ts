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
 *
 * For several threads there is one word per frame (`Head`) in place of the byte. After it come the caches of
 * the threads, and one bit per frame for those that areas own.
 */
export const Word = {
  magic: 0,
  version: 1,
  pageShift: 2,
  /** Bit 0: scatter. Bit 1: several threads. */
  flags: 3,
  firstLow: 4,
  firstHigh: 5,
  frames: 6,
  /** Length of the whole state, in bytes. */
  bytes: 7,
  /** Slots of the threads that use the state; 0 for one thread. */
  slots: 8,
  /** State of the random numbers that scatter uses. */
  random: 9,
  free: 10,
  reserved: 11,
  reservedRanges: 12,
  /** Bit k is set when blocks of order k are free. */
  orders: 13,
  /** The lock of all but the words of frames and the caches: the word, and the number of waiters. */
  lock: 14,
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
export const THREADS: number = 2;

/** The bits of `heads` that hold `1 + order`: all of a byte, and the lowest of a word. */
export const ORDER_MASK: number = 0x1f;

/** Words of the cache of one thread. */
export const CACHE_WORDS: number = 64;
/** Words of a cache line. No thread writes into the line of another's cache. */
const LINE = 16;

/** What follows from a few numbers of a state's header. */
export interface Shape {
  readonly pageShift: number;
  readonly first: number;
  readonly frames: number;
  readonly scattered: boolean;
  readonly slots: number;
  readonly origin: number;
  readonly topOrder: number;
  readonly bitmapStarts: readonly number[];
  readonly bitmapSizes: readonly number[];
  readonly headsOffset: number;
  /** First word of the caches of threads, and of the marks of owners. */
  readonly cachesStart: number;
  readonly marksStart: number;
  readonly bytes: number;
}

/**
 * Computes the layout of a state.
 *
 * @param slots - slots of the threads; 0 for one thread.
 */
export function shapeOf(
  pageShift: number,
  first: number,
  frames: number,
  reservedRanges: number,
  scattered: boolean,
  slots: number,
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
  const cachesStart = Math.ceil((next + frames) / LINE) * LINE;
  const marksStart = cachesStart + slots * CACHE_WORDS;
  const end = slots === 0 ? headsOffset + frames : 4 * (marksStart + Math.ceil(frames / 32));
  // A whole number of 64-bit words, so that any typed array can view it.
  const bytes = Math.ceil(end / 8) * 8;
  return {
    pageShift,
    first,
    frames,
    scattered,
    slots,
    origin,
    topOrder,
    bitmapStarts,
    bitmapSizes,
    headsOffset,
    cachesStart,
    marksStart,
    bytes,
  };
}
