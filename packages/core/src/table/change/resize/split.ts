import type { PageRange } from '../../page-range.js';
import type { TableContext } from '../../state/context.js';
import type { OwedFlushes } from '../../state/flush-batch.js';
import { findEntries } from '../look/find.js';
import { changing } from '../set/change-set.js';
import { applyCut } from './cut.js';

/**
 * Makes the leaves and runs of a range no larger than a size; what they translate stays.
 *
 * @param leafShift - log2 bytes.
 */
export function splitPages(
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
