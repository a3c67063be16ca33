import type { Invalidation } from '@vmarea/core';

/**
 * How software makes an x86-64 processor forget translations, with one and with several PCIDs.
 *
 * `MOV CR3` is a write with bit 63 clear; it names the PCID that it makes the current one. With bit 63 set (and CR4.PCIDE), the
 * write forgets nothing, so it is not in the list. `MOV CR4.PGE` is a write that changes the bit. `#PF` is the fault itself: the
 * processor forgets what it would use for the address. None reaches another processor: software sends interrupts.
 *
 * Source: SDM vol. 3A, Paging, "Operations that Invalidate TLBs and Paging-Structure Caches"; vol. 2, INVLPG and INVPCID.
 *
 * @example
 * ```ts
 * const mmu = new Mmu({ memory, tables, invalidations: X8664_INVALIDATIONS });
 * mmu.invalidate('INVLPG', 0xffffc90000001000n);
 * ```
 */
export const X8664_INVALIDATIONS: readonly Invalidation[] = /* @__PURE__ */ (() =>
  Object.freeze(
    (
      [
        // Of the page: global translations of all PCIDs too. Paging-structure caches of the PCID: whatever the address.
        { name: 'INVLPG', addresses: 'page', asids: 'current', globals: true, tables: 'all' },
        { name: 'INVPCID 0', addresses: 'page', asids: 'given', globals: false, tables: 'addresses' },
        { name: 'INVPCID 1', addresses: 'all', asids: 'given', globals: false, tables: 'all' },
        { name: 'INVPCID 2', addresses: 'all', asids: 'all', globals: true, tables: 'all' },
        { name: 'INVPCID 3', addresses: 'all', asids: 'all', globals: false, tables: 'all' },
        { name: 'MOV CR3', addresses: 'all', asids: 'current', globals: false, tables: 'all' },
        { name: 'MOV CR4.PGE', addresses: 'all', asids: 'all', globals: true, tables: 'all' },
        // "These invalidations ensure that the page-fault exception will not recur": that needs global ones too.
        { name: '#PF', addresses: 'page', asids: 'current', globals: true, tables: 'addresses' },
      ] as const
    ).map((one) => Object.freeze({ ...one, broadcast: false })),
  ))();
