import type { Invalidation } from '@vmarea/core';

/**
 * TLBI operations of EL1, without the suffix that says how far they reach. An `L` takes entries of the last level alone: those
 * that map. Operations with an address and an ASID also take global entries of the address.
 */
const OPERATIONS = [
  { name: 'VMALLE1', addresses: 'all', asids: 'all', globals: true, tables: 'all' },
  { name: 'ASIDE1', addresses: 'all', asids: 'given', globals: false, tables: 'all' },
  { name: 'VAE1', addresses: 'page', asids: 'given', globals: true, tables: 'addresses' },
  { name: 'VALE1', addresses: 'page', asids: 'given', globals: true, tables: 'none' },
  { name: 'VAAE1', addresses: 'page', asids: 'all', globals: true, tables: 'addresses' },
  { name: 'VAALE1', addresses: 'page', asids: 'all', globals: true, tables: 'none' },
  { name: 'RVAE1', addresses: 'range', asids: 'given', globals: true, tables: 'addresses' },
  { name: 'RVALE1', addresses: 'range', asids: 'given', globals: true, tables: 'none' },
  { name: 'RVAAE1', addresses: 'range', asids: 'all', globals: true, tables: 'addresses' },
  { name: 'RVAALE1', addresses: 'range', asids: 'all', globals: true, tables: 'none' },
] as const;

/** This processor, the Inner Shareable domain, the Outer Shareable domain (FEAT_TLBIOS). */
const REACHES = ['', 'IS', 'OS'] as const;

/**
 * How software makes an arm64 processor forget stage 1 translations of EL1 and EL0: `TLBI VAE1`, `TLBI VAE1IS`, and so on. IS
 * and OS reach all processors. Operations with an R take a range (FEAT_TLBIRANGE). A write of TTBR forgets nothing.
 *
 * Source: Arm ARM (DDI 0487), D8.16, "TLB maintenance"; C5.5, the TLBI instructions, "Invalidate TLB entries that …".
 *
 * @example
 * ```ts
 * const mmu = new Mmu({ memory, tables, invalidations: ARM64_INVALIDATIONS });
 * mmu.invalidate('TLBI VAE1IS', 0x40_0000n, 3);
 * ```
 */
export const ARM64_INVALIDATIONS: readonly Invalidation[] = /* @__PURE__ */ (() =>
  Object.freeze(
    REACHES.flatMap((reach) =>
      OPERATIONS.map(({ name, ...forgets }) =>
        Object.freeze({ name: `TLBI ${name}${reach}`, ...forgets, broadcast: reach !== '' }),
      ),
    ),
  ))();
