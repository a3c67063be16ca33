import { addressHi, addressLo } from '../../address-codec.js';
import type { FastMatch, LevelPlan, Plan } from '../../format/plan.js';
import { preparePlan } from '../../loops/prepare-plan.js';
import * as layout from '../../loops/walk-layout.js';
import type { Bank } from '../../memory/bank.js';
import { rangeTest } from './walk-end.js';

/** First frame of a bank, and log2 of the frames of the smallest aligned window around it. */
function windowOf(plan: Plan, bank: Bank): { first: number; frameBits: number } {
  const first = Number(bank.base >> BigInt(plan.pageShift));
  const last = first + Math.max(1, Math.floor(bank.bytes / 2 ** plan.pageShift)) - 1;
  let frameBits = 0;
  while (Math.floor(first / 2 ** frameBits) !== Math.floor(last / 2 ** frameBits)) frameBits++;
  return { first, frameBits };
}

/**
 * True when entries of a root can be walked as words of one bank: the low bits of a table's address, rotated, are the index
 * of its first word.
 */
export function isWalkable(plan: Plan, bank: Bank): boolean {
  const { pageShift, format } = plan;
  return (
    bank.linear &&
    bank.bytes >= 2 ** pageShift &&
    format.range.bits >= 32 &&
    bank.base % BigInt(2 ** pageShift) === 0n &&
    // A word's index has 32 bits in the window, and 31 in the bank: 8 GiB.
    bank.bytes < 2 ** 33 &&
    windowOf(plan, bank).frameBits + pageShift - 2 <= 32
  );
}

/** The highest word index at which a whole table fits into a bank. */
export function lastTableWord({ pageWords }: Plan, bank: Bank): number {
  return bank.bytes / 4 - pageWords;
}

/** The bits of a table entry that say in which word of a bank its table starts, and those that say that it is in the window. */
export interface TableWindow {
  /** Entry bits of a frame inside the window, and their rotation to a word index. */
  readonly insideLo: number;
  readonly insideHi: number;
  readonly rotate: number;
  /** Words from the start of the window to the bank. */
  readonly offset: number;
  /** Address bits above the window, and what they are. */
  readonly aboveLo: number;
  readonly aboveHi: number;
  readonly valueLo: number;
  readonly valueHi: number;
}

/** The window of a bank in a format's table entries. */
export function tableWindow(plan: Plan, bank: Bank): TableWindow {
  const { address, pageShift } = plan;
  const { first, frameBits } = windowOf(plan, bank);
  const wordShift = pageShift - 2;
  const high = Math.floor(first / 4294967296);
  const insideLo = addressLo(address, 2 ** frameBits - 1, 0) | 0;
  const insideHi = addressHi(address, 2 ** frameBits - 1, 0) | 0;
  const aboveLo = (address.lowLo | address.highLo) & ~insideLo;
  const aboveHi = (address.lowHi | address.highHi) & ~insideHi;
  return {
    insideLo,
    insideHi,
    rotate: (address.lowRotate - wordShift) & 31,
    offset: ((first % 2 ** frameBits) * 2 ** wordShift) | 0,
    aboveLo,
    aboveHi,
    valueLo: addressLo(address, first | 0, high) & aboveLo,
    valueHi: addressHi(address, first | 0, high) & aboveHi,
  };
}

/**
 * A root and its format as the numbers that `RunLoops.walkMany` walks by, for tables in one walkable bank.
 *
 * @param rootWord - index of the root's first word in the bank.
 */
export function walkPlan(plan: Plan, bank: Bank, rootWord: number): Int32Array {
  const { address, levels, pageShift } = plan;
  const { aboveShift, zeros, ones } = rangeTest(plan);
  const window = tableWindow(plan, bank);
  const words = new Int32Array(layout.PLAN_WORDS);
  words[layout.DEPTH] = levels.length;
  words[layout.ROOT] = rootWord;
  words[layout.LAST_TABLE] = lastTableWord(plan, bank);
  words[layout.PAGE_SHIFT] = pageShift;
  words[layout.ABOVE_SHIFT] = aboveShift;
  words[layout.ABOVE_BIAS] = -Math.min(zeros, ones);
  words[layout.ABOVE_SPAN] = Math.abs(zeros - ones);
  words[layout.INSIDE_LO] = window.insideLo;
  words[layout.INSIDE_HI] = window.insideHi;
  words[layout.ROTATE] = window.rotate;
  words[layout.OFFSET] = window.offset;
  words[layout.LOW_ROTATE] = address.lowRotate;
  words[layout.LOW_LO] = address.lowLo;
  words[layout.LOW_HI] = address.lowHi;
  words[layout.HIGH_LO_ROTATE] = address.highLoRotate;
  words[layout.HIGH_LO] = address.highLo;
  words[layout.HIGH_HI_ROTATE] = address.highHiRotate;
  words[layout.HIGH_HI] = address.highHi;
  for (const level of levels) {
    words.set(levelWords(level, window), layout.LEVELS + level.index * layout.STRIDE);
  }
  preparePlan(words);
  return words;
}

/** One level of a plan. An entry that only its rules can tell is left to the caller. */
function levelWords(level: LevelPlan, window: TableWindow): Int32Array {
  const { table, sureLeaf } = level;
  const leaf = sureLeaf ?? level.leaf;
  const tables = table.rest === null && level.level.table !== null;
  // Tables are tried first: a leaf that looks like a table outside of the bank must not be taken for one.
  const isApart =
    level.level.table === null ||
    ((table.maskLo & leaf.maskLo & (table.valueLo ^ leaf.valueLo)) |
      (table.maskHi & leaf.maskHi & (table.valueHi ^ leaf.valueHi))) !==
      0;
  const leaves = sureLeaf !== null && isApart;
  const isTold =
    (tables || level.level.table === null) &&
    ((leaves && level.leaf.rest === null) || level.level.leaf === null);
  const words = new Int32Array(layout.STRIDE);
  words[layout.SHIFT] = level.shift;
  words[layout.SLOT_MASK] = level.entries - 1;
  putMatch(words, layout.TABLE_MASK_LO, tables ? table : null);
  if (tables) {
    words[layout.TABLE_MASK_LO] = table.maskLo | window.aboveLo;
    words[layout.TABLE_MASK_HI] = table.maskHi | window.aboveHi;
    words[layout.TABLE_VALUE_LO] = table.valueLo | window.valueLo;
    words[layout.TABLE_VALUE_HI] = table.valueHi | window.valueHi;
  }
  putMatch(words, layout.LEAF_MASK_LO, leaves ? leaf : null);
  words[layout.INSIDE_LOW] = level.insideLow;
  words[layout.INSIDE_HIGH] = level.insideHigh;
  words[layout.NAPOT_LO] = level.napotLo;
  words[layout.NAPOT_HI] = level.napotHi;
  words[layout.NAPOT_INSIDE] = level.napotInside;
  words[layout.MAY_BE_OTHER] = isTold ? 0 : 1;
  return words;
}

/** Writes a match, mask first; one that nothing meets for `null`. */
function putMatch(words: Int32Array, at: number, match: FastMatch | null): void {
  words[at] = match?.maskLo ?? 0;
  words[at + 1] = match?.maskHi ?? 0;
  words[at + 2] = match?.valueLo ?? 1;
  words[at + 3] = match?.valueHi ?? 0;
}
