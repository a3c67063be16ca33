import type { Access, Controls, Invalidation } from '@vmarea/core';

/**
 * Who is told what one processor does with its caches: fills, uses, faults, and what it forgets.
 *
 * `FlushSanitizer.processor(i)` gives one. An `Mmu` calls it, and so can any other model of a processor. Each
 * method is optional for the caller: a model that reports only `flushDone` is still judged by what it may
 * have cached. Reports of `use` and `fill` let the sanitizer name the access that went wrong.
 *
 * Addresses come as two 32-bit words, signed or unsigned, because fills and uses are frequent. Call these
 * methods after the event, and only when an observer was given.
 */
export interface ProcessorObserver {
  /**
   * The processor has put a translation into its TLB, at the end of a walk.
   *
   * @param asid - address-space id that it is filled for.
   * @param vaHi - bits 63..32 of the address.
   * @param vaLo - bits 31..0.
   * @param pfn - frame of the address in base pages of the format, also inside a larger leaf.
   * @param leafShift - log2 of the bytes of the leaf.
   */
  fill(asid: number, vaHi: number, vaLo: number, pfn: number, leafShift: number): void;

  /**
   * The processor has put an entry that points to a table into a walk cache.
   *
   * @param level - level of the entry, 0 for one of the root. The table is one level below.
   * @param tablePfn - the table that it names.
   */
  walkCacheFill(asid: number, vaHi: number, vaLo: number, level: number, tablePfn: number): void;

  /**
   * The processor has served an access from a translation that it holds.
   *
   * @param pfn - frame of the address in base pages of the format.
   * @param access - what was allowed.
   * @param controls - processor modes that allowed it, complete. Default: those of `FlushSanitizer.watch`.
   */
  use(asid: number, vaHi: number, vaLo: number, pfn: number, access: Access, controls?: Controls): void;

  /**
   * The processor has refused an access. The sanitizer compares this with the tables: an entry that is held for
   * too long may also refuse what the tables allow.
   *
   * @param controls - processor modes that applied, complete. Default: those of `FlushSanitizer.watch`.
   */
  fault(asid: number, vaHi: number, vaLo: number, access: Access, controls?: Controls): void;

  /**
   * The processor has done a flush that a table or an address space asked for. The arguments are those of
   * `FlushSink.flush`, so an observer can be called like a sink.
   *
   * @param va - first byte of the range.
   * @param bytes - length in bytes.
   * @param leafShift - log2 of the stride.
   * @param tablesFreed - the tables whose walk-cache entries it has dropped too.
   * @param asid - whose translations it has dropped; global ones went whatever it is.
   */
  flushDone(va: bigint, bytes: bigint, leafShift: number, tablesFreed: readonly number[], asid: number): void;

  /**
   * The processor has executed an invalidation of its architecture.
   *
   * For one with `broadcast`, call this on every processor that it reaches.
   *
   * @param invalidation - what it forgets, as data.
   * @param asid - the given or the current address space, as `invalidation.asids` says. Ignored for `all`.
   * @param va - first byte; 0 when `addresses` is `all`.
   * @param bytes - length; 0 when `addresses` is `page` or `all`.
   */
  invalidated(invalidation: Invalidation, asid: number, va: bigint, bytes: bigint): void;
}
