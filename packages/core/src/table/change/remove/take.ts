import type { LevelPlan } from '../../../format/plan.js';
import { type Words, ZERO } from '../../../words.js';
import { hullOf, type PageRange } from '../../page-range.js';
import type { PageTable } from '../../page-table.js';
import { changeTables } from '../../state/change-lock.js';
import { childPfn, isLeaf } from '../../state/entries.js';
import { contextOf } from '../../state/registry.js';
import { findEntries } from '../look/find.js';
import { changing } from '../set/changing.js';
import { unlinkEmptyTables } from './reclaim.js';

/** What a call has taken out: for each page its number and its frame, ascending in each range; -1 for a frame that nobody counts. */
export interface TakenPages {
  readonly pages: readonly number[];
  readonly frames: readonly number[];
}

/**
 * Removes what several ranges map, all of them or none, with one flush for their hull, and tells what it took. Where threads share
 * the table, each mapping is taken by one of them.
 *
 * For tables whose leaves are base pages, as those of processes are.
 *
 * @param ranges - in pages. None overlaps another.
 * @param reclaim - also frees the tables that are then empty.
 * @param uncounted - bits of an entry that say that nobody counts its frame.
 * @throws VmError as `PageTable.unmap`; what the sink throws. Nothing is then changed.
 */
export function takePages(
  table: PageTable,
  ranges: readonly PageRange[],
  reclaim: boolean,
  uncounted: Words = ZERO,
): TakenPages {
  return changeTables(
    contextOf(table),
    (context) => {
      const pages: number[] = [];
      const frames: number[] = [];
      const all = ranges.map((range) => findEntries(context, range, 64, 'refuse', reclaim));
      changing(context, hullOf(ranges), null, (changes) => {
        if (reclaim) changes.needAlone();
        changes.onTaken = (level: LevelPlan, first: number, words: Int32Array) => {
          for (let i = 0; i < words.length; i += 2) {
            const lo = words[i] as number;
            const hi = words[i + 1] as number;
            if ((lo | hi) === 0 || !isLeaf(level, lo, hi)) continue;
            pages.push(first + i / 2);
            const isCounted = ((lo & uncounted.lo) | (hi & uncounted.hi)) === 0;
            frames.push(
              isCounted ? childPfn(context, lo & level.leafAddressLo, hi & level.leafAddressHi) : -1,
            );
          }
        };
        for (const { spans } of all) for (const span of spans) changes.clear(span, true);
        if (reclaim) for (const { links } of all) unlinkEmptyTables(context, changes, links);
      });
      return { pages, frames };
    },
    reclaim,
  );
}
