import type { EntryFinder } from '../run-loops.js';
import * as layout from '../walk-layout.js';
import type { Resident, Scratch } from './scratch.js';
import type { LoopExports } from './wasm-exports.js';

/**
 * What a finder needs from its first use on: an instance and its scratch pages; `null` when the host
 * refuses.
 */
export type Start = () => { readonly wasm: LoopExports; readonly scratch: Scratch } | null;

type Find = (vaHi: number, vaLo: number) => number;

/**
 * Walks single addresses in WebAssembly, by the plan that stays in the scratch pages.
 *
 * V8 inlines the call. The walk in JavaScript takes twice as long: it has more than 200 instructions, so
 * only few walks run at a time. Nothing is compiled before the first walk.
 */
export class WasmFinder implements EntryFinder {
  readonly #resident: Resident;
  readonly #plan: Int32Array;
  readonly #start: Start;
  #find: Find | null = null;
  isLost: boolean = false;

  private constructor(resident: Resident, plan: Int32Array, start: Start) {
    this.#resident = resident;
    this.#plan = plan;
    this.#start = start;
  }

  /** The finder of a plan; `null` when its levels are not simple. */
  static of(resident: Resident, plan: Int32Array, start: Start): WasmFinder | null {
    const isSimple = ((plan[layout.SINGLE_MASK] as number) | (plan[layout.SINGLE_MASK + 1] as number)) !== 0;
    return isSimple ? new this(resident, plan, start) : null;
  }

  entryOf(vaHi: number, vaLo: number): number {
    const find = this.#find;
    return find === null || this.#resident.plan !== this.#plan ? this.#enter(vaHi, vaLo) : find(vaHi, vaLo);
  }

  /**
   * Walks when the plan is not in the scratch pages: copies it there. When the host refuses, no walk reaches
   * an entry.
   */
  #enter(vaHi: number, vaLo: number): number {
    const started = this.#start();
    if (started === null) {
      this.isLost = true;
      return -1;
    }
    const { wasm, scratch } = started;
    scratch.use(this.#plan);
    this.#find = this.#plan[layout.DEPTH] === 4 ? wasm.findEntry4 : wasm.findEntry;
    return this.#find(vaHi, vaLo);
  }
}
