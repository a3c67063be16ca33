import type { Protection } from '@vmarea/core';

/**
 * What a change does to the bits of a leaf, written a second time: the judge of `encode`, `change` and `relevel`. The bits are those of the manual walker: no address, no type, no mark, so that they are the same at every level.
 */
export interface LeafBits {
  /** The bits of a new leaf. */
  encode(protection: Protection): bigint;
  /** The bits after a change of some members; `null` when the architecture has no such leaf. */
  protect(bits: bigint, fields: Partial<Protection>): bigint | null;
  /** The bits without accessed and dirty: those that must agree for leaves to be collapsed. */
  withoutUse(bits: bigint): bigint;
  /** The bits of a leaf that stands for two: accessed or dirty when one of them was. */
  merge(a: bigint, b: bigint): bigint;
  /** The bits after the hardware has used the page, or after software has cleared accessed or dirty. */
  use(bits: bigint, accessed: boolean, dirty: boolean): bigint;
  /** Bits that mean nothing to the library and the hardware. */
  readonly software: readonly bigint[];
  /** Sets the mark of a run in a leaf at this level. */
  mark(entry: bigint): bigint;
  /** An entry that the MMU ignores. */
  readonly absent: bigint;
  /** A present entry that is no leaf: at the last level, or above it; `null` where there is none. */
  noLeaf(isLast: boolean): bigint | null;
}
