import { join } from './entry';

// Single entries as one atomic, for shared memory. Words are i32: an i64 at the border becomes a bigint, which costs more
// than the access.

let highWord: u32 = 0;

/** Reads an entry: its low word. */
export function load64(p: usize): u32 {
  const entry = atomic.load<u64>(p);
  highWord = (entry >> 32) as u32;
  return entry as u32;
}

/** High word of the entry that `load64` has read last. */
export function high(): u32 {
  return highWord;
}

/** Writes an entry. */
export function store64(p: usize, lo: u32, hi: u32): void {
  atomic.store<u64>(p, join(lo, hi));
}

/** Writes an entry when it still is what is expected; returns whether it was. */
export function cas64(p: usize, expectedLo: u32, expectedHi: u32, lo: u32, hi: u32): bool {
  const expected = join(expectedLo, expectedHi);
  return atomic.cmpxchg<u64>(p, expected, join(lo, hi)) === expected;
}
