import { type MemoryType, toBigint, type Words } from '@vmarea/core';
import { ARM64_BITS, TYPE_BLOCK } from './bits.js';

const B = ARM64_BITS;

/**
 * Bits of a leaf that may change in place: permissions, access flag, software bits.
 *
 * Linux's `pgattr_change_is_safe` lists PXN, RDONLY, WRITE, nG and the software bits for kernel mappings. `mprotect` and
 * `set_memory_x` change the others in place.
 */
const SAFE_IN_LEAF =
  B.AP_USER | B.AP_READ_ONLY | B.AF | B.NG | B.GP | B.DBM | B.PXN | B.UXN | B.SOFTWARE | B.PO_INDEX;

/** Bits of a table entry that may change in place: permissions of everything below, and the access flag. */
const SAFE_IN_TABLE = B.PXN_TABLE | B.UXN_TABLE | B.AP_TABLE_NO_USER | B.AP_TABLE_READ_ONLY | B.AF;

/**
 * True when a valid entry must be invalid before it becomes another valid entry.
 *
 * That holds when the output address, the size (block or table, the contiguous bit), the memory type, the shareability or
 * an unknown bit changes. It holds when a translation becomes global: a TLB may still have entries of single address
 * spaces. It holds for every change of a leaf in a contiguous run: the leaves of the run would differ for a moment. Normal
 * and Normal-Tagged are one memory type here, as in Linux.
 *
 * Source: Arm ARM, D8.17, "Using break-before-make when updating translation table entries"; Linux,
 * `pgattr_change_is_safe` in `arch/arm64/mm/mmu.c` (6.12).
 *
 * @param isLast - true at the last level, where 0b11 is a page.
 * @param types - memory type of each MAIR index.
 */
export function needsBreak(
  before: Words,
  after: Words,
  isLast: boolean,
  types: readonly MemoryType[],
): boolean {
  const from = toBigint(before);
  const to = toBigint(after);
  if (from === to || (from & B.VALID) === 0n || (to & B.VALID) === 0n) return false;
  const changed = from ^ to;
  if ((changed & B.TYPE) !== 0n) return true;
  const isTable = !isLast && (from & B.TYPE) !== TYPE_BLOCK;
  if (isTable) return (changed & ~SAFE_IN_TABLE) !== 0n;
  if (((from | to) & B.CONTIGUOUS) !== 0n) return true;
  if ((from & ~to & B.NG) !== 0n) return true;
  const unsafe = changed & ~SAFE_IN_LEAF;
  return unsafe !== 0n && !((unsafe & ~B.ATTR_INDX) === 0n && isNormal(from, types) && isNormal(to, types));
}

function isNormal(entry: bigint, types: readonly MemoryType[]): boolean {
  const type = types[Number((entry & B.ATTR_INDX) >> 2n)];
  return type === 'normal' || type === 'tagged';
}
