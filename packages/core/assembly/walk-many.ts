import {
  BANK_WORDS,
  INSIDE_LO,
  LEAF_VALUE_LO,
  OFFSET,
  ROOT,
  ROTATE,
  SHIFT,
  SLOT_MASK,
  STRIDE,
  TABLE_MASK_LO,
  TABLE_VALUE_LO,
} from '../src/kernel/walk-layout';
import { read } from './entry';
import { isTable, NO_TABLE, slotOf, tableOf, walkOne } from './walk-one';
import { plainFrame, plainLeafMask, plainShift } from './walk-plain';
import { below, endOfLevels, firstLevel, isInRange, pair, word } from './walk-plan';

/**
 * Walks many addresses; see `RunKernels.walkMany`.
 *
 * The table of the last level but one is kept from one address to the next, as an MMU keeps it in a paging-structure
 * cache: nothing changes during a call. So most walks read two entries, and one walk does not wait for another.
 *
 * @param plan - address of the plan's words.
 * @param bank - address of the bank's first byte.
 * @param shifts - address of one byte for each address, always written.
 * @returns how many addresses the plan could not tell.
 */
export function walkMany(
  plan: usize,
  bank: usize,
  addresses: usize,
  count: u32,
  frames: usize,
  shifts: usize,
): u32 {
  const first = firstLevel(plan);
  const last = endOfLevels(plan) - (STRIDE << 2);
  const root = bank + (word(plan, ROOT) << 2);
  // A root of one level has no level above the last.
  const upper = last === first ? last : last - (STRIDE << 2);

  const upperShift = word(upper, SHIFT) as u64;
  const upperSlots = word(upper, SLOT_MASK);
  const tableMask = pair(upper, TABLE_MASK_LO);
  const tableValue = pair(upper, TABLE_VALUE_LO);
  const insideMask = pair(plan, INSIDE_LO);
  const rotate = word(plan, ROTATE);
  const offset = word(plan, OFFSET);
  const bankWords = word(plan, BANK_WORDS);
  const lastShift = word(last, SHIFT);
  const lastSlots = word(last, SLOT_MASK);
  const leafMask = plainLeafMask(plan, last);
  const leafValue = leafMask === 0 ? 1 : pair(last, LEAF_VALUE_LO);
  const frameMask = plainFrame(plan);
  const frameShift = plainShift(plan);
  /** The bits of an address that say which table of the last level but one is its own. */
  const keyMask = ~(((upperSlots as u64) << upperShift) | (((1 as u64) << upperShift) - 1));

  let unknown: u32 = 0;
  let table = NO_TABLE;
  let key: u64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const va = load<u64>(addresses + (i << 3));
    const frameAt = frames + (i << 3);
    const shiftAt = shifts + i;
    if (((va ^ key) & keyMask) !== 0 || table === NO_TABLE) {
      if (!isInRange(plan, va)) {
        store<f64>(frameAt, -1);
        store<u8>(shiftAt, 0);
        continue;
      }
      let level = first;
      let next = root;
      while (level !== upper) {
        const entry = read(slotOf(level, next, va));
        const found = isTable(level, entry) ? tableOf(plan, bank, entry) : NO_TABLE;
        if (found === NO_TABLE) break;
        next = found;
        level = below(level);
      }
      if (level !== upper) {
        unknown += walkOne(plan, bank, level, next, va, frameAt, shiftAt);
        continue;
      }
      table = next;
      key = va;
    }
    const entry = read(table + ((((va >> upperShift) as usize) & upperSlots) << 3));
    if (upper !== last && (entry & tableMask) === tableValue) {
      const inside = entry & insideMask;
      const at = rotr<u32>((inside as u32) | ((inside >> 32) as u32), rotate) - offset;
      if (at < bankWords) {
        const leaf = read(bank + (at << 2) + ((((va >> (lastShift as u64)) as usize) & lastSlots) << 3));
        if ((leaf & leafMask) === leafValue) {
          store<f64>(frameAt, ((leaf & frameMask) >> frameShift) as i64 as f64);
          store<u8>(shiftAt, lastShift as u8);
          continue;
        }
      }
    }
    unknown += walkOne(plan, bank, upper, table, va, frameAt, shiftAt);
  }
  return unknown;
}
