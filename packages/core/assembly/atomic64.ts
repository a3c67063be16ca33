import { join } from './entry';

// Reads and writes single entries as one atomic, for shared memory. Words are i32: an i64 at the border becomes a bigint, which
// costs more than the access.

let highWord: u32 = 0;

/** Reads an entry: its low word. */
export function load64(p: usize): u32 {
  const entry = atomic.load<u64>(p);
  highWord = (entry >> 32) as u32;
  return entry as u32;
}

/** The high word of the entry that the last `load64` read. */
export function high(): u32 {
  return highWord;
}

/** Writes an entry. */
export function store64(p: usize, lo: u32, hi: u32): void {
  atomic.store<u64>(p, join(lo, hi));
}

/** Writes an entry if it still has the expected value. Returns true if it had. */
export function cas64(p: usize, expectedLo: u32, expectedHi: u32, lo: u32, hi: u32): bool {
  const expected = join(expectedLo, expectedHi);
  return atomic.cmpxchg<u64>(p, expected, join(lo, hi)) === expected;
}

/** Sets an entry to 0. Returns the low word that it had; `high` is its high word. */
export function take64(p: usize): u32 {
  const entry = atomic.xchg<u64>(p, 0);
  highWord = (entry >> 32) as u32;
  return entry as u32;
}
