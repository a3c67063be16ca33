import { isInRun } from '../../../format/classify.js';
import { isToldByFlags, type LevelPlan, matchesAddress } from '../../../format/plan.js';
import { type Words, ZERO } from '../../../words.js';
import type { TableContext } from '../../state/context.js';
import { isLeaf } from '../../state/entries.js';
import { leafStart } from '../../state/leaf-start.js';

/**
 * Reads the leaves of one level. It asks the format only when flags differ from those of the leaf before.
 */
export class LeafReader {
  /** Without address and run mark. */
  flags: Words = ZERO;
  /** First frame. */
  pfn = 0;
  isMarked = false;

  readonly #context: TableContext;
  readonly #level: LevelPlan;
  #hasLast = false;
  #lastLo = 0;
  #lastHi = 0;

  constructor(context: TableContext, level: LevelPlan) {
    this.#context = context;
    this.#level = level;
  }

  /** Reads an entry; false when it is no leaf. */
  read(lo: number, hi: number, slot: number): boolean {
    const level = this.#level;
    const { plan } = this.#context;
    const flagsLo = lo & ~level.leafAddressLo;
    const flagsHi = hi & ~level.leafAddressHi;
    if (this.#hasLast && flagsLo === this.#lastLo && flagsHi === this.#lastHi) {
      if (!matchesAddress(level, lo, hi)) return false;
    } else {
      if (!isLeaf(level, lo, hi)) return false;
      const { run } = level.level;
      this.#hasLast = isToldByFlags(level, lo, hi);
      this.#lastLo = flagsLo;
      this.#lastHi = flagsHi;
      this.isMarked = run !== null && isInRun(run, lo, hi);
      this.flags = plan.format.relevel({ lo: flagsLo, hi: flagsHi }, level.index, level.index);
    }
    this.pfn = leafStart(plan, level, lo, hi, slot);
    return true;
  }
}
