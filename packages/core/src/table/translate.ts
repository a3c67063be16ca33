import { addressHi, addressLo, pfnHigh, pfnLow, pfnOf, rotateRight } from '../format/address-codec.js';
import { type LevelPlan, meets, type Plan, slotOf } from '../format/plan.js';
import type { Bank } from '../memory/bank.js';
import { isTable, type TableContext } from './context.js';

/** Translates addresses of one root. */
export interface Translator {
  /**
   * Translates an address given as two 32-bit words.
   *
   * @returns the pfn of the base page, or -1 when there is no translation.
   */
  translate(vaHi: number, vaLo: number): number;
}

/** Makes the translator of a root: the unrolled walk where all tables are in one linear bank, else the loop. */
export function makeTranslator(context: TableContext): Translator {
  const { plan, memory, root } = context;
  const [bank] = memory.banks;
  const isFlat =
    memory.banks.length === 1 &&
    bank !== undefined &&
    bank.linear &&
    hasOneHighWord(bank, plan) &&
    plan.levels.every((level, index) => wordOfSlot(level, plan.levels.length - index) >= 0);
  return isFlat ? new FlatWalk(plan, bank, root.word) : new LookupWalk(context);
}

/** True when bits 32 and up of the pfn are the same for all frames of the bank: they are then one constant. */
function hasOneHighWord(bank: Bank, plan: Plan): boolean {
  const shift = BigInt(plan.pageShift) + 32n;
  return bank.base >> shift === (bank.base + BigInt(bank.bytes) - 1n) >> shift;
}

/** Tells whether the bits above a range are as the format demands. */
class RangeTest {
  readonly #shift: number;
  readonly #zeros: number;
  readonly #ones: number;
  /** Bits of the low word that are inside a range of less than 2^32 bytes; 32 in larger ones. */
  readonly #lowBits: number;

  constructor(plan: Plan) {
    const { bits, upper } = plan.format.range;
    // A sign-extended range has its top bit repeated above.
    const inside = upper === 'sign' ? bits - 1 : bits;
    this.#shift = Math.max(0, inside - 32);
    this.#zeros = upper === 'ones' ? -1 : 0;
    this.#ones = upper === 'zeros' ? 0 : -1;
    this.#lowBits = Math.min(32, inside);
  }

  holds(vaHi: number, vaLo: number): boolean {
    const above = vaHi >> this.#shift;
    if (above !== this.#zeros && above !== this.#ones) return false;
    return this.#lowBits === 32 || vaLo >> this.#lowBits === above;
  }
}

/**
 * The walk unrolled by depth, for tables in one linear bank.
 *
 * A level that is not there is skipped by a branch which always goes the same way. Type bits, must-be-zero bits and
 * the high bits of the table's address are one masked compare; an entry that fails it (larger leaf, hole, fault)
 * ends in `finish`. Three choices that count, ns per random walk of 4 levels on one machine:
 *
 * - a class and not a closure, since V8 inlines a method for every table, but a closure only for the first: 41 → 13;
 * - all numbers in one Int32Array, since a number in an object's field is checked and untagged at each use: 29 → 9;
 * - a slot from one of three words of the address (bits 63..32, 47..16, 31..0), so that it is a shift and a mask.
 *
 * Layout of `#numbers`: 0 root word, 1 pfn of the bank's first frame (low word), 2 frames of the bank, 3 depth,
 * 4 log2 of words per page, 5 lowRotate, 6 lowLo, 7 lowHi, 8 highLo, 9 highHi, 10 and 11 whether steps 3 and 4 use
 * bits 63..32; from 12 on six for each step: shift, slot mask, maskLo, maskHi, valueLo, valueHi. Steps count from the
 * last level up.
 */
class FlatWalk implements Translator {
  readonly #plan: Plan;
  readonly #bank: Bank;
  readonly #range: RangeTest;
  readonly #numbers: Int32Array;

  constructor(plan: Plan, bank: Bank, rootWord: number) {
    const { last, pageShift, address } = plan;
    const first = Number(bank.base >> BigInt(pageShift));
    const frames = Math.floor(bank.bytes / 2 ** pageShift);
    const { lowRotate, lowLo, lowHi, highLo, highHi } = address;
    this.#plan = plan;
    this.#bank = bank;
    this.#range = new RangeTest(plan);
    this.#numbers = new Int32Array(12 + 6 * 5);
    this.#numbers.set([
      rootWord,
      first | 0,
      frames,
      last + 1,
      pageShift - 2,
      lowRotate,
      lowLo,
      lowHi,
      highLo,
      highHi,
    ]);
    for (let step = 1; step <= last + 1; step++) {
      const level = plan.levels[last + 1 - step] as LevelPlan;
      const from = wordOfSlot(level, step);
      const test = step === 1 ? pageTest(level) : tableTest(plan, level, Math.floor(first / 4294967296));
      if (step === 3 || step === 4) this.#numbers[7 + step] = from === 32 ? 1 : 0;
      const numbers = [
        level.shift - from,
        level.entries - 1,
        test.maskLo,
        test.maskHi,
        test.valueLo,
        test.valueHi,
      ];
      this.#numbers.set(numbers, 12 + 6 * (step - 1));
    }
  }

  translate(high: number, low: number): number {
    const vaHi = high | 0;
    const vaLo = low | 0;
    if (!this.#range.holds(vaHi, vaLo)) return -1;
    const words = this.#bank.words;
    const n = this.#numbers;
    const base = n[1] as number;
    const frames = n[2] as number;
    const depth = n[3] as number;
    const wordShift = n[4] as number;
    const lowRotate = n[5] as number;
    const lowLo = n[6] as number;
    const lowHi = n[7] as number;
    const middle = (vaHi << 16) | (vaLo >>> 16);
    const upper3 = n[10] === 0 ? middle : vaHi;
    const upper4 = n[11] === 0 ? middle : vaHi;
    let table = n[0] as number;
    let at: number;
    let lo: number;
    let hi: number;
    let frame: number;

    if (depth > 4) {
      at = (table + (((vaHi >>> (n[36] as number)) & (n[37] as number)) << 1)) | 0;
      lo = words[at] as number;
      hi = words[at + 1] as number;
      if (
        (((lo & (n[38] as number)) ^ (n[40] as number)) | ((hi & (n[39] as number)) ^ (n[41] as number))) !==
        0
      ) {
        return finish(this.#plan, depth - 5, lo, hi, vaHi, vaLo);
      }
      frame = (rotateRight((lo & lowLo) | (hi & lowHi), lowRotate) - base) | 0;
      if (frame >>> 0 >= frames) return -1;
      table = frame << wordShift;
    }
    if (depth > 3) {
      at = (table + (((upper4 >>> (n[30] as number)) & (n[31] as number)) << 1)) | 0;
      lo = words[at] as number;
      hi = words[at + 1] as number;
      if (
        (((lo & (n[32] as number)) ^ (n[34] as number)) | ((hi & (n[33] as number)) ^ (n[35] as number))) !==
        0
      ) {
        return finish(this.#plan, depth - 4, lo, hi, vaHi, vaLo);
      }
      frame = (rotateRight((lo & lowLo) | (hi & lowHi), lowRotate) - base) | 0;
      if (frame >>> 0 >= frames) return -1;
      table = frame << wordShift;
    }
    if (depth > 2) {
      at = (table + (((upper3 >>> (n[24] as number)) & (n[25] as number)) << 1)) | 0;
      lo = words[at] as number;
      hi = words[at + 1] as number;
      if (
        (((lo & (n[26] as number)) ^ (n[28] as number)) | ((hi & (n[27] as number)) ^ (n[29] as number))) !==
        0
      ) {
        return finish(this.#plan, depth - 3, lo, hi, vaHi, vaLo);
      }
      frame = (rotateRight((lo & lowLo) | (hi & lowHi), lowRotate) - base) | 0;
      if (frame >>> 0 >= frames) return -1;
      table = frame << wordShift;
    }
    if (depth > 1) {
      at = (table + (((middle >>> (n[18] as number)) & (n[19] as number)) << 1)) | 0;
      lo = words[at] as number;
      hi = words[at + 1] as number;
      if (
        (((lo & (n[20] as number)) ^ (n[22] as number)) | ((hi & (n[21] as number)) ^ (n[23] as number))) !==
        0
      ) {
        return finish(this.#plan, depth - 2, lo, hi, vaHi, vaLo);
      }
      frame = (rotateRight((lo & lowLo) | (hi & lowHi), lowRotate) - base) | 0;
      if (frame >>> 0 >= frames) return -1;
      table = frame << wordShift;
    }
    at = (table + (((vaLo >>> (n[12] as number)) & (n[13] as number)) << 1)) | 0;
    lo = words[at] as number;
    hi = words[at + 1] as number;
    if (
      (((lo & (n[14] as number)) ^ (n[16] as number)) | ((hi & (n[15] as number)) ^ (n[17] as number))) !==
      0
    ) {
      return finish(this.#plan, depth - 1, lo, hi, vaHi, vaLo);
    }
    frame = rotateRight((lo & lowLo) | (hi & lowHi), lowRotate) >>> 0;
    if (((lo & (n[8] as number)) | (hi & (n[9] as number))) === 0) return frame;
    return pfnHigh(this.#plan.address, lo, hi) * 4294967296 + frame;
  }
}

/** First address bit of the word that the unrolled walk takes a step's slot from; -1 when none of them holds it. */
function wordOfSlot({ shift, entries }: LevelPlan, step: number): number {
  const end = shift + Math.log2(entries);
  if (step === 1) return end <= 32 ? 0 : -1;
  if (step < 5 && shift >= 16 && end <= 48) return 16;
  return step > 2 && shift >= 32 ? 32 : -1;
}

interface MaskedCompare {
  readonly maskLo: number;
  readonly maskHi: number;
  readonly valueLo: number;
  readonly valueHi: number;
}

/** "Is a table, and bits 32 and up of its frame are those of the bank" as one masked compare. */
function tableTest({ address }: Plan, { table }: LevelPlan, high: number): MaskedCompare {
  return {
    maskLo: table.maskLo | address.highLo,
    maskHi: table.maskHi | address.highHi,
    valueLo: table.valueLo | addressLo(address, 0, high),
    valueHi: table.valueHi | addressHi(address, 0, high),
  };
}

/** "Is a plain page" as one masked compare; nothing meets it where pages have rules that a mask cannot say. */
function pageTest({ leaf, napotLo, napotHi }: LevelPlan): MaskedCompare {
  if (leaf.rest !== null) return { maskLo: 0, maskHi: 0, valueLo: 1, valueHi: 0 };
  return {
    maskLo: leaf.maskLo | napotLo,
    maskHi: leaf.maskHi | napotHi,
    valueLo: leaf.valueLo,
    valueHi: leaf.valueHi,
  };
}

/** The end of a walk: the entry is a leaf, or there is no translation. */
function finish(plan: Plan, index: number, lo: number, hi: number, vaHi: number, vaLo: number): number {
  const level = plan.levels[index] as LevelPlan;
  const { leaf } = level;
  if ((((lo & leaf.maskLo) ^ leaf.valueLo) | ((hi & leaf.maskHi) ^ leaf.valueHi)) !== 0) return -1;
  if (leaf.rest !== null && !meets(leaf, lo, hi)) return -1;
  return leafFrame(plan, level, lo, hi, vaHi, vaLo);
}

/** The base page that a leaf maps an address to: the leaf's frame plus the address bits inside the leaf. */
export function leafFrame(
  plan: Plan,
  level: LevelPlan,
  lo: number,
  hi: number,
  vaHi: number,
  vaLo: number,
): number {
  const { address, pageShift } = plan;
  const { insideLow, insideHigh } = level;
  let low = pfnLow(address, lo, hi);
  let high = pfnHigh(address, lo, hi);
  const pageLow = (vaLo >>> pageShift) | (vaHi << (32 - pageShift));
  if (insideLow !== 0) {
    low = (low & ~insideLow) | (pageLow & insideLow);
    high = (high & ~insideHigh) | ((vaHi >>> pageShift) & insideHigh);
  }
  if (((lo & level.napotLo) | (hi & level.napotHi)) !== 0) {
    low = (low & ~level.napotInside) | (pageLow & level.napotInside);
  }
  return high * 4294967296 + (low >>> 0);
}

/** The walk as a loop, for several banks and sparse images: each table is looked up in the memory. */
class LookupWalk implements Translator {
  readonly #context: TableContext;
  readonly #range: RangeTest;

  constructor(context: TableContext) {
    this.#context = context;
    this.#range = new RangeTest(context.plan);
  }

  translate(vaHi: number, vaLo: number): number {
    if (!this.#range.holds(vaHi, vaLo)) return -1;
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
