import { FRAME_BYTES } from '../decode/steps.js';
import { FRAME_SHIFT, FRAMES, REGION_START, regionWord, STACK_REGION } from '../link/addresses.js';
import type { Memory } from './memory.js';

/** Words of a saved frame: the step to go on with, and r6 to r9. */
const SAVED = 9;
const R6 = 12;
const R10 = 20;

/** The frames of calls: what a call keeps of its caller, and what a function begins with. */
export class Frames {
  readonly #registers: Int32Array;
  readonly #memory: Memory;
  readonly #saved = new Int32Array(FRAMES * SAVED);
  /** By frame: how often `may_goto` may still go on. */
  readonly #loops = new Int32Array(FRAMES);
  readonly #loopsAtFirst: number;

  /** @param loops - how often `may_goto` goes on in one frame. */
  constructor(registers: Int32Array, memory: Memory, loops: number) {
    this.#registers = registers;
    this.#memory = memory;
    this.#loopsAtFirst = loops;
  }

  /** Makes the first frame of a run. */
  begin(stackBytes: number): void {
    this.#memory.depth = 0;
    this.#enter(stackBytes);
  }

  /**
   * Makes the frame of a call.
   *
   * @param next - the step to go on with behind the call.
   * @param stackBytes - of the function: so many begin as zeros.
   * @returns false when there are 8 frames already.
   */
  push(next: number, stackBytes: number): boolean {
    const [r, memory, saved] = [this.#registers, this.#memory, this.#saved];
    const { depth } = memory;
    if (depth + 1 >= FRAMES) return false;
    const at = depth * SAVED;
    saved[at] = next;
    for (let i = 0; i < 8; i++) saved[at + 1 + i] = r[R6 + i] as number;
    memory.depth = depth + 1;
    this.#enter(stackBytes);
    return true;
  }

  /** Leaves a frame. Returns the step to go on with. */
  pop(): number {
    const [r, memory, saved] = [this.#registers, this.#memory, this.#saved];
    const depth = memory.depth - 1;
    memory.depth = depth;
    const at = depth * SAVED;
    for (let i = 0; i < 8; i++) r[R6 + i] = saved[at + 1 + i] as number;
    r[R10] = framePointer(depth);
    return saved[at] as number;
  }

  /** Counts a round of `may_goto`. Returns false when none is left. */
  mayGoOn(): boolean {
    const { depth } = this.#memory;
    const loops = this.#loops[depth] as number;
    if (loops === 0) return false;
    this.#loops[depth] = loops - 1;
    return true;
  }

  #enter(stackBytes: number): void {
    const { depth, ownWords } = this.#memory;
    const end = ((depth + 1) * FRAME_BYTES) / 4;
    ownWords.fill(0, end - stackBytes / 4, end);
    this.#loops[depth] = this.#loopsAtFirst;
    this.#registers[R10] = framePointer(depth);
    this.#registers[R10 + 1] = regionWord(STACK_REGION);
  }
}

/** The lower word of r10 in a frame. */
function framePointer(depth: number): number {
  return REGION_START + depth * (1 << FRAME_SHIFT) + FRAME_BYTES;
}
