import type { EntryFinder, WalkLoops } from '../run-loops.js';
import type { Resident } from './scratch.js';
import { type Start, WasmFinder } from './wasm-finder.js';

/** Fewer addresses than this are walked one by one. Break-even was at 6 (Node 20). */
const SHORT_WALKS = 8;

/** Walks in WebAssembly, by a plan that stays in the scratch pages of the memory. */
export class WasmWalks implements WalkLoops {
  readonly planOf: WalkLoops['planOf'];
  readonly #resident: Resident;
  readonly #start: Start;

  constructor(resident: Resident, start: Start, planOf: WalkLoops['planOf']) {
    this.planOf = planOf;
    this.#resident = resident;
    this.#start = start;
  }

  walkMany(
    plan: Int32Array,
    addresses: Uint32Array,
    frames: Float64Array,
    leafShifts: Uint8Array | null,
  ): number {
    const started = addresses.length < 2 * SHORT_WALKS ? null : this.#start();
    if (started === null) return -1;
    return started.scratch.walkMany(started.wasm, plan, addresses, frames, leafShifts);
  }

  finder(plan: Int32Array): EntryFinder | null {
    return WasmFinder.of(this.#resident, plan, this.#start);
  }
}
