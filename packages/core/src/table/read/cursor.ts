/**
 * Translates addresses that are near to the last one: it keeps the table that the last address's walk ended in.
 *
 * What it keeps is right until this page table changes: a change through its own calls is noticed, one that others make in
 * the memory is not before `reset`, as with a processor's caches of upper levels. Entries of the kept table itself are
 * read anew each time.
 */
export interface TranslationCursor {
  /**
   * Translates one address given as two 32-bit words, without bigint and without allocation.
   *
   * @param vaHi - bits 63..32, signed or unsigned.
   * @param vaLo - bits 31..0, signed or unsigned.
   * @returns the frame of the address in base pages, also inside a larger leaf; -1 when there is no translation.
   * @throws VmError `EINVAL` when the table was destroyed.
   */
  translateWords(vaHi: number, vaLo: number): number;
  /** Forgets the table that is kept. */
  reset(): void;
}
