import { optionsOf } from '../../../check/options.js';
import type { Controls } from '../../../format/access.js';
import { batchOf, leafShiftOf } from '../../arguments.js';
import type { SplitOptions } from '../../options.js';
import { type PageRange, pageRange } from '../../page-range.js';
import type { PageTable } from '../../page-table.js';
import { changeTables } from '../../state/change-lock.js';
import type { TableContext } from '../../state/context.js';
import type { OwedFlushes } from '../../state/flush-batch.js';
import { contextOf } from '../../state/registry.js';
import { findEntries } from '../look/find.js';
import { changing } from '../set/changing.js';
import { applyCut } from './cut.js';

/**
 * Splits the leaves of a range into smaller ones that translate the same. Leaves outside the range stay as
 * large as they can: to split one page of a 1 GiB block leaves 511 leaves of 2 MiB and 512 of 4 KiB.
 *
 * @param table - the table to change.
 * @param va - first address in bytes, a multiple of the page size.
 * @param bytes - length in bytes, a multiple of the page size.
 * @throws VmError `EINVAL` when `leafShift` is no leaf size of the format; `ENOMEM`, `ERANGE`, `EFAULT`,
 *   `EPERM` as `map`; what the sink throws.
 * @example
 * ```ts
 * splitLeaves(table, 0xffffc90000201000n, 4096); // the block around it is 512 pages now
 * ```
 */
export function splitLeaves<C extends Controls>(
  table: PageTable<C>,
  va: bigint,
  bytes: bigint | number,
  options?: SplitOptions,
): void {
  const given = optionsOf(options, ['batch', 'leafShift'], 'splitLeaves()');
  changeTables(
    contextOf(table),
    (context) => {
      const range = pageRange(context.plan.format, va, bytes);
      splitPages(context, range, leafShiftOf(context.plan, given), batchOf(context, given));
    },
    true,
  );
}

/**
 * Makes the leaves and runs of a range no larger than a size. Their translations stay the same.
 *
 * @param leafShift - log2 bytes.
 */
function splitPages(
  context: TableContext,
  range: PageRange,
  leafShift: number,
  batch: OwedFlushes | null,
): void {
  const { cuts } = findEntries(context, range, leafShift, 'keep');
  changing(context, range, batch, (changes) => {
    const cutter = { context, changes, maxShift: leafShift, transform: null };
    for (const cut of cuts) applyCut(cutter, cut);
  });
}
