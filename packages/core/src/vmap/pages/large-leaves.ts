import type { KernelSpace } from '../kernel-space.js';

/**
 * log2 of the leaves that a huge allocation tries: blocks when it is at least as large as one, else runs.
 *
 * Source: Linux 6.12, __vmalloc_node_range; arch_vmap_pte_supported_shift of riscv, and of arm64, which has
 * it since 6.16. Whether a kernel has runs is up to the policy.
 */
export function hugeShift(space: KernelSpace, bytes: bigint): number {
  return largeShifts(space, bytes)[0] ?? space.pageShift;
}

/** log2 of the blocks and runs that an allocation is large enough for, largest first. */
export function largeShifts(space: KernelSpace, bytes: bigint): number[] {
  const { vmalloc, wholeRunsOnly = false } = space.linux.leaves;
  const fits = (shift: number): boolean => {
    const unit = 1n << BigInt(shift);
    return bytes >= unit && (space.isBlockShift(shift) || !wholeRunsOnly || bytes % unit === 0n);
  };
  return vmalloc.filter((shift) => shift > space.pageShift && fits(shift)).sort((a, b) => b - a);
}
