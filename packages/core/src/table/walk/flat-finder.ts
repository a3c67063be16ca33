import { rotateRight } from '../../address-codec.js';
import { type LevelPlan, type Plan, slotOf } from '../../format/plan.js';
import type { EntryFinder } from '../../loops/run-loops.js';
import type { Bank } from '../../memory/bank.js';
import { isWalkable, lastTableWord, type TableWindow, tableWindow } from './bank-window.js';
import type { Compare } from './plain-page.js';
import { type RangeTest, rangeTest } from './walk-end.js';

/**
 * The walk as a loop over the levels, for tables in one linear bank. It serves hosts that compile no source (see `generatedWalk`), says where
 * a walk ends, and is what faster walks are compared with.
 *
 * One masked compare tests type bits, must-be-zero bits and the address bits outside the bank's window. An entry that fails it (larger leaf,
 * hole, fault) ends the walk. The window is the smallest aligned power of two of frames around the bank. Entry bits inside it, rotated, are the
 * index of the table's first word. A table in the window but outside the bank ends the walk as well.
 */
export class FlatFinder implements EntryFinder {
  readonly isLost: boolean = false;
  /** Bits of the high word that belong to the range. */
  readonly keepHi: number;
  /** Where the last walk ended before the last level: the level (-1 outside the range), and the word index of the entry. */
  missLevel = -1;
  missAt = 0;
  readonly #plan: Plan;
  readonly #bank: Bank;
  readonly #rootWord: number;
  readonly #range: RangeTest;
  readonly #window: TableWindow;
  readonly #lastTable: number;
  /** The test "is a table inside the window", by level. */
  readonly #tables: readonly Compare[];

  constructor(plan: Plan, bank: Bank, rootWord: number) {
    const window = tableWindow(plan, bank);
    this.#plan = plan;
    this.#bank = bank;
    this.#rootWord = rootWord;
    this.#range = rangeTest(plan);
    this.#window = window;
    this.#lastTable = lastTableWord(plan, bank);
    this.#tables = plan.levels.map((level) => tableInside(level, window));
    this.keepHi = this.#range.keepHi;
  }

  /** True when this walk can serve the root. The frame of an entry must be that of its table, so a root is no wider than a page. */
  static fits(plan: Plan, bank: Bank): boolean {
    return (
      isWalkable(plan, bank) &&
      plan.rootOrder === 0 &&
      plan.levels.every(({ table, index }) => index === plan.last || table.rest === null)
    );
  }

  /** See `EntryFinder`. When it returns -1, `missLevel` and `missAt` tell where the walk ended. */
  entryOf(high: number, low: number): number {
    const { aboveShift, zeros, ones } = this.#range;
    const above = (high | 0) >> aboveShift;
    if (above !== zeros && above !== ones) return this.#miss(-1, 0);
    const { levels, last } = this.#plan;
    const { insideLo, insideHi, rotate, offset } = this.#window;
    const { words } = this.#bank;
    let at = this.#rootWord + 2 * slotOf(levels[0] as LevelPlan, high, low);
    for (let index = 0; index < last; ) {
      const { maskLo, maskHi, valueLo, valueHi } = this.#tables[index] as Compare;
      const lo = words[at] as number;
      const hi = words[at | 1] as number;
      if ((((lo & maskLo) ^ valueLo) | ((hi & maskHi) ^ valueHi)) !== 0) return this.#miss(index, at);
      const table = rotateRight((lo & insideLo) | (hi & insideHi), rotate) - offset;
      if (table >>> 0 > this.#lastTable) return this.#miss(index, at);
      index++;
      at = (table >>> 0) + 2 * slotOf(levels[index] as LevelPlan, high, low);
    }
    return at;
  }

  #miss(level: number, at: number): number {
    this.missLevel = level;
    this.missAt = at;
    return -1;
  }
}

/** The test "is a table inside the window" of a level. */
export function tableInside({ table }: LevelPlan, window: TableWindow): Compare {
  return {
    maskLo: table.maskLo | window.aboveLo,
    maskHi: table.maskHi | window.aboveHi,
    valueLo: table.valueLo | window.valueLo,
    valueHi: table.valueHi | window.valueHi,
  };
}

/**
 * First address bit of the word that an unrolled walk takes a step's slot from: 0, 16 or 32; -1 when that word
 * does not hold it.
 *
 * @param level - of the step.
 * @param step - counted from the last level up: 1 is the last, 5 a fifth level.
 */
export function wordOfSlot({ shift, entries }: LevelPlan, step: number): number {
  const end = shift + Math.log2(entries);
  if (step === 1) return end <= 32 ? 0 : -1;
  if (step > 2 && shift >= 32) return 32;
  return step < 4 && shift >= 16 && end <= 48 ? 16 : -1;
}
