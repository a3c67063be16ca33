import { pfnOf } from '../../address-codec.js';
import { slotOf } from '../../format/plan.js';
import type { Bank } from '../../memory/bank.js';
import { isTable, type TableContext } from '../context.js';
import { FlatWalk } from './flat-walk.js';
import type { Translator } from './translator.js';
import { finish, isInRange, type RangeTest, rangeTest } from './walk-end.js';

/** Makes the translator of a root: the unrolled walk where all tables are in one linear bank, else the loop. */
export function makeTranslator(context: TableContext): Translator {
  const { plan, memory, root } = context;
  const [bank] = memory.banks;
  const isFlat = memory.banks.length === 1 && bank !== undefined && FlatWalk.fits(plan, bank);
  return isFlat ? new FlatWalk(plan, bank, root.word) : new LookupWalk(context);
}

/** The walk as a loop, for several banks and sparse images: each table is looked up in the memory. */
class LookupWalk implements Translator {
  readonly #context: TableContext;
  readonly #range: RangeTest;

  constructor(context: TableContext) {
    this.#context = context;
    this.#range = rangeTest(context.plan);
  }

  translate(vaHi: number, vaLo: number): number {
    if (!isInRange(this.#range, vaHi, vaLo)) return -1;
    const { plan, memory, root } = this.#context;
    let bank: Bank | null = root.bank;
    let word = root.word;
    for (const level of plan.levels) {
      const at = word + 2 * slotOf(level, vaHi, vaLo);
      const lo = bank.words[at] as number;
      const hi = bank.words[at + 1] as number;
      if (level.index === plan.last || !isTable(level, lo, hi))
        return finish(plan, level.index, lo, hi, vaHi, vaLo);
      const child = pfnOf(plan.address, lo, hi);
      bank = memory.bankOf(child, plan.pageShift);
      if (bank === null) return -1;
      word = bank.wordOf(child, plan.pageShift);
    }
    return -1;
  }
}
