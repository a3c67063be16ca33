import type { Access } from '@vmarea/core';

/**
 * Linear-address masking (LAM): the number of address bits in a pointer. The bits above are metadata, except bit 63. 64 means no
 * metadata.
 *
 * Source: SDM vol. 3A, Linear-Address Pre-Processing, "Linear-Address Masking": CR3.LAM_U57 (61) and LAM_U48 (62) for user
 * pointers, the former first; CR4.LAM_SUP (28) for supervisor pointers, 48 bits with 4 levels and 57 with 5.
 */
export interface Masking {
  /** For pointers whose bit 63 is 0. */
  readonly user: 48 | 57 | 64;
  /** For pointers whose bit 63 is 1. */
  readonly supervisor: 48 | 57 | 64;
}

/**
 * The address for a walk: metadata bits become copies of the bit below them. Bit 63 stays. If it differs from that bit, the
 * address is not canonical.
 *
 * Source: SDM vol. 3A, "Linear-Address Masking": it applies to data accesses, not to instruction fetches.
 */
export function withoutMetadata(va: bigint, kind: Access['kind'], { user, supervisor }: Masking): bigint {
  const bits = va >> 63n === 0n ? user : supervisor;
  if (kind === 'execute' || bits === 64) return va;
  const top = 1n << 63n;
  return (va & top) | (BigInt.asUintN(64, BigInt.asIntN(bits, va)) & ~top);
}
