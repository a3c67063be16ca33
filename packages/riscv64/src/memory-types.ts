import type { MemoryType } from '@vmarea/core';
import { RISCV_BITS } from './bits.js';

/**
 * Memory types by their number in bits 62:61: PMA (the platform's type of the physical address), NC and IO. 3 is
 * reserved.
 *
 * Source: RISC-V privileged specification, chapter "Svpbmt", table of the encodings; Linux,
 * `arch/riscv/include/asm/pgtable-64.h`: `_PAGE_NOCACHE_SVPBMT`, `_PAGE_IO_SVPBMT`.
 */
const PBMT_TYPES: readonly MemoryType[] = Object.freeze(['normal', 'write-combining', 'device']);

/** The only type without Svpbmt: the platform decides. */
export const PMA_TYPES: readonly MemoryType[] = Object.freeze(['normal']);

/** Lowest bit of the memory type in an entry. */
const PBMT_SHIFT = 61n;

/** Where a leaf says its memory type. */
export interface TypeField {
  /** The bits. */
  readonly mask: bigint;
  /** The types that a leaf can say. */
  readonly types: readonly MemoryType[];
  /** The bits that Linux writes for a type. */
  readonly bitsOf: (type: MemoryType) => bigint;
  /** The type that bits say. */
  readonly typeOf: (bits: bigint) => MemoryType;
}

/** Svpbmt's field; without Svpbmt no leaf says a type. */
export function pbmtField(svpbmt: boolean): TypeField {
  const types = svpbmt ? PBMT_TYPES : PMA_TYPES;
  return {
    mask: RISCV_BITS.PBMT,
    types,
    bitsOf: (type) => BigInt(types.indexOf(type)) << PBMT_SHIFT,
    typeOf: (bits) => types[Number((bits & RISCV_BITS.PBMT) >> PBMT_SHIFT)] ?? 'normal',
  };
}

/** Lowest bit of T-Head's field. */
const THEAD_SHIFT = 59n;
/** SO, C, B, SH, Sec from bit 63 down: PMA, NC and IO, as Linux writes them. */
const THEAD_BITS: ReadonlyMap<MemoryType, bigint> = new Map([
  ['normal', 0b01110n << THEAD_SHIFT],
  ['write-combining', 0b00110n << THEAD_SHIFT],
  ['device', 0b10010n << THEAD_SHIFT],
]);
const STRONG_ORDER = 1n << 63n;
const CACHEABLE = 1n << 62n;

/**
 * T-Head's field (XTheadMae). Strong order makes it `device`; else cacheable memory is `normal`, other is `write-combining`.
 *
 * Source: Linux, `arch/riscv/include/asm/pgtable-64.h`: `_PAGE_PMA_THEAD`, `_PAGE_NOCACHE_THEAD`, `_PAGE_IO_THEAD`.
 */
export const THEAD_FIELD: TypeField = Object.freeze({
  mask: RISCV_BITS.THEAD,
  types: PBMT_TYPES,
  bitsOf: (type: MemoryType) => THEAD_BITS.get(type) ?? 0n,
  typeOf: (bits: bigint) => {
    if ((bits & STRONG_ORDER) !== 0n) return 'device';
    return (bits & CACHEABLE) !== 0n ? 'normal' : 'write-combining';
  },
});
