import type { MemoryType } from '@vmarea/core';

/**
 * Memory types by their number in bits 62:61: PMA (the platform's type of the physical address), NC and IO. 3 is
 * reserved.
 *
 * Source: RISC-V privileged specification, chapter "Svpbmt", table of the encodings; Linux,
 * `arch/riscv/include/asm/pgtable-64.h`: `_PAGE_NOCACHE_SVPBMT`, `_PAGE_IO_SVPBMT`.
 */
export const PBMT_TYPES: readonly MemoryType[] = Object.freeze(['normal', 'write-combining', 'device']);

/** The only type without Svpbmt: the platform decides. */
export const PMA_TYPES: readonly MemoryType[] = Object.freeze(['normal']);

/** Lowest bit of the memory type in an entry. */
export const PBMT_SHIFT = 61n;
