import { pfnOf } from '../../address-codec.js';
import { type LevelPlan, slotOf } from '../../format/plan.js';
import type { Bank } from '../../memory/bank.js';
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
    let bank: Bank | null = root.bank;
    let word = root.word;
    for (const level of plan.levels) {
      const at = word + 2 * slotOf(level, vaHi, vaLo);
      const lo = bank.words[at] as number;
      const hi = bank.words[at + 1] as number;
      if (level.index === plan.last || !isTable(level, lo, hi)) return this.#end(level, lo, hi, vaHi, vaLo);
      const child = pfnOf(plan.address, lo, hi);
      bank = memory.bankOf(child, plan.pageShift);
      if (bank === null) return -1;
      word = bank.wordOf(child, plan.pageShift);
    }
    return -1;
  }

  #end(level: LevelPlan, lo: number, hi: number, vaHi: number, vaLo: number): number {
    const pfn = finish(this.#context.plan, level.index, lo, hi, vaHi, vaLo);
    if (pfn >= 0) this.leafShift = level.shift;
    return pfn;
  }
}
