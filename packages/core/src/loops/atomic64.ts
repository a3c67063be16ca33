import { joinWords } from '../words.js';

// 64-bit atomics on shared memory without WebAssembly. They are slow, since each makes a view and bigints.
// Two 32-bit accesses would be wrong: a reader could see half an entry.

/** Reads an entry. */
export function atomicLoad64(words: Int32Array, at: number): bigint {
  return Atomics.load(quad(words, at), 0);
}

/** Writes an entry. */
export function atomicStore64(words: Int32Array, at: number, lo: number, hi: number): void {
  Atomics.store(quad(words, at), 0, joinWords(lo, hi));
}

/** Writes an entry when it still has the expected value. Returns whether it did. */
export function atomicCas64(
  words: Int32Array,
  at: number,
  expectedLo: number,
  expectedHi: number,
  lo: number,
  hi: number,
): boolean {
  const expected = joinWords(expectedLo, expectedHi);
  return Atomics.compareExchange(quad(words, at), 0, expected, joinWords(lo, hi)) === expected;
}

function quad(words: Int32Array, at: number): BigUint64Array {
  return new BigUint64Array(words.buffer, words.byteOffset + 4 * at, 1);
}
