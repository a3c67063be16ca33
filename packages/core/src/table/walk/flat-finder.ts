import { rotateRight } from '../../address-codec.js';
import type { FastMatch, LevelPlan, Plan } from '../../format/plan.js';
import type { EntryFinder } from '../../loops/run-loops.js';
import type { Bank } from '../../memory/bank.js';
import { isWalkable, lastTableWord, tableWindow } from './bank-window.js';
import { rangeTest } from './walk-end.js';

/**
 * The walk unrolled by depth. It serves tables in one linear bank, and formats whose tables look alike at
 * all levels, as those of x86-64, arm64 and riscv64 do.
 *
 * A missing level is skipped by a branch that always goes the same way. One masked compare tests type bits,
 * must-be-zero bits and the address bits outside the bank's window. An entry that fails it (larger leaf,
 * hole, fault) ends the walk. The window is the smallest aligned power of two of frames around the bank.
 * Entry bits inside it, rotated, are the index of the table's first word. A table in the window but outside
 * the bank ends the walk as well. Slots come from one of three words of the address (bits 63..32, 47..16,
 * 31..0), so each is a shift and a mask.
 *
 * What counted, as multiples of a walk with x86-64's constants written into it (262,144 random pages, Node
 * 20):
 *
 * - a class, not a closure: V8 inlines a method for every table, but a closure only for the first: 8 → 6.3;
 * - number fields that are `declare`d and first written with `| 0`: V8 checks and converts a field that
 *   starts as undefined, or with a result of `**` or Math.floor, at each use: 6.3 → 4.8;
 * - all of them in this one object: each further object costs a load and a check of its class: 4.8 → 3.9;
 * - slots without a choice of words: 3.9 → 3.6.
 */
export class FlatFinder implements EntryFinder {
  /**
   * The bits above the range are valid when `((vaHi >> aboveShift) + aboveBias) >>> 0` is at most
   * `aboveSpan`.
   */
  declare readonly aboveShift: number;
  declare readonly aboveBias: number;
  declare readonly aboveSpan: number;
  /** Bits of the high word that belong to the range. */
  declare readonly keepHi: number;

  /** Steps are numbered from the last level up: 1 is the last, 5 a fifth level. */
  declare readonly depth: number;
  declare readonly rootWord: number;
  /** Mask of the slots of a table that fills a page. */
  declare readonly slots: number;
  /** Shift of each step's slot in its word of the address. Step 3 uses the word from bit 16 or 32. */
  declare readonly shift1: number;
  declare readonly shift2: number;
  declare readonly shift3: number;
  declare readonly shift4: number;
  declare readonly shift5: number;
  declare readonly from3: number;

  /** The test "is a table inside the window". */
  declare readonly tableMaskLo: number;
  declare readonly tableMaskHi: number;
  declare readonly tableValueLo: number;
  declare readonly tableValueHi: number;
  /** Entry bits of a frame inside the window, and their rotation to a word index. */
  declare readonly insideLo: number;
  declare readonly insideHi: number;
  declare readonly rotate: number;
  /** Words from the start of the window to the bank. */
  declare readonly offset: number;
  /** The highest word index at which a table may start. */
  declare readonly lastTable: number;

  /**
   * Where the last walk ended before the last level: the level (-1 outside the range) and the entry's word
   * index.
   */
  declare missLevel: number;
  declare missAt: number;

  readonly isLost: boolean = false;
  readonly #bank: Bank;

  constructor(plan: Plan, bank: Bank, rootWord: number) {
    const { levels, last, pageShift } = plan;
    const { aboveShift, zeros, ones, keepHi } = rangeTest(plan);
    this.aboveShift = aboveShift | 0;
    this.aboveBias = -Math.min(zeros, ones) | 0;
    this.aboveSpan = Math.abs(zeros - ones) | 0;
    this.keepHi = keepHi | 0;

    const from = (step: number): number => {
      const level = levels[last + 1 - step];
      return level === undefined ? 0 : wordOfSlot(level, step);
    };
    const shift = (step: number): number => (levels[last + 1 - step]?.shift ?? 0) - from(step);
    this.depth = (last + 1) | 0;
    this.rootWord = rootWord | 0;
    this.slots = (2 ** (pageShift - 3) - 1) | 0;
    this.shift1 = shift(1) | 0;
    this.shift2 = shift(2) | 0;
    this.shift3 = shift(3) | 0;
    this.shift4 = shift(4) | 0;
    this.shift5 = shift(5) | 0;
    this.from3 = from(3) | 0;

    const window = tableWindow(plan, bank);
    this.insideLo = window.insideLo | 0;
    this.insideHi = window.insideHi | 0;
    this.rotate = window.rotate | 0;
    this.offset = window.offset | 0;
    this.lastTable = lastTableWord(plan, bank) | 0;

    const { table } = levels[0] as LevelPlan;
    this.tableMaskLo = table.maskLo | window.aboveLo;
    this.tableMaskHi = table.maskHi | window.aboveHi;
    this.tableValueLo = table.valueLo | window.valueLo;
    this.tableValueHi = table.valueHi | window.valueHi;

    this.missLevel = -1 | 0;
    this.missAt = 0;
    this.#bank = bank;
  }

  /** True when this walk can serve the root. */
  static fits(plan: Plan, bank: Bank): boolean {
    const { levels, last, pageShift } = plan;
    const [root] = levels as [LevelPlan];
    return (
      isWalkable(plan, bank) &&
      root.entries <= 2 ** (pageShift - 3) &&
      levels.every((level) => wordOfSlot(level, last + 1 - level.index) >= 0) &&
      levels.every((level) => level.index === last || isSameMatch(level.table, root.table))
    );
  }

  /** See `EntryFinder`. When it returns -1, `missLevel` and `missAt` tell where the walk ended. */
  entryOf(high: number, low: number): number {
    if (((high >> this.aboveShift) + this.aboveBias) >>> 0 > this.aboveSpan) return this.#miss(-1, 0);
    const words = this.#bank.words;
    const { slots, depth, tableMaskLo, tableMaskHi, tableValueLo, tableValueHi } = this;
    const { insideLo, insideHi, rotate, offset, lastTable } = this;
    const vaHi = high & this.keepHi;
    const vaLo = low | 0;
    const middle = (vaHi << 16) | (vaLo >>> 16);
    let table = this.rootWord;
    let at: number;
    let lo: number;
    let hi: number;

    if (depth > 4) {
      at = (table + (((vaHi >>> this.shift5) & slots) << 1)) | 0;
      lo = words[at] as number;
      hi = words[at | 1] as number;
      if ((((lo & tableMaskLo) ^ tableValueLo) | ((hi & tableMaskHi) ^ tableValueHi)) !== 0) {
        return this.#miss(depth - 5, at);
      }
      table = (rotateRight((lo & insideLo) | (hi & insideHi), rotate) - offset) | 0;
      if (table >>> 0 > lastTable) return this.#miss(depth - 5, at);
    }
    if (depth > 3) {
      at = (table + (((vaHi >>> this.shift4) & slots) << 1)) | 0;
      lo = words[at] as number;
      hi = words[at | 1] as number;
      if ((((lo & tableMaskLo) ^ tableValueLo) | ((hi & tableMaskHi) ^ tableValueHi)) !== 0) {
        return this.#miss(depth - 4, at);
      }
      table = (rotateRight((lo & insideLo) | (hi & insideHi), rotate) - offset) | 0;
      if (table >>> 0 > lastTable) return this.#miss(depth - 4, at);
    }
    if (depth > 2) {
      at = (table + ((((this.from3 === 16 ? middle : vaHi) >>> this.shift3) & slots) << 1)) | 0;
      lo = words[at] as number;
      hi = words[at | 1] as number;
      if ((((lo & tableMaskLo) ^ tableValueLo) | ((hi & tableMaskHi) ^ tableValueHi)) !== 0) {
        return this.#miss(depth - 3, at);
      }
      table = (rotateRight((lo & insideLo) | (hi & insideHi), rotate) - offset) | 0;
      if (table >>> 0 > lastTable) return this.#miss(depth - 3, at);
    }
    if (depth > 1) {
      at = (table + (((middle >>> this.shift2) & slots) << 1)) | 0;
      lo = words[at] as number;
      hi = words[at | 1] as number;
      if ((((lo & tableMaskLo) ^ tableValueLo) | ((hi & tableMaskHi) ^ tableValueHi)) !== 0) {
        return this.#miss(depth - 2, at);
      }
      table = (rotateRight((lo & insideLo) | (hi & insideHi), rotate) - offset) | 0;
      if (table >>> 0 > lastTable) return this.#miss(depth - 2, at);
    }
    return (table + (((vaLo >>> this.shift1) & slots) << 1)) | 0;
  }

  #miss(level: number, at: number): number {
    this.missLevel = level;
    this.missAt = at;
    return -1;
  }
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

function isSameMatch(a: FastMatch, b: FastMatch): boolean {
  return (
    a.rest === null &&
    b.rest === null &&
    a.maskLo === b.maskLo &&
    a.maskHi === b.maskHi &&
    a.valueLo === b.valueLo &&
    a.valueHi === b.valueHi
  );
}
