import type { WebAssemblyMemoryLike } from '../loop-provider.js';
import type { FrameSource } from '../run-loops.js';
import { PLAN_WORDS } from '../walk-layout.js';
import { firstUnfit } from '../write-loops.js';
import { ADDRESSES, FRAMES_BYTES, PLAN, SHIFTS, WALKS } from './scratch-layout.js';
import type { LoopExports } from './wasm-exports.js';

/** The walk plan in the scratch pages. Walks by it need only their addresses. */
export interface Resident {
  plan: Int32Array | null;
}

/**
 * The pages through which arrays get into WebAssembly and out again. They are for one thread: the one that
 * made the memory. Each other thread has a page for frames of its own, behind the bank.
 *
 * Such a memory cannot grow (its maximum is its size), so views of it stay valid.
 */
export class Scratch {
  readonly #start: number;
  readonly #narrow: Uint32Array;
  readonly #wide: Float64Array;
  readonly #plan: Int32Array;
  readonly #addresses: Uint32Array;
  readonly #frames: Float64Array;
  readonly #shifts: Uint8Array;
  /** The frames in the page: those of this source from `#from` up to `#to`. */
  #source: FrameSource | null = null;
  #from: number = 0;
  #to: number = 0;
  readonly #resident: Resident;

  /** @param frames - byte offset of the page for frames: 0 for the thread that made the memory, which also has the other page. */
  constructor(memory: WebAssemblyMemoryLike, resident: Resident, frames: number) {
    const { buffer } = memory;
    this.#resident = resident;
    this.#start = frames;
    this.#narrow = new Uint32Array(buffer, frames, FRAMES_BYTES / 4);
    this.#wide = new Float64Array(buffer, frames, FRAMES_BYTES / 8);
    this.#plan = new Int32Array(buffer, PLAN, PLAN_WORDS);
    this.#addresses = new Uint32Array(buffer, ADDRESSES, 2 * WALKS);
    this.#frames = new Float64Array(buffer, ADDRESSES, WALKS);
    this.#shifts = new Uint8Array(buffer, SHIFTS, WALKS);
  }

  /** How many frames of a source the page can hold. */
  capacity(source: FrameSource): number {
    return FRAMES_BYTES / (source.narrow === null ? 8 : 4);
  }

  /**
   * Copies frames into the page, with as many of the next ones as fit. So a call that maps 262,144 pages
   * copies 16 pieces, not 512.
   *
   * @param count - at most the capacity.
   * @returns the byte address of the first.
   */
  stage(source: FrameSource, from: number, count: number): number {
    const { narrow, wide } = source;
    if (source !== this.#source || from < this.#from || from + count > this.#to) {
      this.#source = source;
      this.#from = from;
      if (narrow !== null) {
        this.#to = Math.min(from + FRAMES_BYTES / 4, narrow.length);
        this.#narrow.set(narrow.subarray(from, this.#to));
      } else if (wide !== null) {
        this.#to = Math.min(from + FRAMES_BYTES / 8, wide.length);
        this.#wide.set(wide.subarray(from, this.#to));
      }
    }
    const at = this.#start + (from - this.#from) * (narrow === null ? 8 : 4);
    // A source is dropped after its last frame: a memory must not keep the arrays of a finished call.
    if (from + count === (narrow ?? wide)?.length) this.#source = null;
    return at;
  }

  /** Index of the first of some staged narrow frames that is not below a limit; -1 for none. */
  firstUnfit(at: number, count: number, limit: number): number {
    return limit >= 4294967296 ? -1 : firstUnfit(this.#narrow, (at - this.#start) / 4, count, limit);
  }

  /** Copies a plan into the pages. */
  use(plan: Int32Array): void {
    if (this.#resident.plan === plan) return;
    this.#resident.plan = plan;
    this.#plan.set(plan);
  }

  /** Walks many addresses; see `WalkLoops.walkMany`. */
  walkMany(
    wasm: LoopExports,
    plan: Int32Array,
    addresses: Uint32Array,
    frames: Float64Array,
    leafShifts: Uint8Array | null,
  ): number {
    this.use(plan);
    const count = addresses.length / 2;
    let missing = 0;
    for (let i = 0; i < count; i += WALKS) {
      const piece = Math.min(count - i, WALKS);
      this.#addresses.set(addresses.subarray(2 * i, 2 * (i + piece)));
      missing += wasm.walkMany(piece, i === 0 ? 1 : 0);
      frames.set(piece === WALKS ? this.#frames : this.#frames.subarray(0, piece), i);
      leafShifts?.set(piece === WALKS ? this.#shifts : this.#shifts.subarray(0, piece), i);
    }
    return missing;
  }
}
