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
  TABLE_MASK_LO,
  TABLE_VALUE_LO,
} from '../src/kernel/walk-layout';
import { join } from './entry';
import { pair, word } from './walk-plan';

// A plain leaf is one whose frame is one mask and one shift of its 64 bits: it is in no NAPOT run, and the pieces of its
// address that stand elsewhere (LPA, LPA2) are 0. One masked compare tells it; every other leaf takes the whole walk.

/** How far the main field of the address is shifted. */
export function plainShift(plan: usize): u64 {
  return word(plan, LOW_ROTATE) as u64;
}

/** The bits of the address that one shift brings to their places. */
export function plainFrame(plan: usize): u64 {
  const rotate = word(plan, LOW_ROTATE);
  const under: u32 = (1 << rotate) - 1;
  const field = pair(plan, LOW_LO);
  // What a rotation takes over the end of a word, a shift of 64 bits does not.
  const lo = (field as u32) & ~under;
  const hi = ((field >> 32) as u32) & under;
  const high = word(plan, HIGH_HI_ROTATE) === rotate ? word(plan, HIGH_HI) & ~under : 0;
  return join(lo, hi | high);
}

/** The bits that tell a plain leaf, which then has the level's leaf value; 0 where none is plain. */
export function plainLeafMask(plan: usize, level: usize): u64 {
  const leafMask = pair(level, LEAF_MASK_LO);
  const leafValue = pair(level, LEAF_VALUE_LO);
  const tableMask = pair(level, TABLE_MASK_LO);
  const tableValue = pair(level, TABLE_VALUE_LO);
  const field = pair(plan, LOW_LO) | join(word(plan, HIGH_LO), word(plan, HIGH_HI));
  const zeros = pair(level, NAPOT_LO) | (field & ~plainFrame(plan));
  // Tables are tried before leaves. The last level has none, or none that looks like a leaf.
  const mayBeTable =
    (tableValue & ~tableMask) === 0 && (leafMask & tableMask & (leafValue ^ tableValue)) === 0;
  const takesInside = (word(level, INSIDE_LOW) | word(level, INSIDE_HIGH)) !== 0;
  return mayBeTable || takesInside || (leafValue & zeros) !== 0 ? 0 : leafMask | zeros;
}
