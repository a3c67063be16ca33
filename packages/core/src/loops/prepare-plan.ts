import { joinWords } from '../words.js';
import * as at from './walk-layout.js';
import { SCRATCH_BYTES } from './wasm/scratch-layout.js';

/**
 * Fills in the fields of a plan that a walk in WebAssembly needs, from `UPPER_SHIFT` on. They follow from
 * the fields before.
 *
 * A *plain* leaf is at the last level and in no NAPOT run, and its frame is one mask and one shift of its 64
 * bits: pieces of its address that are elsewhere (LPA, LPA2) are 0. One masked compare tells it. Every other
 * leaf takes the full walk.
 *
 * Levels are *simple* when all above the last have the same bits for a table, and these bits, shifted left,
 * give its place in the bank. That is true of x86-64, arm64 and riscv64.
 */
export function preparePlan(plan: Int32Array): void {
  const word = (index: number): number => plan[index] as number;
  const levels = Array.from({ length: word(at.DEPTH) }, (_, i) => at.LEVELS + i * at.STRIDE);
  const last = levels[levels.length - 1] as number;
  // A root of one level has no level above the last.
  const upper = levels[levels.length - 2] ?? last;
  // A range of only two levels whose top bit is copied upwards has that bit in the key. The range is checked
  // only for addresses with a new key.
  const keyShift = Math.min(
    word(upper + at.SHIFT) + Math.log2(word(upper + at.SLOT_MASK) + 1),
    32 + word(at.ABOVE_SHIFT),
  );
  plan[at.UPPER_SHIFT] = word(upper + at.SHIFT) - 3;
  plan[at.UPPER_SLOTS] = word(upper + at.SLOT_MASK) << 3;
  putPair(plan, at.UPPER_MASK, pair(plan, upper + at.TABLE_MASK_LO));
  putPair(plan, at.UPPER_VALUE, pair(plan, upper + at.TABLE_VALUE_LO));
  plan[at.LAST_SHIFT] = word(last + at.SHIFT) - 3;
  plan[at.LAST_SLOTS] = word(last + at.SLOT_MASK) << 3;
  plan[at.KEY_SHIFT] = keyShift;
  putPair(plan, at.KEY_MASK, -1n << BigInt(keyShift));
  preparePlain(plan, last);
  prepareSingle(plan, levels, last);
}

function preparePlain(plan: Int32Array, last: number): void {
  const rotate = plan[at.LOW_ROTATE] as number;
  const under = (1 << rotate) - 1;
  const mainLo = plan[at.LOW_LO] as number;
  const mainHi = plan[at.LOW_HI] as number;
  // A rotation carries bits over the end of a word. A 64-bit shift does not.
  const high = plan[at.HIGH_HI_ROTATE] === rotate ? (plan[at.HIGH_HI] as number) & ~under : 0;
  const frame = joinWords(mainLo & ~under, (mainHi & under) | high);
  const address =
    joinWords(mainLo, mainHi) | joinWords(plan[at.HIGH_LO] as number, plan[at.HIGH_HI] as number);
  const zeros = pair(plan, last + at.NAPOT_LO) | (address & ~frame);
  const leafMask = pair(plan, last + at.LEAF_MASK_LO);
  const leafValue = pair(plan, last + at.LEAF_VALUE_LO);
  const tableMask = pair(plan, last + at.TABLE_MASK_LO);
  const tableValue = pair(plan, last + at.TABLE_VALUE_LO);
  // Tables are tried before leaves. The last level has no tables, or none that looks like a leaf.
  const mayBeTable =
    (tableValue & ~tableMask) === 0n && (leafMask & tableMask & (leafValue ^ tableValue)) === 0n;
  const inside = (plan[last + at.INSIDE_LOW] as number) | (plan[last + at.INSIDE_HIGH] as number);
  const isNever = mayBeTable || inside !== 0 || (leafValue & zeros) !== 0n;
  putPair(plan, at.PLAIN_MASK, isNever ? 0n : leafMask | zeros);
  putPair(plan, at.PLAIN_VALUE, isNever ? 1n : leafValue);
  putPair(plan, at.FRAME_MASK, frame);
  plan[at.FRAME_SHIFT] = rotate;
}

function prepareSingle(plan: Int32Array, levels: readonly number[], last: number): void {
  const [first = last] = levels;
  const upper = levels.slice(0, -1);
  const inside = pair(plan, at.INSIDE_LO);
  // Shifted right by ROTATE it is a word index; shifted left by 2, its byte.
  const left = 2 - (plan[at.ROTATE] as number);
  const slots = plan[last + at.SLOT_MASK] as number;
  const isSimple =
    upper.length > 0 &&
    left >= 0 &&
    inside << BigInt(left) < 1n << 32n &&
    upper.every(
      (level) =>
        pair(plan, level + at.TABLE_MASK_LO) === pair(plan, first + at.TABLE_MASK_LO) &&
        pair(plan, level + at.TABLE_VALUE_LO) === pair(plan, first + at.TABLE_VALUE_LO) &&
        // A root may have fewer entries than a table. One with more is larger than a page.
        (plan[level + at.SLOT_MASK] as number) <= slots,
    );
  putPair(plan, at.SINGLE_MASK, isSimple ? pair(plan, first + at.TABLE_MASK_LO) : 0n);
  putPair(plan, at.SINGLE_VALUE, isSimple ? pair(plan, first + at.TABLE_VALUE_LO) : 1n);
  putPair(plan, at.SINGLE_INSIDE, inside);
  plan[at.SINGLE_LEFT] = left;
  plan[at.SINGLE_BASE] = SCRATCH_BYTES - ((plan[at.OFFSET] as number) << 2);
  plan[at.SINGLE_SLOTS] = slots << 3;
  plan[at.SINGLE_ROOT_SLOTS] = (plan[first + at.SLOT_MASK] as number) << 3;
  plan[at.SINGLE_ROOT] = SCRATCH_BYTES + ((plan[at.ROOT] as number) << 2);
  plan[at.SINGLE_REACH] = (plan[at.LAST_TABLE] as number) << 2;
  // From the last level up, so that a walk of any depth ends with the first.
  for (const [index, level] of [...levels].reverse().entries()) {
    plan[at.SINGLE_SHIFTS + index] = (plan[level + at.SHIFT] as number) - 3;
  }
}

function pair(plan: Int32Array, index: number): bigint {
  return joinWords(plan[index] as number, plan[index + 1] as number);
}

function putPair(plan: Int32Array, index: number, value: bigint): void {
  plan[index] = Number(BigInt.asIntN(32, value));
  plan[index + 1] = Number(BigInt.asIntN(32, value >> 32n));
}
