import { PLAN, PREPARED } from '../src/kernel/scratch-layout';
import {
  HIGH_HI,
  HIGH_HI_ROTATE,
  HIGH_LO,
  INSIDE_HIGH,
  INSIDE_LOW,
  LEAF_MASK_LO,
  LEAF_VALUE_LO,
  LOW_LO,
  LOW_ROTATE,
  NAPOT_LO,
  SHIFT,
  SLOT_MASK,
  TABLE_MASK_LO,
  TABLE_VALUE_LO,
} from '../src/kernel/walk-layout';
import { join } from './entry';
import { endOfLevels, field, LEVEL_BYTES, pair, upperLevel, word } from './walk-plan';

// What the loop over plain leaves needs, at fixed addresses in the scratch page: the loop keeps few numbers in registers then
// and takes the others as operands from the first cache, where V8 would spill and reload them: a walk takes 5 ns instead of 7.
//
// A plain leaf stands at the last level, is in no NAPOT run, and its frame is one mask and one shift of its 64 bits: the
// pieces of its address that stand elsewhere (LPA, LPA2) are 0. One masked compare tells it; every other leaf takes the whole
// walk.

/** The last level but one: shift and mask of its slots, in bytes of a table; and what is a table there. */
export const UPPER_SHIFT: usize = PREPARED;
export const UPPER_SLOTS: usize = PREPARED + 4;
export const UPPER_MASK: usize = PREPARED + 8;
export const UPPER_VALUE: usize = PREPARED + 16;
/** The last level: the same; and what is a plain leaf there. */
export const LAST_SHIFT: usize = PREPARED + 24;
export const LAST_SLOTS: usize = PREPARED + 28;
export const PLAIN_MASK: usize = PREPARED + 32;
export const PLAIN_VALUE: usize = PREPARED + 40;
/** The frame in a plain leaf. */
export const FRAME_MASK: usize = PREPARED + 48;
export const FRAME_SHIFT: usize = PREPARED + 56;
/** The bits of an address above those that the last two levels translate. */
export const KEY_SHIFT: usize = PREPARED + 60;
export const KEY_MASK: usize = PREPARED + 64;

/** Fills in all of it. Of a root of one level nothing is plain: its level has no tables. */
export function prepare(): void {
  const last = endOfLevels() - LEVEL_BYTES;
  const upper = upperLevel();
  store<u32>(UPPER_SHIFT, word(upper, SHIFT) - 3);
  store<u32>(UPPER_SLOTS, word(upper, SLOT_MASK) << 3);
  store<u64>(UPPER_MASK, pair(upper, TABLE_MASK_LO));
  store<u64>(UPPER_VALUE, pair(upper, TABLE_VALUE_LO));
  store<u32>(LAST_SHIFT, word(last, SHIFT) - 3);
  store<u32>(LAST_SLOTS, word(last, SLOT_MASK) << 3);
  const keyShift = word(upper, SHIFT) + popcnt<u32>(word(upper, SLOT_MASK));
  store<u32>(KEY_SHIFT, keyShift);
  store<u64>(KEY_MASK, (-1 as u64) << (keyShift as u64));
  preparePlain(last);
}

function preparePlain(level: usize): void {
  const rotate = field(LOW_ROTATE);
  const under: u32 = (1 << rotate) - 1;
  const main = pair(PLAN, LOW_LO);
  // What a rotation takes over the end of a word, a shift of 64 bits does not.
  const high = field(HIGH_HI_ROTATE) === rotate ? field(HIGH_HI) & ~under : 0;
  const frame = join((main as u32) & ~under, (((main >> 32) as u32) & under) | high);
  const zeros = pair(level, NAPOT_LO) | ((main | join(field(HIGH_LO), field(HIGH_HI))) & ~frame);
  const leafMask = pair(level, LEAF_MASK_LO);
  const leafValue = pair(level, LEAF_VALUE_LO);
  const tableMask = pair(level, TABLE_MASK_LO);
  const tableValue = pair(level, TABLE_VALUE_LO);
  // Tables are tried before leaves. The last level has none, or none that looks like a leaf.
  const mayBeTable =
    (tableValue & ~tableMask) === 0 && (leafMask & tableMask & (leafValue ^ tableValue)) === 0;
  const inside = word(level, INSIDE_LOW) | word(level, INSIDE_HIGH);
  const isNever = mayBeTable || inside !== 0 || (leafValue & zeros) !== 0;
  store<u64>(PLAIN_MASK, isNever ? 0 : leafMask | zeros);
  store<u64>(PLAIN_VALUE, isNever ? 1 : leafValue);
  store<u64>(FRAME_MASK, frame);
  store<u32>(FRAME_SHIFT, rotate);
}
