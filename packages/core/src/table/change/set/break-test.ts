import type { LevelPlan } from '../../../format/plan.js';
import type { TableContext } from '../../state/context.js';
import { isPresent } from '../../state/entries.js';

/**
 * Asks a format whether a change needs a break, once for each different change of flags, not for each entry.
 */
export class BreakTest {
  readonly #context: TableContext;
  readonly #addressLo: number;
  readonly #addressHi: number;
  readonly #level: number;
  // The last change that was asked for: flags before, the bits that changed, and the answer.
  #lo = 0;
  #hi = 0;
  #changedLo = 0;
  #changedHi = 0;
  #isNeeded = false;

  constructor(context: TableContext, level: LevelPlan) {
    this.#context = context;
    this.#level = level.index;
    this.#addressLo = level.leafAddressLo;
    this.#addressHi = level.leafAddressHi;
  }

  /** True when a present entry must be invalid before it gets its new words. */
  isNeeded(lo: number, hi: number, newLo: number, newHi: number): boolean {
    const changedLo = lo ^ newLo;
    const changedHi = hi ^ newHi;
    const differs =
      ((lo & ~this.#addressLo) ^ this.#lo) |
      ((hi & ~this.#addressHi) ^ this.#hi) |
      (changedLo ^ this.#changedLo) |
      (changedHi ^ this.#changedHi);
    if (differs === 0) return this.#isNeeded;
    const context = this.#context;
    if (!isPresent(context, newLo, newHi)) return false;
    const { format } = context.plan;
    const isNeeded = format.needsBreak({ lo, hi }, { lo: newLo, hi: newHi }, this.#level);
    // A new address may need a break by itself, and it differs for each entry.
    if (((changedLo & this.#addressLo) | (changedHi & this.#addressHi)) === 0) {
      this.#lo = lo & ~this.#addressLo;
      this.#hi = hi & ~this.#addressHi;
      this.#changedLo = changedLo;
      this.#changedHi = changedHi;
      this.#isNeeded = isNeeded;
    }
    return isNeeded;
  }
}
