import type { Protection } from '@vmarea/core';

/**
 * What a change does to a leaf's bits, written down a second time: the judge of what `encode`, `change` and `relevel` make
 * of them. The bits are those of the manual walker: no address, no type, no mark, so that they are the same at every level.
 */
export interface LeafBits {
  /** The bits of a new leaf. */
  encode(protection: Protection): bigint;
  /** The bits after a change of some members; `null` when the architecture cannot say the result. */
  protect(bits: bigint, fields: Partial<Protection>): bigint | null;
  /** The bits without accessed and dirty: what has to agree for leaves to become one. */
  withoutUse(bits: bigint): bigint;
  /** The bits of a leaf that stands for two: accessed or dirty when one of them was. */
  merge(a: bigint, b: bigint): bigint;
  /** The bits after the hardware has used the page, or after it was aged. */
  use(bits: bigint, accessed: boolean, dirty: boolean): bigint;
  /** Bits that neither the library nor the hardware gives a meaning to. */
  readonly software: readonly bigint[];
  /** Sets the mark of a run in a leaf at this level. */
  mark(entry: bigint): bigint;
  /** An entry that the MMU ignores. */
  readonly absent: bigint;
  /** A present entry that is no leaf: at the last level, or above it; `null` where there is none. */
  noLeaf(isLast: boolean): bigint | null;
}
