import type { PageTableFormat } from '@vmarea/core';
import { type X8664Controls, type X8664Options, x86Format } from '@vmarea/x86-64';

/**
 * The page tables of x86-64 with 5 levels: 57-bit canonical addresses. Entries are those of 4 levels.
 *
 * Source: Intel SDM vol. 3A, Paging, "4-Level Paging and 5-Level Paging"; CR4.LA57.
 *
 * @param options - the processor, as for `x8664`.
 * @throws VmError `EINVAL` when an option is unknown or out of range.
 * @example
 * ```ts
 * x8664La57().levels.map((level) => level.name); // [ 'PGD', 'P4D', 'PUD', 'PMD', 'PTE' ]
 * ```
 */
export function x8664La57(options?: X8664Options): PageTableFormat<X8664Controls> {
  const levels = ['PGD', 'P4D', 'PUD', 'PMD', 'PTE'];
  return x86Format({ name: 'x86-64-la57', levels }, options, 'x8664La57()');
}
