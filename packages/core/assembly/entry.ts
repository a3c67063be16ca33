// An entry is 64 bits. Only the binary for shared memory has the threads feature. It reads and writes each entry as one atomic,
// since another thread may see a plain SIMD or bulk access half done. The compiler drops the other branch.

/** Reads an entry. */
export function read(p: usize): u64 {
  return ASC_FEATURE_THREADS ? atomic.load<u64>(p) : load<u64>(p);
}

/** Writes an entry. */
export function write(p: usize, entry: u64): void {
  if (ASC_FEATURE_THREADS) atomic.store<u64>(p, entry);
  else store<u64>(p, entry);
}

/** The 64-bit value of two words. */
export function join(lo: u32, hi: u32): u64 {
  return ((hi as u64) << 32) | (lo as u64);
}
