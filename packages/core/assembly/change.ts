import { join, read, write } from './entry';
import { sumOf } from './scan';

// Loops that change entries which are there.

/** Sets a run to 0; returns how many entries were not. */
export function clear(p: usize, count: u32): i32 {
  let i: u32 = 0;
  let live: u32 = 0;
  if (ASC_FEATURE_THREADS) {
    // Exchanged, so that an entry which another thread writes meanwhile is counted or stays.
    for (; i < count; i++) {
      const q = p + (i << 3);
      if (read(q) !== 0 && atomic.xchg<u64>(q, 0) !== 0) live++;
    }
    return live;
  }
  const zero = i64x2.splat(0);
  let zerosA = zero;
  let zerosB = zero;
  const blocks = count & ~3;
  for (; i < blocks; i += 4) {
    const q = p + (i << 3);
    zerosA = i64x2.add(zerosA, i64x2.eq(v128.load(q), zero));
    zerosB = i64x2.add(zerosB, i64x2.eq(v128.load(q, 16), zero));
    v128.store(q, zero);
    v128.store(q, zero, 16);
  }
  live = blocks + sumOf(i64x2.add(zerosA, zerosB));
  for (; i < count; i++) {
    const q = p + (i << 3);
    live += u32(load<u64>(q) !== 0);
    store<u64>(q, 0);
  }
  return live;
}

/** Gives every entry that is not 0 the value under the mask; its other bits stay. */
export function change(p: usize, count: u32, maskLo: u32, maskHi: u32, valueLo: u32, valueHi: u32): void {
  const mask = join(maskLo, maskHi);
  const value = join(valueLo, valueHi) & mask;
  let i: u32 = 0;
  if (ASC_FEATURE_THREADS) {
    for (; i < count; i++) changeAtomically(p + (i << 3), mask, value);
    return;
  }
  const masks = i64x2.splat(mask);
  const values = i64x2.splat(value);
  for (const blocks = count & ~3; i < blocks; i += 4) {
    const q = p + (i << 3);
    v128.store(q, changed(v128.load(q), masks, values));
    v128.store(q, changed(v128.load(q, 16), masks, values), 16);
  }
  for (; i < count; i++) {
    const q = p + (i << 3);
    const entry = load<u64>(q);
    if (entry !== 0) store<u64>(q, (entry & ~mask) | value);
  }
}

/** Copies a run of entries to another place; they may overlap. */
export function copy(to: usize, from: usize, count: u32): void {
  if (!ASC_FEATURE_THREADS) {
    memory.copy(to, from, count << 3);
  } else if (to < from) {
    for (let i: u32 = 0; i < count; i++) write(to + (i << 3), read(from + (i << 3)));
  } else {
    for (let i = count; i > 0; i--) write(to + (i << 3) - 8, read(from + (i << 3) - 8));
  }
}

function changed(entries: v128, masks: v128, values: v128): v128 {
  const next = v128.or(v128.andnot(entries, masks), values);
  return v128.andnot(next, i64x2.eq(entries, i64x2.splat(0)));
}

/** Bits outside the mask stay even when another thread sets them meanwhile. */
function changeAtomically(q: usize, mask: u64, value: u64): void {
  let entry = read(q);
  while (entry !== 0) {
    const seen = atomic.cmpxchg<u64>(q, entry, (entry & ~mask) | value);
    if (seen === entry) return;
    entry = seen;
  }
}
