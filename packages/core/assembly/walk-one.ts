import {
  BANK_WORDS,
  HIGH_HI,
  HIGH_HI_ROTATE,
  HIGH_LO,
  HIGH_LO_ROTATE,
  INSIDE_HIGH,
  INSIDE_LO,
  INSIDE_LOW,
  LEAF_MASK_LO,
  LEAF_VALUE_LO,
  LOW_LO,
  LOW_ROTATE,
  MAY_BE_OTHER,
  NAPOT_INSIDE,
  NAPOT_LO,
  OFFSET,
  PAGE_SHIFT,
  ROTATE,
  SHIFT,
  SLOT_MASK,
  TABLE_MASK_LO,
  TABLE_VALUE_LO,
} from '../src/kernel/walk-layout';
import { join, read } from './entry';
import { below, endOfLevels, pair, word } from './walk-plan';

// The whole walk, level by level, every field read where it is used: for what the loop in walk-many.ts does not do itself.

/** What `nextTable` answers for an entry that points to no table of the bank. */
export const NO_TABLE: usize = 1;

/** Byte address of the entry of an address in a table. */
export function slotOf(level: usize, table: usize, va: u64): usize {
  return table + ((((va >> (word(level, SHIFT) as u64)) as usize) & word(level, SLOT_MASK)) << 3);
}

/** True when the entry points to a table. */
export function isTable(level: usize, entry: u64): bool {
  return (entry & pair(level, TABLE_MASK_LO)) === pair(level, TABLE_VALUE_LO);
}

/** Byte address of the table that an entry points to; `NO_TABLE` outside the bank. */
export function tableOf(plan: usize, bank: usize, entry: u64): usize {
  const inside = entry & pair(plan, INSIDE_LO);
  const at = rotr<u32>((inside as u32) | ((inside >> 32) as u32), word(plan, ROTATE)) - word(plan, OFFSET);
  return at < word(plan, BANK_WORDS) ? bank + (at << 2) : NO_TABLE;
}

/**
 * Walks one address from a table on and stores what was found.
 *
 * @returns 1 when the plan cannot tell, else 0.
 */
export function walkOne(
  plan: usize,
  bank: usize,
  from: usize,
  fromTable: usize,
  va: u64,
  frameAt: usize,
  shiftAt: usize,
): u32 {
  let frame: f64 = -1;
  let leafShift: u32 = 0;
  let table = fromTable;
  for (let level = from, end = endOfLevels(plan); level !== end; level = below(level)) {
    const entry = read(slotOf(level, table, va));
    if (isTable(level, entry)) {
      table = tableOf(plan, bank, entry);
      if (table !== NO_TABLE) continue;
      frame = -2;
    } else if ((entry & pair(level, LEAF_MASK_LO)) === pair(level, LEAF_VALUE_LO)) {
      frame = frameOf(plan, level, entry, va);
      leafShift = word(level, SHIFT);
    } else if (word(level, MAY_BE_OTHER) === 1) {
      frame = -2;
    }
    break;
  }
  store<f64>(frameAt, frame);
  store<u8>(shiftAt, leafShift as u8);
  return u32(frame === -2);
}

/** The frame of an address in a leaf, in base pages. */
function frameOf(plan: usize, level: usize, entry: u64, va: u64): f64 {
  const lo = entry as u32;
  const hi = (entry >> 32) as u32;
  const isNapot = (entry & pair(level, NAPOT_LO)) !== 0;
  const inside = join(
    word(level, INSIDE_LOW) | (isNapot ? word(level, NAPOT_INSIDE) : 0),
    word(level, INSIDE_HIGH),
  );
  const field = entry & pair(plan, LOW_LO);
  const low = rotr<u32>((field as u32) | ((field >> 32) as u32), word(plan, LOW_ROTATE));
  const high =
    rotr<u32>(lo & word(plan, HIGH_LO), word(plan, HIGH_LO_ROTATE)) |
    rotr<u32>(hi & word(plan, HIGH_HI), word(plan, HIGH_HI_ROTATE));
  const page = va >> (word(plan, PAGE_SHIFT) as u64);
  return ((join(low, high) & ~inside) | (page & inside)) as i64 as f64;
}
