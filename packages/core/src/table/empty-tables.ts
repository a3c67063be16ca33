import type { LevelPlan } from '../format/plan.js';
import { bankOfTable, childPfn, isTable, type TableContext } from './context.js';

/**
 * The tables of a subtree, when the engine made all of them and they map nothing.
 *
 * @param level - index of the level of the subtree's top table.
 * @param page - index of the first page that the subtree translates.
 * @returns the pfns, top first; `null` when an entry that is no table, or a foreign table, was found.
 */
export function collectEmptyTables(
  context: TableContext,
  level: number,
  pfn: number,
  page: number,
  into: number[] = [],
): number[] | null {
  const { plan, records, counters } = context;
  const record = records?.find(pfn) ?? -1;
  if (records === null || record < 0) return null;
  into.push(pfn);
  if (records.live(record) === 0) return into;
  if (level === plan.last) return null;
  const here = plan.levels[level] as LevelPlan;
  const bank = bankOfTable(context, pfn, page);
  const { words } = bank;
  const word = bank.wordOf(pfn, plan.pageShift);
  counters.tablesRead++;
  for (let slot = 0; slot < here.entries; slot++) {
    const lo = words[word + 2 * slot] as number;
    const hi = words[word + 2 * slot + 1] as number;
    counters.entriesRead++;
    if ((lo | hi) === 0) continue;
    if (!isTable(here, lo, hi)) return null;
    const found = collectEmptyTables(
      context,
      level + 1,
      childPfn(context, lo, hi),
      page + slot * here.pages,
      into,
    );
    if (found === null) return null;
  }
  return into;
}
