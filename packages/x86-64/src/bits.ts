import { mask } from '@vmarea/core';

/**
 * The bits of an x86-64 paging-structure entry, under the names of Intel's manual.
 *
 * Every name is a mask in place in the 64-bit entry. A comment adds AMD's name where it differs.
 *
 * Sources: Intel SDM vol. 3A, Paging, "Format of a PML4 Entry that References a Page-Directory-Pointer
 * Table" and the tables that follow it down to "Format of a Page-Table Entry that Maps a 4-KByte Page"
 * (the chapter is number 5 in current editions, 4 in older ones); AMD APM vol. 2, "Page-Translation-Table
 * Entry Fields"; Linux's uses from `arch/x86/include/asm/pgtable_types.h`.
 *
 * @example
 * ```ts
 * const isWritable = (entry & X86_BITS.RW) !== 0n;
 * ```
 */
export const X86_BITS: {
  /** 0: present. When it is clear, the MMU ignores the other bits. */
  readonly P: bigint;
  /** 1: read/write; 0 forbids writes to everything below. */
  readonly RW: bigint;
  /** 2: user/supervisor; 0 forbids user-mode accesses to everything below. */
  readonly US: bigint;
  /** 3: page-level write-through, bit 0 of the PAT index. */
  readonly PWT: bigint;
  /** 4: page-level cache disable, bit 1 of the PAT index. */
  readonly PCD: bigint;
  /** 5: accessed. */
  readonly A: bigint;
  /** 6: dirty; leaves only, ignored in entries that point to a table. */
  readonly D: bigint;
  /** 7: page size; 1 makes an entry of the PUD or PMD level a leaf. */
  readonly PS: bigint;
  /** 7 in a 4 KiB leaf: bit 2 of the PAT index. */
  readonly PAT: bigint;
  /** 8: global; leaves only, ignored in entries that point to a table. */
  readonly G: bigint;
  /** 11:9, ignored by the MMU. Linux: SPECIAL, UFFD_WP, SOFT_DIRTY. */
  readonly SOFTWARE: bigint;
  /** 12 in a 2 MiB or 1 GiB leaf: bit 2 of the PAT index. */
  readonly PAT_LARGE: bigint;
  /** 51:12, the physical address. Bits from the processor's MAXPHYADDR up are reserved. */
  readonly ADDRESS: bigint;
  /** 58:52, ignored by the MMU. Linux: SOFTW4 (57) and SAVED_DIRTY (58). */
  readonly SOFTWARE_HIGH: bigint;
  /** 62:59, protection key; leaves only, ignored unless CR4.PKE or CR4.PKS is set. */
  readonly PKEY: bigint;
  /** 63: execute disable (Intel's XD, AMD's NX); reserved unless EFER.NXE is set. */
  readonly NX: bigint;
} = Object.freeze({
  P: mask(0, 0),
  RW: mask(1, 1),
  US: mask(2, 2),
  PWT: mask(3, 3),
  PCD: mask(4, 4),
  A: mask(5, 5),
  D: mask(6, 6),
  PS: mask(7, 7),
  PAT: mask(7, 7),
  G: mask(8, 8),
  SOFTWARE: mask(9, 11),
  PAT_LARGE: mask(12, 12),
  ADDRESS: mask(12, 51),
  SOFTWARE_HIGH: mask(52, 58),
  PKEY: mask(59, 62),
  NX: mask(63, 63),
});

/** log2 of the base page in bytes. */
export const PAGE_SHIFT = 12;
/** log2 bytes of a leaf at the PMD level. */
export const PMD_SHIFT = 21;
/** log2 bytes of a leaf at the PUD level. */
export const PUD_SHIFT = 30;
/** log2 of the entries of a table. */
export const INDEX_BITS = 9;
