import { pfnOf } from '../../address-codec.js';
import { type LevelPlan, slotOf } from '../../format/plan.js';
import type { TableContext } from '../state/context.js';
import { isTable } from '../state/entries.js';
import type { Translator } from './translator.js';
import { finish, isInRange, type RangeTest, rangeTest } from './walk-end.js';

/** The walk as a loop, for several banks and sparse images. It looks each table up in the memory. */
export class LookupWalk implements Translator {
  readonly #context: TableContext;
  readonly #range: RangeTest;
  /** log2 bytes of the leaf that the last translation ended in; 0 when there was none. */
  leafShift = 0;

  constructor(context: TableContext) {
    this.#context = context;
    this.#range = rangeTest(context.plan);
  }

  translate(vaHi: number, vaLo: number): number {
    this.leafShift = 0;
    if (!isInRange(this.#range, vaHi, vaLo)) return -1;
    const { plan, memory, root } = this.#context;
    const { levels, last, address, pageShift } = plan;
    let { bank, word } = root;
    for (let index = 0; ; index++) {
      const level = levels[index] as LevelPlan;
      const { words } = bank;
      const at = word + 2 * slotOf(level, vaHi, vaLo);
      const lo = words[at] as number;
      const hi = words[at + 1] as number;
      if (index === last || !isTable(level, lo, hi)) return this.#end(level, lo, hi, vaHi, vaLo);
      const child = pfnOf(address, lo, hi);
      // No two banks have a frame. The bank of the table above mostly has it, and then one search is enough.
      word = bank.wordOf(child, pageShift);
      if (word >= 0) continue;
      const other = memory.banks.length === 1 ? null : memory.bankOf(child, pageShift);
      if (other === null) return -1;
      bank = other;
      word = bank.wordOf(child, pageShift);
    }
  }

  #end(level: LevelPlan, lo: number, hi: number, vaHi: number, vaLo: number): number {
    const pfn = finish(this.#context.plan, level.index, lo, hi, vaHi, vaLo);
    if (pfn >= 0) this.leafShift = level.shift;
    return pfn;
  }
}
