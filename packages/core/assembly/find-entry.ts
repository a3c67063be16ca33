import * as layout from '../src/loops/walk-layout';
import { PLAN, SCRATCH_BYTES } from '../src/loops/wasm/scratch-layout';
import { join, read } from './entry';
import { field, isInRange, pair } from './walk-plan';

// Walks one address to its entry of the last level, by the plan in the scratch pages, for plans of simple levels. The walk of four
// levels is unrolled: a branch on the depth, or a loop, takes 2 ns more.

/** The answer for a walk that ends above the last level. */
const NO_ENTRY: i32 = -1;

const SHIFTS: usize = PLAN + (layout.SINGLE_SHIFTS << 2);

/** The slot of an address in bytes. `shift` is the place of the shift. */
function slot(va: u64, shift: usize, slots: u32): usize {
  return ((va >> (load<u32>(shift) as u64)) as u32) & slots;
}

/** The place of the table that an entry points to. It is beyond `reach` for a table outside the bank. */
function placeOf(entry: u64, inside: u64, left: u64, base: u32): u32 {
  return (((entry & inside) << left) as u32) + base;
}

/** The word index of an entry in the bank. */
function wordOf(at: usize): i32 {
  return ((at - SCRATCH_BYTES) >> 2) as i32;
}

/**
 * Finds the place in the bank of the entry for an address, by a plan of four levels, the usual case. The entry may have any value.
 *
 * @returns its word index, or -1.
 */
export function findEntry4(hi: u32, lo: u32): i32 {
  const va = join(lo, hi);
  if (!isInRange(va)) return NO_ENTRY;
  const mask = pair(PLAN, layout.SINGLE_MASK);
  const value = pair(PLAN, layout.SINGLE_VALUE);
  const inside = pair(PLAN, layout.SINGLE_INSIDE);
  const left = field(layout.SINGLE_LEFT) as u64;
  const base = field(layout.SINGLE_BASE);
  const reach = field(layout.SINGLE_REACH);
  const slots = field(layout.SINGLE_SLOTS);
  const root = field(layout.SINGLE_ROOT) as usize;
  let entry = read(root + slot(va, SHIFTS + 12, field(layout.SINGLE_ROOT_SLOTS)));
  let table = placeOf(entry, inside, left, base);
  if ((entry & mask) !== value || table - SCRATCH_BYTES > reach) return NO_ENTRY;
  entry = read(table + slot(va, SHIFTS + 8, slots));
  table = placeOf(entry, inside, left, base);
  if ((entry & mask) !== value || table - SCRATCH_BYTES > reach) return NO_ENTRY;
  entry = read(table + slot(va, SHIFTS + 4, slots));
  table = placeOf(entry, inside, left, base);
  if ((entry & mask) !== value || table - SCRATCH_BYTES > reach) return NO_ENTRY;
  return wordOf(table + slot(va, SHIFTS, slots));
}

/** The same by a plan of any depth. */
export function findEntry(hi: u32, lo: u32): i32 {
  const va = join(lo, hi);
  if (!isInRange(va)) return NO_ENTRY;
  let shift = SHIFTS + ((field(layout.DEPTH) - 1) << 2);
  let at: usize = field(layout.SINGLE_ROOT) + slot(va, shift, field(layout.SINGLE_ROOT_SLOTS));
  while (shift !== SHIFTS) {
    const entry = read(at);
    const inside = pair(PLAN, layout.SINGLE_INSIDE);
    const table = placeOf(entry, inside, field(layout.SINGLE_LEFT) as u64, field(layout.SINGLE_BASE));
    const isTable = (entry & pair(PLAN, layout.SINGLE_MASK)) === pair(PLAN, layout.SINGLE_VALUE);
    if (!isTable || table - SCRATCH_BYTES > field(layout.SINGLE_REACH)) return NO_ENTRY;
    shift -= 4;
    at = table + slot(va, shift, field(layout.SINGLE_SLOTS));
  }
  return wordOf(at);
}
