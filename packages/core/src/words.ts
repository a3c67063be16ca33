/**
 * One 64-bit value (a page-table entry, a mask) as two 32-bit words.
 *
 * Both halves are signed 32-bit integers, as JavaScript's bit operators return them. Compare with `===` only
 * values that went through such an operator (`x | 0`).
 */
export interface Words {
  /** Bits 31..0. */
  readonly lo: number;
  /** Bits 63..32. */
  readonly hi: number;
}

/** 2^64: the end of all addresses. A literal, since bundlers keep a shift of bigints that nobody uses. */
export const TOP: bigint = 0x1_0000_0000_0000_0000n;

/** The value 0. */
export const ZERO: Words = Object.freeze({ lo: 0, hi: 0 });

/**
 * Splits a 64-bit value into words.
 *
 * @param value - only the low 64 bits count.
 */
export function words(value: bigint): Words {
  return {
    lo: Number(BigInt.asIntN(32, value)),
    hi: Number(BigInt.asIntN(32, value >> 32n)),
  };
}

/** Joins two words into an unsigned 64-bit value. */
export function joinWords(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/** The unsigned 64-bit value of a pair of words. */
export function toBigint(w: Words): bigint {
  return joinWords(w.lo, w.hi);
}

/**
 * A mask of the bits `low` to `high`, both included: `mask(12, 51)` is x86-64's frame field.
 *
 * @param low - bit number, 0 or more.
 * @param high - bit number, at least `low`; 63 for the top bit of an entry.
 */
export function mask(low: number, high: number): bigint {
  return ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
}

/** `a | b` of two pairs of words. */
export function or(a: Words, b: Words): Words {
  return { lo: a.lo | b.lo, hi: a.hi | b.hi };
}

/** True when all bits under the mask have the given value. */
export function matches(w: Words, match: { readonly mask: Words; readonly value: Words }): boolean {
  return (((w.lo & match.mask.lo) ^ match.value.lo) | ((w.hi & match.mask.hi) ^ match.value.hi)) === 0;
}
