import { addressOf, type PageRange } from '../../page-range.js';
import type { TableContext } from '../../state/context.js';
import type { OwedFlushes } from '../../state/flush-batch.js';
import { findEntries, insideOf } from '../look/find.js';
import { applyCut, type Transform } from '../resize/cut.js';
import { changing } from '../set/changing.js';
import { unlinkEmptyTables } from './reclaim.js';

const clearAll: Transform = (words, at, count) => {
  words.fill(0, at, at + 2 * count);
};

/**
 * Clears the entries of a range. Holes are skipped. One flush covers the hull of what was not empty. When
 * all was empty there is no flush.
 *
 * @param reclaim - also free this page table's tables that are then empty.
 * @param mayCut - whether a block or run that the range covers only in part is cut; else it is refused.
 * @throws VmError `EINVAL` when an end of the range lies inside something that cannot be cut; `EFAULT`,
 *   `EPERM` for a table without bytes or in read-only memory; `ENOMEM` for a cut.
 */
export function unmapPages(
  context: TableContext,
  range: PageRange,
  reclaim: boolean,
  mayCut: boolean,
  batch: OwedFlushes | null,
): void {
  const found = findEntries(context, range, 64, mayCut ? 'cut' : 'refuse', reclaim);
  const [opaque] = found.opaque;
  if (opaque !== undefined) {
    const cut = addressOf(context.plan.format, opaque.from > opaque.page ? opaque.from : opaque.to);
    throw insideOf(context, opaque.level, opaque.page, opaque.level.pages, cut);
  }
  // Without a sink and without tables to free, nothing can fail after the cuts, so the old entries need not
  // be kept.
  const keepsOld = context.sink !== null || reclaim;
  changing(context, range, batch, (changes) => {
    if (reclaim) changes.needAlone();
    const cutter = { context, changes, maxShift: 64, transform: clearAll };
    for (const cut of found.cuts) applyCut(cutter, cut);
    for (const span of found.spans) changes.clear(span, keepsOld);
    // Its entries were cleared through the other link, but this one translated too.
    for (const { first, pages } of found.aliases) changes.widen(first, pages, context.plan.pageShift);
    if (reclaim) unlinkEmptyTables(context, changes, found.links);
  });
}
