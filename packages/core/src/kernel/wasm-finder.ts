import type { EntryFinder } from './run-kernels.js';
import type { Scratch } from './scratch.js';
import * as layout from './walk-layout.js';
import type { KernelExports } from './wasm-exports.js';

/**
 * Walks single addresses in WebAssembly, by the plan that is left in the scratch pages.
 *
 * V8 inlines the call. The walk in JavaScript takes twice as long, since it needs more than 200 instructions, and so few walks
 * are on their way at a time.
 */
export class WasmFinder implements EntryFinder {
  readonly #scratch: Scratch;
  readonly #plan: Int32Array;
  readonly #find: (vaHi: number, vaLo: number) => number;

  private constructor(scratch: Scratch, plan: Int32Array, find: (vaHi: number, vaLo: number) => number) {
    this.#scratch = scratch;
    this.#plan = plan;
    this.#find = find;
  }

  /** The finder of a plan; `null` where its levels are not simple. */
  static of(wasm: KernelExports, scratch: Scratch, plan: Int32Array): WasmFinder | null {
    const isSimple = ((plan[layout.SINGLE_MASK] as number) | (plan[layout.SINGLE_MASK + 1] as number)) !== 0;
    if (!isSimple) return null;
    return new WasmFinder(scratch, plan, plan[layout.DEPTH] === 4 ? wasm.findEntry4 : wasm.findEntry);
  }

  entryOf(vaHi: number, vaLo: number): number {
    const find = this.#find;
    if (this.#scratch.plan !== this.#plan) this.#scratch.use(this.#plan);
    return find(vaHi, vaLo);
  }
}
