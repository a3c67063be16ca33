import type { LevelPlan, Plan } from '../../../format/plan.js';
import type { Bank } from '../../../memory/bank.js';
import type { PageRange } from '../../page-range.js';
import type { TableContext } from '../../state/context.js';
import { childPfn, isTable } from '../../state/entries.js';
import { refuseOwed } from '../../state/flush.js';
import { bankOfTable, writableBankOfTable } from '../../state/table-banks.js';
import { recordOf } from '../../state/tables.js';
import { type ChangeSet, changing } from '../set/change-set.js';

/** What one call passes down the levels. */
interface PrepareCall {
  readonly context: TableContext;
  /** `null`: count what is missing, and change nothing. */
  readonly changes: ChangeSet | null;
  /** Size of the leaves that the tables are for, log2 bytes. */
  readonly leafShift: number;
}

/**
 * Makes the tables for leaves of a size, wherever a slot of the range is empty.
 *
 * @param leafShift - log2 bytes of the leaves.
 * @returns the number of tables made.
 */
export function prepareTables(context: TableContext, range: PageRange, leafShift: number): number {
  refuseOwed(context, range);
  return changing(context, range, null, (changes) => prepareRoot({ context, changes, leafShift }, range));
}

/** Counts the tables that `prepareTables` would make. */
export function countTables(context: TableContext, range: PageRange, leafShift: number): number {
  return prepareRoot({ context, changes: null, leafShift }, range);
}

function prepareRoot(call: PrepareCall, { first, pages }: PageRange): number {
  const { root } = call.context;
  return prepareBelow(call, 0, root.bank, root.pfn, root.word, first, first, pages);
}

/**
 * Makes, or counts, the missing tables below a part of one table.
 *
 * @param offset - first page, counted from the first page that this table translates.
 * @param page - the same page, counted from the start of the root's range.
 */
function prepareBelow(
  call: PrepareCall,
  levelIndex: number,
  bank: Bank,
  pfn: number,
  word: number,
  offset: number,
  page: number,
  pages: number,
): number {
  const { context, changes, leafShift } = call;
  const { plan, counters } = context;
  const level = plan.levels[levelIndex] as LevelPlan;
  counters.tablesRead++;
  if (level.shift <= leafShift) return 0;
  const record = recordOf(context, pfn);
  const { words } = bank;
  let tables = 0;
  let slot = Math.floor(offset / level.pages);
  let inside = offset - slot * level.pages;
  let at = page;
  for (let left = pages; left > 0; slot++, inside = 0) {
    const here = Math.min(level.pages - inside, left);
    const entry = word + 2 * slot;
    const lo = words[entry] as number;
    const hi = words[entry + 1] as number;
    const isEmpty = (lo | hi) === 0;
    counters.entriesRead++;
    if (isEmpty && changes === null) {
      tables += tablesBelow(plan, levelIndex + 1, leafShift, inside, here);
    } else if (isEmpty || isTable(level, lo, hi)) {
      const child =
        isEmpty && changes !== null
          ? changes.linkTable(level, bank, entry, record, at)
          : childPfn(context, lo, hi);
      if (isEmpty) tables++;
      const below =
        changes === null ? bankOfTable(context, child, at) : writableBankOfTable(context, child, at);
      const childWord = below.wordOf(child, plan.pageShift);
      tables += prepareBelow(call, levelIndex + 1, below, child, childWord, inside, at, here);
    }
    at += here;
    left -= here;
  }
  return tables;
}

/**
 * Counts the tables below one empty slot, for a part of what it translates, down to the level that holds the
 * leaves.
 */
function tablesBelow(
  plan: Plan,
  levelIndex: number,
  leafShift: number,
  inside: number,
  pages: number,
): number {
  let tables = 0;
  for (let index = levelIndex; ; index++) {
    const level = plan.levels[index] as LevelPlan;
    const covered = level.pages * level.entries;
    tables += Math.floor((inside + pages - 1) / covered) - Math.floor(inside / covered) + 1;
    if (level.shift <= leafShift) return tables;
  }
}
