import type { Protection, VmError } from '@vmarea/core';
import { ARM64_BITS } from './bits.js';

/** What a leaf says of its owner's rights. */
export type LeafRights = Pick<Protection, 'read' | 'write' | 'execute' | 'user' | 'dirty'>;

/** How the bits of a leaf say what it allows: directly, or through PIR_EL1 and PIRE0_EL1. */
export interface RightsEncoding {
  /**
   * The bits that say some rights, as Linux writes them where that is possible.
   *
   * @throws VmError `EINVAL` as `refusal`, or gives bits that say something else.
   */
  bitsOf(wanted: LeafRights): bigint;
  /** The rights that bits say. */
  rightsOf(bits: bigint): LeafRights;
  /** The refusal of rights that no bits say. */
  refusal(wanted: LeafRights): VmError;
  /** Bits that may say the same in another way. Each mask is independent. */
  readonly variants: readonly bigint[];
}

const { AP_USER, AP_READ_ONLY, DBM, PXN, UXN, SOFTWARE_DIRTY } = ARM64_BITS;

/**
 * The bits that Linux writes for rights. With PIE, PIR_EL1 gives them the same meaning.
 *
 * Source: Linux, the named protections in `arch/arm64/include/asm/pgtable-prot.h` (6.12).
 */
export function linuxBits(wanted: LeafRights): bigint {
  let bits = 0n;
  if (wanted.user && wanted.read) bits |= AP_USER;
  if (wanted.user || !wanted.execute) bits |= PXN;
  if (!wanted.user || !wanted.execute) bits |= UXN;
  if (wanted.write) return bits | DBM | (wanted.dirty ? 0n : AP_READ_ONLY);
  return bits | AP_READ_ONLY | (wanted.dirty ? SOFTWARE_DIRTY : 0n);
}

/**
 * Whether bits say that a page was written. In a page that cannot be written, Linux remembers it in bit 55.
 *
 * Source: Arm ARM, D8.5, "The dirty state"; Linux, `pte_dirty` in `arch/arm64/include/asm/pgtable.h` (6.12).
 */
export function isDirty(bits: bigint, write: boolean): boolean {
  return write ? (bits & AP_READ_ONLY) === 0n : (bits & SOFTWARE_DIRTY) !== 0n;
}
