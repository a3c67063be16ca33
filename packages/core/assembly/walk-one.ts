import {
  HIGH_HI,
  HIGH_HI_ROTATE,
  HIGH_LO,
  HIGH_LO_ROTATE,
  INSIDE_HIGH,
  INSIDE_LO,
  INSIDE_LOW,
  LAST_TABLE,
  LEAF_MASK_LO,
  LEAF_VALUE_LO,
  LOW_LO,
  LOW_ROTATE,
  MAY_BE_OTHER,
  NAPOT_INSIDE,
  NAPOT_LO,
  OFFSET,
  PAGE_SHIFT,
  ROOT,
  ROTATE,
  SHIFT,
  SLOT_MASK,
  TABLE_MASK_LO,
  TABLE_VALUE_LO,
} from '../src/loops/walk-layout';
import { PLAN, SCRATCH_BYTES } from '../src/loops/wasm/scratch-layout';
import { join, read } from './entry';
import { below, endOfLevels, FIRST_LEVEL, field, isInRange, pair, upperLevel, word } from './walk-plan';

// The whole walk, level by level, for addresses that the loop in walk-many.ts does not handle itself. It reads each field where it
// uses it.

/** A table outside the bank. The scratch page starts at this address, so no table does. */
export const NO_TABLE: usize = 0;

/** Byte address of the root table. */
export function rootTable(): usize {
  return SCRATCH_BYTES + (field(ROOT) << 2);
}

/** The entry of an address in a table. */
export function entryOf(level: usize, table: usize, va: u64): u64 {
  return read(table + ((((va >> (word(level, SHIFT) as u64)) as usize) & word(level, SLOT_MASK)) << 3));
}

/** True when the entry points to a table. */
export function isTable(level: usize, entry: u64): bool {
  return (entry & pair(level, TABLE_MASK_LO)) === pair(level, TABLE_VALUE_LO);
}

/** Byte address of the table that an entry points to; `NO_TABLE` outside the bank. */
export function tableOf(entry: u64): usize {
  const inside = entry & pair(PLAN, INSIDE_LO);
  const at = rotr<u32>((inside as u32) | ((inside >> 32) as u32), field(ROTATE)) - field(OFFSET);
  return at <= field(LAST_TABLE) ? SCRATCH_BYTES + (at << 2) : NO_TABLE;
}

/**
 * Walks one address and stores its frame and leaf shift.
 *
 * @param known - its table of the last level but one, where the walk begins; `NO_TABLE` to begin at the root.
 * @param frameAt - takes the frame.
 * @param shiftAt - takes the leaf shift.
 * @returns 0 with a frame, else 1.
 */
export function walkOne(va: u64, known: usize, frameAt: usize, shiftAt: usize): u32 {
  const end = endOfLevels();
  let frame: f64 = -1;
  let leafShift: u32 = 0;
  let table = known;
  let level = upperLevel();
  if (known === NO_TABLE) {
    table = rootTable();
    level = isInRange(va) ? FIRST_LEVEL : end;
  }
  for (; level !== end; level = below(level)) {
    const entry = entryOf(level, table, va);
    if (isTable(level, entry)) {
      table = tableOf(entry);
      if (table !== NO_TABLE) continue;
      frame = -2;
    } else if ((entry & pair(level, LEAF_MASK_LO)) === pair(level, LEAF_VALUE_LO)) {
      frame = frameOf(level, entry, va);
      leafShift = word(level, SHIFT);
    } else if (word(level, MAY_BE_OTHER) === 1) {
      frame = -2;
    }
    break;
  }
  store<f64>(frameAt, frame);
  store<u8>(shiftAt, leafShift as u8);
  return u32(frame < 0);
}

/** The frame of an address in a leaf, in base pages. */
function frameOf(level: usize, entry: u64, va: u64): f64 {
  const lo = entry as u32;
  const hi = (entry >> 32) as u32;
  const isNapot = (entry & pair(level, NAPOT_LO)) !== 0;
  const inside = join(
    word(level, INSIDE_LOW) | (isNapot ? word(level, NAPOT_INSIDE) : 0),
    word(level, INSIDE_HIGH),
  );
  const main = entry & pair(PLAN, LOW_LO);
  const low = rotr<u32>((main as u32) | ((main >> 32) as u32), field(LOW_ROTATE));
  const high =
    rotr<u32>(lo & field(HIGH_LO), field(HIGH_LO_ROTATE)) |
    rotr<u32>(hi & field(HIGH_HI), field(HIGH_HI_ROTATE));
  const page = va >> (field(PAGE_SHIFT) as u64);
  return ((join(low, high) & ~inside) | (page & inside)) as i64 as f64;
}
