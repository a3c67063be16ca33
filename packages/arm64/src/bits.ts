import { mask } from '@vmarea/core';

/**
 * The bits of an arm64 stage 1 descriptor (VMSAv8-64), under the names of Arm's manual.
 *
 * Every name is a mask in place in the 64-bit entry. A comment adds Linux's name where it differs.
 *
 * Sources: Arm ARM (DDI 0487), D8.3, "Translation table descriptor formats"; Linux's uses from
 * `arch/arm64/include/asm/pgtable-hwdef.h` and `pgtable-prot.h` (6.12).
 *
 * @example
 * ```ts
 * const isUser = (entry & ARM64_BITS.AP_USER) !== 0n;
 * ```
 */
export const ARM64_BITS: {
  /** 0: valid. When it is clear, the MMU ignores the other bits. */
  readonly VALID: bigint;
  /** 1:0: 0b11 is a table, and at level 3 a page; 0b01 is a block. */
  readonly TYPE: bigint;
  /** 4:2: index into MAIR_EL1. */
  readonly ATTR_INDX: bigint;
  /** 5: non-secure; used in Secure state only. */
  readonly NS: bigint;
  /** 6: AP[1], EL0 may access. Linux: USER. */
  readonly AP_USER: bigint;
  /** 7: AP[2], no writes. Linux: RDONLY. */
  readonly AP_READ_ONLY: bigint;
  /** 9:8: shareability; with LPA2 these are address bits 51:50. Linux: SHARED. */
  readonly SH: bigint;
  /** 10: access flag. */
  readonly AF: bigint;
  /** 11: not global. */
  readonly NG: bigint;
  /** 16 of a block: nT, the hint of FEAT_BBM that a TLB should not cache it. */
  readonly NT: bigint;
  /** 50: guarded page, for branch target identification. */
  readonly GP: bigint;
  /** 51: dirty bit modifier. Linux: WRITE. */
  readonly DBM: bigint;
  /** 52: contiguous. Linux: CONT. */
  readonly CONTIGUOUS: bigint;
  /** 53: privileged execute-never. */
  readonly PXN: bigint;
  /** 54: unprivileged execute-never. */
  readonly UXN: bigint;
  /** 58:55 of a leaf, ignored by the MMU. Linux: DIRTY (55), SPECIAL (56), UFFD_WP (58). */
  readonly SOFTWARE: bigint;
  /** 55: Linux sets it in a read-only page that was written before. */
  readonly SOFTWARE_DIRTY: bigint;
  /** 62:60 of a leaf: POIndex with FEAT_S1POE, else ignored or implementation defined. */
  readonly PO_INDEX: bigint;
  /** 59 of a table entry: PXNTable. */
  readonly PXN_TABLE: bigint;
  /** 60 of a table entry: UXNTable. */
  readonly UXN_TABLE: bigint;
  /** 61 of a table entry: APTable[0], no EL0 access to anything below. */
  readonly AP_TABLE_NO_USER: bigint;
  /** 62 of a table entry: APTable[1], no writes to anything below. */
  readonly AP_TABLE_READ_ONLY: bigint;
  /** 63 of a table entry: NSTable; used in Secure state only. */
  readonly NS_TABLE: bigint;
} = Object.freeze({
  VALID: mask(0, 0),
  TYPE: mask(0, 1),
  ATTR_INDX: mask(2, 4),
  NS: mask(5, 5),
  AP_USER: mask(6, 6),
  AP_READ_ONLY: mask(7, 7),
  SH: mask(8, 9),
  AF: mask(10, 10),
  NG: mask(11, 11),
  NT: mask(16, 16),
  GP: mask(50, 50),
  DBM: mask(51, 51),
  CONTIGUOUS: mask(52, 52),
  PXN: mask(53, 53),
  UXN: mask(54, 54),
  SOFTWARE: mask(55, 58),
  SOFTWARE_DIRTY: mask(55, 55),
  PO_INDEX: mask(60, 62),
  PXN_TABLE: mask(59, 59),
  UXN_TABLE: mask(60, 60),
  AP_TABLE_NO_USER: mask(61, 61),
  AP_TABLE_READ_ONLY: mask(62, 62),
  NS_TABLE: mask(63, 63),
});

/** The type bits of a table entry and of a page at level 3. */
export const TYPE_TABLE = 0b11n;
/** The type bits of a block. */
export const TYPE_BLOCK = 0b01n;

/** Size of the base page, in KiB. */
export type Granule = 4 | 16 | 64;

/**
 * log2 of the base page in bytes, by granule.
 *
 * Source: Arm ARM, D8.1, "Translation granules".
 */
export const PAGE_SHIFTS: Readonly<Record<Granule, number>> = Object.freeze({ 4: 12, 16: 14, 64: 16 });
