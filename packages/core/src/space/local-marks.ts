import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import type { OwnerMarks } from '../memory/frames/frame-sharing.js';

/** log2 of the frames in one piece of the marks. */
const PIECE_SHIFT = 16;

/** Marks of frames that areas own, for an allocator of one thread: one bit each, only where areas own some. */
export class LocalMarks implements OwnerMarks {
  readonly #pieces: Map<number, Uint32Array> = new Map();

  /** Those of an allocator. All spaces that take pages from one state share them. */
  static of({ state }: FrameAllocator): LocalMarks {
    let marks = marksOf.get(state);
    if (marks === undefined) {
      marks = new this();
      marksOf.set(state, marks);
    }
    return marks;
  }

  has(index: number): boolean {
    const piece = this.#pieces.get(index >>> PIECE_SHIFT);
    return piece !== undefined && (((piece[(index & 0xffff) >>> 5] as number) >>> (index & 31)) & 1) === 1;
  }

  set(index: number, isOwned: boolean): void {
    const key = index >>> PIECE_SHIFT;
    let piece = this.#pieces.get(key);
    if (piece === undefined) {
      piece = new Uint32Array(2 ** (PIECE_SHIFT - 5));
      this.#pieces.set(key, piece);
    }
    const at = (index & 0xffff) >>> 5;
    const bit = 1 << (index & 31);
    piece[at] = isOwned ? (piece[at] as number) | bit : (piece[at] as number) & ~bit;
  }
}

const marksOf: WeakMap<ArrayBufferLike, LocalMarks> = new WeakMap();
