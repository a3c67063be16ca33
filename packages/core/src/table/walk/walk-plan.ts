import type { FastMatch, LevelPlan, Plan } from '../../format/plan.js';
import { preparePlan } from '../../loops/prepare-plan.js';
import type { BankSpan } from '../../loops/run-loops.js';
import * as layout from '../../loops/walk-layout.js';
import { isWalkable, lastTableWord, type TableWindow, tableWindow } from './bank-window.js';
import { rangeTest } from './walk-end.js';

/**
 * The plan of a root; `null` where its tables cannot be walked as words of one bank. See `WalkLoops.planOf`.
 */
export function planOf(plan: Plan, bank: BankSpan, rootWord: number): Int32Array | null {
  return isWalkable(plan, bank) ? walkPlan(plan, bank, rootWord) : null;
}

/**
 * A root and its format as the numbers that `WalkLoops.walkMany` needs, for tables in one walkable bank.
 *
 * @param rootWord - index of the root's first word in the bank.
 */
function walkPlan(plan: Plan, bank: BankSpan, rootWord: number): Int32Array {
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
  // Tables are tried first: a leaf that looks like a table outside of the bank must not count as one.
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

/** Writes a match, mask first. `null` becomes a match that no entry meets. */
function putMatch(words: Int32Array, at: number, match: FastMatch | null): void {
  words[at] = match?.maskLo ?? 0;
  words[at + 1] = match?.maskHi ?? 0;
  words[at + 2] = match?.valueLo ?? 1;
  words[at + 3] = match?.valueHi ?? 0;
}
