import { ABOVE_BIAS, ABOVE_SHIFT, ABOVE_SPAN, DEPTH, LEVELS, STRIDE } from '../src/kernel/walk-layout';

// How the fields of a walk plan are read. A plan is the address of its words, a level the address of its own.

/** A word of a plan or of a level. */
export function word(at: usize, index: usize): u32 {
  return load<u32>(at + (index << 2));
}

/** Two adjacent words of a plan or of a level, low word first. */
export function pair(at: usize, index: usize): u64 {
  return load<u64>(at + (index << 2));
}

/** The level after a level. */
export function below(level: usize): usize {
  return level + (STRIDE << 2);
}

/** The first level. */
export function firstLevel(plan: usize): usize {
  return plan + (LEVELS << 2);
}

/** What follows the last level. */
export function endOfLevels(plan: usize): usize {
  return firstLevel(plan) + word(plan, DEPTH) * (STRIDE << 2);
}

/** True when the range has the address. */
export function isInRange(plan: usize, va: u64): bool {
  const above = ((va >> 32) as i32) >> (word(plan, ABOVE_SHIFT) as i32);
  return ((above + word(plan, ABOVE_BIAS)) as u32) <= word(plan, ABOVE_SPAN);
}
