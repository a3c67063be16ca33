import { mask } from '@vmarea/core';

/**
 * The bits of a riscv64 page-table entry, under the names of the manual. Every name is a mask in place.
 *
 * Source: RISC-V privileged specification, "Sv39: Page-Based 39-bit Virtual-Memory System" (figure "Sv39 page table
 * entry"; Sv48 and Sv57 are alike); chapters "Svnapot", "Svpbmt" and "Svrsw60t59b"; for T-Head's bits, Linux,
 * `arch/riscv/include/asm/pgtable-64.h`.
 *
 * @example
 * ```ts
 * const isLeaf = (entry & (RISCV_BITS.R | RISCV_BITS.W | RISCV_BITS.X)) !== 0n;
 * ```
 */
export const RISCV_BITS: {
  /** 0: valid. When it is clear, the MMU ignores the other bits. */
  readonly V: bigint;
  /** 1: loads are allowed. */
  readonly R: bigint;
  /** 2: stores are allowed. Without R the encoding is reserved. */
  readonly W: bigint;
  /** 3: instruction fetches are allowed. R, W and X all clear: the entry points to a table. */
  readonly X: bigint;
  /** 4: the page belongs to user mode; leaves only. */
  readonly U: bigint;
  /** 5: global. In an entry that points to a table it holds for everything below. */
  readonly G: bigint;
  /** 6: accessed; leaves only. */
  readonly A: bigint;
  /** 7: dirty; leaves only. */
  readonly D: bigint;
  /** 9:8, for software. */
  readonly RSW: bigint;
  /** 53:10, the frame number (PPN). */
  readonly PPN: bigint;
  /** 60:54, reserved. */
  readonly RESERVED: bigint;
  /** 60:59, for software too, where the processor has Svrsw60t59b. */
  readonly RSW_60_59: bigint;
  /** 63:59, the memory type of T-Head's processors: SO, C, B, SH, Sec. */
  readonly THEAD: bigint;
  /** 62:61, the memory type of Svpbmt; leaves only, reserved without it. */
  readonly PBMT: bigint;
  /** 63: Svnapot: the leaf is part of a run; 4 KiB leaves only, reserved without it. */
  readonly N: bigint;
} = Object.freeze({
  V: mask(0, 0),
  R: mask(1, 1),
  W: mask(2, 2),
  X: mask(3, 3),
  U: mask(4, 4),
  G: mask(5, 5),
  A: mask(6, 6),
  D: mask(7, 7),
  RSW: mask(8, 9),
  PPN: mask(10, 53),
  RESERVED: mask(54, 60),
  RSW_60_59: mask(59, 60),
  THEAD: mask(59, 63),
  PBMT: mask(61, 62),
  N: mask(63, 63),
});

/** log2 of the base page in bytes. */
export const PAGE_SHIFT = 12;
/** log2 bytes of a leaf at the PMD level. */
export const PMD_SHIFT = 21;
/** log2 bytes of a leaf at the PUD level. */
export const PUD_SHIFT = 30;
/** log2 bytes of the only defined NAPOT size. */
export const NAPOT_SHIFT = 16;
/** log2 of the entries of a table. */
export const INDEX_BITS = 9;
/** Lowest bit of the frame number in an entry. */
export const PPN_SHIFT = 10;
/** Width of a physical address: 44 bits of frame number and 12 of offset. */
export const PA_BITS = 56;
