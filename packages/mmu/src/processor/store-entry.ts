import { joinWords, type Words } from '@vmarea/core';

/**
 * Changes an entry, if it still is what was read: on shared memory by one 64-bit compare-exchange, as the hardware does.
 *
 * @returns whether it did.
 */
export function storeEntry(words: Int32Array, at: number, lo: number, hi: number, entry: Words): boolean {
  if (isShared(words.buffer)) {
    const quad = new BigUint64Array(words.buffer, words.byteOffset + 4 * at, 1);
    const expected = joinWords(lo, hi);
    return Atomics.compareExchange(quad, 0, expected, joinWords(entry.lo, entry.hi)) === expected;
  }
  words[at] = entry.lo;
  words[at + 1] = entry.hi;
  return true;
}

/** True for a buffer that several threads may use, of any realm. */
export function isShared(buffer: ArrayBufferLike): boolean {
  return Object.prototype.toString.call(buffer) === '[object SharedArrayBuffer]';
}
