import type { LevelPlan } from '../../../format/plan.js';
import type { PageRange } from '../../page-range.js';
import type { TableContext } from '../../state/context.js';
import type { OwedFlushes } from '../../state/flush-batch.js';
import { isOwnAndEmpty, recordOf } from '../../state/tables.js';
import { findEntries } from '../look/find.js';
import type { Link } from '../look/span.js';
import type { ChangeSet } from '../set/change-set.js';
import { changing } from '../set/changing.js';

/**
 * Frees this page table's empty tables in a range.
 *
 * @returns the number of tables that are out of the tree.
 */
export function reclaimTables(context: TableContext, range: PageRange, batch: OwedFlushes | null): number {
  const { links } = findEntries(context, range, 64, 'keep', true);
  return changing(context, range, batch, (changes) => unlinkEmptyTables(context, changes, links));
}

/**
 * Takes empty tables out of the tree, from the bottom up.
 *
 * @param links - each before those below it.
 * @returns how many.
 */
export function unlinkEmptyTables(context: TableContext, changes: ChangeSet, links: readonly Link[]): number {
  const { plan, records, owner } = context;
  let gone = 0;
  for (let i = links.length - 1; i >= 0; i--) {
    const link = links[i] as Link;
    const { pfn, level, bank, page } = link;
    // A table that two entries name is unlinked from both, and freed once.
    if (!changes.isGone(pfn)) {
      const { entries } = plan.levels[level] as LevelPlan;
      if (changes.holdsBroken(bank, bank.wordOf(pfn, plan.pageShift), entries)) continue;
      const record = recordOf(context, pfn);
      const isOwn = records?.isOwn(record, owner, level) === true;
      if (!(isOwn && changes.isCleared(record)) && !isOwnAndEmpty(context, pfn, level, page)) continue;
      gone++;
    }
    changes.unlink(link);
  }
  return gone;
}
