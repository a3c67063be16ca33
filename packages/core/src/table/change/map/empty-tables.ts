import type { LevelPlan } from '../../../format/plan.js';
import type { TableContext } from '../../state/context.js';
import { childPfn, highAt, isTable, lowAt } from '../../state/entries.js';
import { bankOfTable } from '../../state/table-banks.js';
import { recordOf } from '../../state/tables.js';

/**
 * The tables of a subtree, when this page table made all of them and they map nothing.
 *
 * Every entry is read: live counts do not know of other writers.
 *
 * @param level - index of the level of the subtree's top table.
 * @param page - index of the first page that the subtree translates.
 * @returns the pfns, top first; `null` when it meets an entry that is not a table, a foreign table, or a
 *   table for the second time.
 */
export function collectEmptyTables(
  context: TableContext,
  level: number,
  pfn: number,
  page: number,
  into: Set<number> = new Set(),
): Set<number> | null {
  const { plan, records, counters, owner } = context;
  const record = recordOf(context, pfn);
  if (records === null || !records.isOwn(record, owner, level) || into.has(pfn)) return null;
  // The count refuses a table in use without a scan.
  if (level === plan.last && records.live(record) > 0) return null;
  into.add(pfn);
  const here = plan.levels[level] as LevelPlan;
  const bank = bankOfTable(context, pfn, page);
  const { words } = bank;
  const word = bank.wordOf(pfn, plan.pageShift);
  counters.tablesRead++;
  for (let slot = 0; slot < here.entries; slot++) {
    const lo = lowAt(bank, words, word + 2 * slot);
    const hi = highAt(bank, words, word + 2 * slot);
    counters.entriesRead++;
    if ((lo | hi) === 0) continue;
    if (!isTable(here, lo, hi)) return null;
    const child = childPfn(context, lo, hi);
    if (collectEmptyTables(context, level + 1, child, page + slot * here.pages, into) === null) return null;
  }
  return into;
}
