import { optionsOf } from '../../../check/options.js';
import type { Controls } from '../../../format/access.js';
import type { LevelPlan, Plan } from '../../../format/plan.js';
import { leafShiftOf } from '../../arguments.js';
import { PREPARE_OPTIONS, type PrepareOptions } from '../../options.js';
import { type PageRange, pageRange } from '../../page-range.js';
import type { PageTable } from '../../page-table.js';
import { changeTables } from '../../state/change-lock.js';
import { type TableContext, visitRoot } from '../../state/context.js';
import { childPfn, highAt, isTable, lowAt } from '../../state/entries.js';
import { refuseOwed } from '../../state/flush.js';
import { contextOf } from '../../state/registry.js';
import { bankOfTable, writableBankOfTable } from '../../state/table-banks.js';
import { TableVisit } from '../../state/table-visit.js';
import type { ChangeSet } from '../set/change-set.js';
import { changing } from '../set/changing.js';

/**
 * Makes the tables that a later `map` of the range needs. That `map` then allocates nothing and cannot run
 * out of memory. This holds for any frames; with a larger `leafShift`, when it maps whole leaves of that
 * size. Slots in use are skipped.
 *
 * The promise ends when a call removes prepared tables: `reclaim`, `unmap` with `reclaim`,
 * `collapseLeaves`, or a `map` that puts a larger leaf in place of an empty table. Cap `map` with
 * `maxLeafShift` to keep the tables.
 *
 * @param table - for which they are.
 * @param va - first address in bytes, a multiple of the page size.
 * @param bytes - length in bytes, a multiple of the page size.
 * @returns the number of tables made.
 * @throws VmError `ENOMEM`, `ERANGE`, `EFAULT`, `EPERM` as `map`; `EINVAL` when `leafShift` is no leaf
 *   size of the format; `EBUSY` while a batch owes a flush for the range.
 */
export function prepareTables<C extends Controls>(
  table: PageTable<C>,
  va: bigint,
  bytes: bigint | number,
  options?: PrepareOptions,
): number {
  const given = optionsOf(options, PREPARE_OPTIONS, 'prepareTables()');
  return changeTables(contextOf(table), (context) => {
    const range = pageRange(context.plan.format, va, bytes);
    return makeTables(context, range, leafShiftOf(context.plan, given));
  });
}

/**
 * As `prepareTables`, for the tables of one level and those above it, also where the level has no leaves.
 *
 * @param shift - log2 of the bytes that an entry of the level covers.
 */
export function prepareLevel(table: PageTable, va: bigint, bytes: bigint, shift: number): number {
  return changeTables(contextOf(table), (context) =>
    makeTables(context, pageRange(context.plan.format, va, bytes), shift),
  );
}

/**
 * Counts the tables that `prepareTables` would make: the frames that a `map` with leaves of this size needs.
 *
 * It only reads. The count is exact for a `map` that uses leaves of this size alone. A `map` that can use
 * larger ones needs fewer tables.
 *
 * @param table - for which they are.
 * @param va - first address in bytes, a multiple of the page size.
 * @param bytes - length in bytes, a multiple of the page size.
 * @throws VmError `ERANGE`, `EFAULT` as `map`; `EINVAL` when `leafShift` is no leaf size of the format.
 */
export function tablesNeeded<C extends Controls>(
  table: PageTable<C>,
  va: bigint,
  bytes: bigint | number,
  options?: PrepareOptions,
): number {
  const given = optionsOf(options, PREPARE_OPTIONS, 'tablesNeeded()');
  const context = contextOf(table);
  return missingTables(context, pageRange(context.plan.format, va, bytes), leafShiftOf(context.plan, given));
}

/** What one call passes down the levels. */
interface PrepareCall {
  readonly context: TableContext;
  /** `null`: count what is missing, and change nothing. */
  readonly changes: ChangeSet | null;
  /** Size of the leaves that the tables are for, log2 bytes. */
  readonly leafShift: number;
  readonly range: PageRange;
}

/**
 * Makes the tables for leaves of a size, wherever a slot of the range is empty.
 *
 * @param leafShift - log2 bytes of the leaves.
 * @returns the number of tables made.
 */
function makeTables(context: TableContext, range: PageRange, leafShift: number): number {
  refuseOwed(context, range);
  return changing(context, range, null, (changes) =>
    prepareBelow({ context, changes, leafShift, range }, visitRoot(context, range)),
  );
}

/** Counts the tables that `prepareTables` would make. */
function missingTables(context: TableContext, range: PageRange, leafShift: number): number {
  // A callback of a change may ask this: the visits of the change must not move.
  const root = new TableVisit(context, 0).toRoot(range);
  return prepareBelow({ context, changes: null, leafShift, range }, root);
}

/** Makes, or counts, the missing tables below a part of one table. */
function prepareBelow(call: PrepareCall, table: TableVisit): number {
  const { context, changes, leafShift, range } = call;
  const { plan, counters } = context;
  const { level, bank, word, record } = table;
  counters.tablesRead++;
  if (level.shift <= leafShift) return 0;
  // The tables of the leaves have no tables below: they need no visit.
  const isAboveLeaves = (plan.levels[level.index + 1] as LevelPlan).shift <= leafShift;
  const { words } = bank;
  let tables = 0;
  let { slot, inside, done } = table;
  for (let left = table.pages; left > 0; slot++, inside = 0) {
    const here = Math.min(level.pages - inside, left);
    const entry = word + 2 * slot;
    const lo = lowAt(bank, words, entry);
    const hi = highAt(bank, words, entry);
    const isEmpty = (lo | hi) === 0;
    counters.entriesRead++;
    if (isEmpty && changes === null) {
      tables += tablesBelow(plan, level.index + 1, leafShift, inside, here);
    } else if (isEmpty || isTable(level, lo, hi)) {
      const page = range.first + done;
      const child =
        isEmpty && changes !== null
          ? changes.linkTable(level, bank, entry, record, page)
          : childPfn(context, lo, hi);
      if (isEmpty) tables++;
      const childBank =
        changes === null ? bankOfTable(context, child, page) : writableBankOfTable(context, child, page);
      if (isAboveLeaves) counters.tablesRead++;
      else tables += prepareBelow(call, table.below(inside, done, here).enter(child, childBank));
    }
    done += here;
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
