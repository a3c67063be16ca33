/** How a leaf's memory behaves, in the numbers of the architecture. `Protection.memory` says it in words. */
export interface MemoryAttributes {
  /**
   * The architecture's number of the memory type: the byte in IA32_PAT (x86-64), the byte in MAIR_EL1 (arm64), or PBMT
   * (riscv64).
   */
  readonly type: number;
  /** Index of that byte in PAT or MAIR, 0 to 7; `null` where the entry holds the type itself (riscv64). */
  readonly index: number | null;
  /**
   * With whom the page is coherent: nobody, the outer or the inner shareable domain. `reserved` is arm64's 0b01. `null` where
   * the architecture has no such thing.
   */
  readonly shareability: 'none' | 'outer' | 'inner' | 'reserved' | null;
}
