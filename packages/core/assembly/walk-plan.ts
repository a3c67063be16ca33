import { ABOVE_BIAS, ABOVE_SHIFT, ABOVE_SPAN, DEPTH, LEVELS, STRIDE } from '../src/loops/walk-layout';
import { PLAN } from '../src/loops/wasm/scratch-layout';

// Reads the fields of the walk plan in the scratch page. A level is the address of its words.

/** Bytes of a level. */
const LEVEL_BYTES: usize = STRIDE << 2;
/** The first level. */
export const FIRST_LEVEL: usize = PLAN + (LEVELS << 2);

/** A word of the plan. */
export function field(index: usize): u32 {
  return load<u32>(PLAN + (index << 2));
}

/** A word of a level. */
export function word(level: usize, index: usize): u32 {
  return load<u32>(level + (index << 2));
}

/** Two adjacent words of a level or of the plan, low word first. */
export function pair(at: usize, index: usize): u64 {
  return load<u64>(at + (index << 2));
}

/** The level after a level. */
export function below(level: usize): usize {
  return level + LEVEL_BYTES;
}

/** The end of the last level. */
export function endOfLevels(): usize {
  return FIRST_LEVEL + field(DEPTH) * LEVEL_BYTES;
}

/** The last level but one. A plan of one level has that one. */
export function upperLevel(): usize {
  const last = endOfLevels() - LEVEL_BYTES;
  return last === FIRST_LEVEL ? last : last - LEVEL_BYTES;
}

/** True for an address in the range. */
export function isInRange(va: u64): bool {
  const above = ((va >> 32) as i32) >> (field(ABOVE_SHIFT) as i32);
  return (above as u32) + field(ABOVE_BIAS) <= field(ABOVE_SPAN);
}
