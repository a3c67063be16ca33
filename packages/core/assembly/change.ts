import { join, read, write } from './entry';
import { sumOf } from './scan';

// Loops that change existing entries.

/** Sets a run of entries to 0. Returns the number of entries that were not 0. */
export function clear(p: usize, count: u32): i32 {
  let i: u32 = 0;
  let live: u32 = 0;
  if (ASC_FEATURE_THREADS) {
    // An exchange either counts or keeps an entry that another thread writes meanwhile.
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

/** Sets the bits under the mask to the value in every entry that is not 0; its other bits stay. Returns the number of such entries. */
export function change(p: usize, count: u32, maskLo: u32, maskHi: u32, valueLo: u32, valueHi: u32): i32 {
  const mask = join(maskLo, maskHi);
  const value = join(valueLo, valueHi) & mask;
  let i: u32 = 0;
  let live: u32 = 0;
  if (ASC_FEATURE_THREADS) {
    for (; i < count; i++) live += changeAtomically(p + (i << 3), mask, value);
    return live;
  }
  const masks = i64x2.splat(mask);
  const values = i64x2.splat(value);
  const zero = i64x2.splat(0);
  let zeros = zero;
  const blocks = count & ~3;
  for (; i < blocks; i += 4) {
    const q = p + (i << 3);
    const one = v128.load(q);
    const two = v128.load(q, 16);
    const noOne = i64x2.eq(one, zero);
    const noTwo = i64x2.eq(two, zero);
    zeros = i64x2.add(zeros, i64x2.add(noOne, noTwo));
    v128.store(q, v128.andnot(v128.or(v128.andnot(one, masks), values), noOne));
    v128.store(q, v128.andnot(v128.or(v128.andnot(two, masks), values), noTwo), 16);
  }
  live = blocks + sumOf(zeros);
  for (; i < count; i++) {
    const q = p + (i << 3);
    const entry = load<u64>(q);
    if (entry === 0) continue;
    store<u64>(q, (entry & ~mask) | value);
    live++;
  }
  return live;
}

/** Copies a run of entries. Source and target may overlap. */
export function copy(to: usize, from: usize, count: u32): void {
  if (!ASC_FEATURE_THREADS) {
    memory.copy(to, from, count << 3);
  } else if (to < from) {
    for (let i: u32 = 0; i < count; i++) write(to + (i << 3), read(from + (i << 3)));
  } else {
    for (let i = count; i > 0; i--) write(to + (i << 3) - 8, read(from + (i << 3) - 8));
  }
}

/** Changes one entry. Bits outside the mask stay, even when another thread sets them meanwhile. Returns 1, or 0 for an entry of 0. */
function changeAtomically(q: usize, mask: u64, value: u64): u32 {
  let entry = read(q);
  while (entry !== 0) {
    const seen = atomic.cmpxchg<u64>(q, entry, (entry & ~mask) | value);
    if (seen === entry) return 1;
    entry = seen;
  }
  return 0;
}
