import type { Invalidation } from '@vmarea/core';

/** The forms of SFENCE.VMA and SINVAL.VMA: rs1 is an address or x0, rs2 an ASID or x0. */
const FORMS = [
  { operands: '', addresses: 'all', asids: 'all', globals: true, tables: 'all' },
  // With an address only leaf entries are ordered: the way to them is not.
  { operands: ' va', addresses: 'page', asids: 'all', globals: true, tables: 'none' },
  { operands: ' asid', addresses: 'all', asids: 'given', globals: false, tables: 'all' },
  { operands: ' va, asid', addresses: 'page', asids: 'given', globals: false, tables: 'none' },
] as const;

/**
 * How software makes a riscv64 hart forget translations: SFENCE.VMA, and SINVAL.VMA of Svinval, each with and without an
 * address and an ASID. A write of satp forgets nothing. None reaches another hart: software asks for that (SBI RFENCE).
 *
 * SINVAL.VMA between SFENCE.W.INVAL and SFENCE.INVAL.IR forgets as SFENCE.VMA does; those two only order memory accesses.
 *
 * Source: RISC-V privileged specification, "Supervisor Memory-Management Fence Instruction"; chapter "Svinval".
 *
 * @example
 * ```ts
 * const mmu = new Mmu({ memory, tables, invalidations: RISCV64_INVALIDATIONS });
 * mmu.invalidate('SFENCE.VMA va, asid', 0x1000n, 3);
 * ```
 */
export const RISCV64_INVALIDATIONS: readonly Invalidation[] = /* @__PURE__ */ (() =>
  Object.freeze(
    ['SFENCE.VMA', 'SINVAL.VMA'].flatMap((instruction) =>
      FORMS.map(({ operands, ...forgets }) =>
        Object.freeze({ name: `${instruction}${operands}`, ...forgets, broadcast: false }),
      ),
    ),
  ))();
