import { pfnHigh, pfnLow } from '../../address-codec.js';
import { type LevelPlan, meets, type Plan } from '../../format/plan.js';

/**
 * True when a root translates an address that comes as two signed 32-bit words: the bits above its range are as
 * the format demands.
 */
export function isInRange(range: RangeTest, vaHi: number, vaLo: number): boolean {
  const above = vaHi >> range.aboveShift;
  if (above !== range.zeros && above !== range.ones) return false;
  return range.lowBits === 32 || vaLo >> range.lowBits === above;
}

/** The range of a root's addresses, as numbers for walks. */
export interface RangeTest {
  /** Bits of the high word that belong to the range. A sign-extended range repeats its top bit above. */
  readonly aboveShift: number;
  /** The two values that the bits above may have, as signed words. */
  readonly zeros: number;
  readonly ones: number;
  /** Bits of the low word inside a range of less than 2^32 bytes; 32 for larger ranges. */
  readonly lowBits: number;
  /** The bits of the high word inside the range. */
  readonly keepHi: number;
  readonly pageShift: number;
}

/** The page of an address inside the range, counted from the start of the root's range. */
export function pageOfWords({ keepHi, pageShift }: RangeTest, vaHi: number, vaLo: number): number {
  return ((vaHi & keepHi) >>> 0) * 2 ** (32 - pageShift) + (vaLo >>> pageShift);
}

/** The range of a format's addresses, for `isInRange`. */
export function rangeTest(plan: Plan): RangeTest {
  const { bits, upper } = plan.format.range;
  const inside = upper === 'sign' ? bits - 1 : bits;
  return {
    aboveShift: Math.max(0, inside - 32),
    zeros: upper === 'ones' ? -1 : 0,
    ones: upper === 'zeros' ? 0 : -1,
    lowBits: Math.min(32, inside),
    keepHi: (2 ** (bits - 32) - 1) | 0,
    pageShift: plan.pageShift,
  };
}

/** The end of a walk: the entry is a leaf, or there is no translation. */
export function finish(
  plan: Plan,
  index: number,
  lo: number,
  hi: number,
  vaHi: number,
  vaLo: number,
): number {
  const level = plan.levels[index] as LevelPlan;
  const { leaf } = level;
  if ((((lo & leaf.maskLo) ^ leaf.valueLo) | ((hi & leaf.maskHi) ^ leaf.valueHi)) !== 0) return -1;
  if (leaf.rest !== null && !meets(leaf, lo, hi)) return -1;
  return leafFrame(plan, level, lo, hi, vaHi, vaLo);
}

/**
 * The frame, in base pages, that a leaf maps an address to: the leaf's frame plus the address bits inside the leaf.
 *
 * @param lo - bits 31..0 of the entry, which must be a leaf of the level. @param hi - bits 63..32.
 * @param vaHi - bits 63..32 of the address. @param vaLo - bits 31..0.
 */
export function leafFrame(
  plan: Plan,
  level: LevelPlan,
  lo: number,
  hi: number,
  vaHi: number,
  vaLo: number,
): number {
  const { address, pageShift } = plan;
  const { insideLow, insideHigh } = level;
  let low = pfnLow(address, lo, hi);
  let high = pfnHigh(address, lo, hi);
  const pageLow = (vaLo >>> pageShift) | (vaHi << (32 - pageShift));
  if (insideLow !== 0) {
    low = (low & ~insideLow) | (pageLow & insideLow);
    high = (high & ~insideHigh) | ((vaHi >>> pageShift) & insideHigh);
  }
  if (((lo & level.napotLo) | (hi & level.napotHi)) !== 0) {
    low = (low & ~level.napotInside) | (pageLow & level.napotInside);
  }
  return high * 4294967296 + (low >>> 0);
}
