import { lowestBit } from '../bitmap.js';
import type { OwnerMarks } from '../frame-sharing.js';
import type { FrameState } from '../frame-state.js';
import { isTaken } from './head.js';

/** One bit for each frame in the shared state. */
export class SharedMarks implements OwnerMarks {
  readonly #words: Int32Array;
  readonly #start: number;
  readonly #frames: number;

  constructor(state: FrameState) {
    this.#words = state.words;
    this.#start = state.marksStart;
    this.#frames = state.frames;
  }

  has(index: number): boolean {
    if (!(index >= 0 && index < this.#frames)) return false;
    return ((Atomics.load(this.#words, this.#start + (index >>> 5)) >>> (index & 31)) & 1) === 1;
  }

  set(index: number, isOwned: boolean): void {
    const at = this.#start + (index >>> 5);
    const bit = 1 << (index & 31);
    if (isOwned) Atomics.or(this.#words, at, bit);
    else Atomics.and(this.#words, at, ~bit);
  }

  /** Removes marks of frames that are not allocated. */
  dropFree(state: FrameState): void {
    this.eachFree(state, (index) => this.set(index, false));
  }

  /** Calls back with each frame that has a mark and is not allocated, or about to be freed. */
  eachFree({ heads }: FrameState, visit: (index: number) => void): void {
    this.eachOwned((index) => {
      if (!isTaken(Atomics.load(heads, index))) visit(index);
    });
  }

  /** Calls back with each frame that has a mark. */
  eachOwned(visit: (index: number) => void): void {
    for (let first = 0; first < this.#frames; first += 32) {
      let rest = Atomics.load(this.#words, this.#start + (first >>> 5));
      for (; rest !== 0; rest &= rest - 1) visit(first + lowestBit(rest));
    }
  }
}
