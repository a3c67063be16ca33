import { makeBuffer } from '../host.js';
import { Bitmap } from './bitmap.js';
import {
  MAGIC,
  MAX_ORDER,
  NONE_FREE,
  SCATTER,
  type Shape,
  shapeOf,
  THREADS,
  VERSION,
  Word,
} from './frame-layout.js';

/** A range of frames. */
export interface FrameRange {
  /** Its first frame. */
  readonly pfn: number;
  /** Its length. */
  readonly frames: number;
}

/** What a state is made from. The caller has checked it. */
interface FrameStateOptions {
  readonly pageShift: number;
  readonly first: number;
  readonly frames: number;
  /** Ascending, apart from each other, inside the range. */
  readonly reserved: readonly FrameRange[];
  /** Seed, or `null` for lowest first. */
  readonly scatter: number | null;
  readonly shared: boolean;
  /** Slots of the threads that will use it; 0 for one thread. */
  readonly slots: number;
}

/**
 * The state of an allocator: typed arrays over one buffer. Fields of this object are only views, and numbers
 * that follow from the header. So any number of workers can have one over the same buffer.
 *
 * Inside, a frame is an *index*: its distance from `origin`, the last multiple of the largest possible block
 * at or below the first frame. So indexes are aligned as frame numbers are.
 */
export class FrameState {
  readonly buffer: ArrayBufferLike;
  readonly pageShift: number;
  readonly first: number;
  readonly frames: number;
  readonly scattered: boolean;
  /** Slots of the threads that use it; 0 for one thread. */
  readonly slots: number;
  /** Where the caches and marks of several threads are, in words. */
  readonly cachesStart: number;
  readonly marksStart: number;
  /** The frame number of index 0. */
  readonly origin: number;
  /** The index of the first frame. */
  readonly lead: number;
  /** The largest order that fits into the range. */
  readonly topOrder: number;
  /** All of it as words; `Word` names those of the header. */
  readonly words: Int32Array;
  /** The free blocks of each order up to `topOrder`, by index >> order. */
  readonly free: readonly Bitmap[];
  /**
   * One byte for each frame of the range: 0, or 1 + the order of the allocated block that begins there. For
   * several threads one word, which says who took the block, too.
   */
  readonly heads: Uint8Array | Int32Array;
  /** What is added to `1 + order` in `heads` for a block that is taken: who takes it. 0 for one thread. */
  tag = 0;

  /** Views of a state that exists. */
  constructor(buffer: ArrayBufferLike, shape: Shape) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer);
    this.pageShift = shape.pageShift;
    this.first = shape.first;
    this.frames = shape.frames;
    this.scattered = shape.scattered;
    this.slots = shape.slots;
    this.cachesStart = shape.cachesStart;
    this.marksStart = shape.marksStart;
    this.origin = shape.origin;
    this.lead = shape.first - shape.origin;
    this.topOrder = shape.topOrder;
    this.free = shape.bitmapStarts.map(
      (start, order) => new Bitmap(this.words, start, shape.bitmapSizes[order] as number),
    );
    this.heads =
      shape.slots === 0
        ? new Uint8Array(buffer, shape.headsOffset, shape.frames)
        : new Int32Array(buffer, shape.headsOffset, shape.frames);
  }

  /** A state in which no frame is free yet: all count as allocated, except the reserved ones. */
  static create(o: FrameStateOptions): FrameState {
    const shape = shapeOf(o.pageShift, o.first, o.frames, o.reserved.length, o.scatter !== null, o.slots);
    const state = new this(makeBuffer(shape.bytes, o.shared, `the state of ${o.frames} frames`), shape);
    const { words } = state;
    words[Word.magic] = MAGIC;
    words[Word.version] = VERSION;
    words[Word.pageShift] = o.pageShift;
    words[Word.flags] = (o.scatter === null ? 0 : SCATTER) | (o.slots === 0 ? 0 : THREADS);
    words[Word.slots] = o.slots;
    words[Word.firstLow] = o.first % 2 ** 32;
    words[Word.firstHigh] = Math.floor(o.first / 2 ** 32);
    words[Word.frames] = o.frames;
    words[Word.bytes] = shape.bytes;
    words[Word.random] = o.scatter ?? 0;
    words.fill(NONE_FREE, Word.lowest, Word.lowest + MAX_ORDER + 1);
    words[Word.reservedRanges] = o.reserved.length;
    o.reserved.forEach((range, i) => {
      words[Word.header + 2 * i] = range.pfn - o.first;
      words[Word.header + 2 * i + 1] = range.frames;
      (words[Word.reserved] as number) += range.frames;
    });
    return state;
  }

  /** The reserved ranges, ascending. */
  reservedRanges(): FrameRange[] {
    return Array.from({ length: this.words[Word.reservedRanges] as number }, (_, i) => ({
      pfn: this.first + (this.words[Word.header + 2 * i] as number),
      frames: this.words[Word.header + 2 * i + 1] as number,
    }));
  }
}
