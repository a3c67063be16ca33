/**
 * An object that caches translations (a TLB model, a simulator) and must forget them.
 *
 * The engine calls it synchronously, after the entries were changed and before a freed table's frame goes
 * back to the allocator. After it returns, no translation of the range may be served from a cache.
 *
 * It must not change the table that calls it: that is refused with `EBUSY`. It should not throw. An error of
 * its own ends the call, which then leaves the tables as they were. An error during the roll-back of a
 * failed call is dropped.
 */
export interface FlushSink {
  /**
   * Forgets the translations of a range.
   *
   * @param va - first byte of the range; a multiple of the page size.
   * @param bytes - length in bytes. One call may cover more than was changed, never less. A purge, or a
   *   change of pages and their aliases, may span from the direct map to the vmalloc window, tens of TiB.
   *   Above some number of pages, forget everything, as kernels do.
   * @param leafShift - log2 of the smallest leaf that was removed or changed: a stride of this size is
   *   enough.
   * @param tablesFreed - pfns of the tables that the range lost. Cached upper levels must go too. Empty when
   *   only leaves changed. Their frames are still allocated, except after a restore that failed. Valid
   *   during the call.
   * @param asid - address-space id of the range's root, as its page table was made with. Translations of
   *   global leaves go whatever it is. Default: 0.
   */
  flush(va: bigint, bytes: bigint, leafShift: number, tablesFreed: readonly number[], asid: number): void;

  /**
   * Told that a call begins which may remove or change entries. The tables are still as they were, so this is
   * the last moment at which a processor may have walked what the call removes. It must not change anything, and
   * must not throw. A sink that only forgets leaves this method out.
   */
  changing?(): void;

  /**
   * Told when the flush of a range is left for later, in place of `flush`. Nothing must be forgotten yet. A sink
   * that only forgets leaves this method out. `FlushSanitizer` of `@vmarea/mmu` uses it to tell Linux's lazy
   * scheme from a flush that is missing.
   *
   * It must not change the table that calls it, and must not throw.
   *
   * @param va - first byte of the range; a multiple of the page size.
   * @param bytes - length in bytes. A range that reaches the end of the lower canonical half continues at the
   *   beginning of the upper one.
   * @param until - who makes the flush: the `purge` that makes the addresses of a freed area free again, or
   *   the `done` of a `batch`.
   * @param asid - as for `flush`.
   */
  deferred?(va: bigint, bytes: bigint, until: 'purge' | 'batch', asid: number): void;
}
