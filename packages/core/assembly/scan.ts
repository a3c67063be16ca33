import { join, read } from './entry';

// Loops that search entries. Addresses are byte addresses below 2^32. The end of a memory of 4 GiB is address 0, so a loop ends at
// an equal address, never at a greater one. The SIMD part handles whole blocks, the scalar part the rest.

/** The index of the first entry that is not 0; -1 when all are 0. */
export function firstLive(p: usize, count: u32): i32 {
  let i: u32 = 0;
  if (!ASC_FEATURE_THREADS) {
    for (const blocks = count & ~7; i < blocks; i += 8) {
      if (anyInBlock(p + (i << 3))) break;
    }
  }
  for (; i < count; i++) {
    if (read(p + (i << 3)) !== 0) return i;
  }
  return -1;
}

/** The index of the last entry that is not 0; -1 when all are 0. */
export function lastLive(p: usize, count: u32): i32 {
  let i = count;
  if (!ASC_FEATURE_THREADS) {
    for (; i >= 8; i -= 8) {
      if (anyInBlock(p + (i << 3) - 64)) break;
    }
  }
  while (i > 0) {
    i--;
    if (read(p + (i << 3)) !== 0) return i;
  }
  return -1;
}

/** The number of entries that are not 0. */
export function countLive(p: usize, count: u32): i32 {
  let i: u32 = 0;
  let live: u32 = 0;
  if (!ASC_FEATURE_THREADS) {
    const zero = i64x2.splat(0);
    // Each comparison is -1 for an entry of 0. Two sums, so that an addition does not wait for the one before.
    let zerosA = zero;
    let zerosB = zero;
    const blocks = count & ~3;
    for (; i < blocks; i += 4) {
      const q = p + (i << 3);
      zerosA = i64x2.add(zerosA, i64x2.eq(v128.load(q), zero));
      zerosB = i64x2.add(zerosB, i64x2.eq(v128.load(q, 16), zero));
    }
    live = blocks + sumOf(i64x2.add(zerosA, zerosB));
  }
  for (; i < count; i++) live += u32(read(p + (i << 3)) !== 0);
  return live;
}

/** The number of entries before the first that is neither 0 nor has the value under the mask. */
export function matching(p: usize, count: u32, maskLo: u32, maskHi: u32, valueLo: u32, valueHi: u32): i32 {
  const mask = join(maskLo, maskHi);
  const value = join(valueLo, valueHi);
  let i: u32 = 0;
  if (!ASC_FEATURE_THREADS) {
    const masks = i64x2.splat(mask);
    const values = i64x2.splat(value);
    for (const blocks = count & ~3; i < blocks; i += 4) {
      const q = p + (i << 3);
      const one = v128.load(q);
      const two = v128.load(q, 16);
      // Most runs have no hole, so this checks for 0 only in a block with a difference.
      const first = v128.xor(v128.and(one, masks), values);
      const second = v128.xor(v128.and(two, masks), values);
      if (!v128.any_true(v128.or(first, second))) continue;
      if (v128.any_true(v128.or(others(one, masks, values), others(two, masks, values)))) break;
    }
  }
  for (; i < count; i++) {
    const entry = read(p + (i << 3));
    if ((entry & mask) !== value && entry !== 0) return i;
  }
  return count;
}

/** The index of the first entry that differs between two runs; -1 when they are equal. */
export function firstDifference(a: usize, b: usize, count: u32): i32 {
  let i: u32 = 0;
  if (!ASC_FEATURE_THREADS) {
    for (const blocks = count & ~3; i < blocks; i += 4) {
      const at = i << 3;
      const first = v128.xor(v128.load(a + at), v128.load(b + at));
      const second = v128.xor(v128.load(a + at, 16), v128.load(b + at, 16));
      if (v128.any_true(v128.or(first, second))) break;
    }
  }
  for (; i < count; i++) {
    if (read(a + (i << 3)) !== read(b + (i << 3))) return i;
  }
  return -1;
}

/** The sum of both lanes, below 2^32 in size. */
export function sumOf(lanes: v128): i32 {
  return (i64x2.extract_lane(lanes, 0) + i64x2.extract_lane(lanes, 1)) as i32;
}

function anyInBlock(q: usize): bool {
  const first = v128.or(v128.load(q), v128.load(q, 16));
  const second = v128.or(v128.load(q, 32), v128.load(q, 48));
  return v128.any_true(v128.or(first, second));
}

/** All ones in each lane whose entry is neither 0 nor has the value under the mask. */
function others(entries: v128, masks: v128, values: v128): v128 {
  const differ = i64x2.ne(v128.and(entries, masks), values);
  return v128.and(differ, i64x2.ne(entries, i64x2.splat(0)));
}
