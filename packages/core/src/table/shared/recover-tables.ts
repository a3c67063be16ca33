import type { LevelPlan } from '../../format/plan.js';
import { type Bank, loopsOf } from '../../memory/bank.js';
import type { ThreadGroup } from '../../threads/thread-group.js';
import type { TableContext } from '../state/context.js';
import { childPfn, highAt, isTable, lowAt } from '../state/entries.js';
import { flush } from '../state/flush.js';
import { bankOf } from '../state/table-banks.js';
import type { TableRecords } from '../state/table-records.js';
import { freeTables } from '../state/tables.js';
import { clearJournal, JournalState, readJournal } from './journal.js';
import { undoNote } from './notes.js';

/** An unfinished call of a dead thread. */
export interface UndoneCall {
  readonly slot: number;
  /** Physical address in bytes of the root whose tables it changed. */
  readonly root: bigint;
  /** Entries that were put back. */
  readonly entries: number;
  /** False when the call had changed more than its journal holds, or when no page table given has the root. */
  readonly isComplete: boolean;
}

/** What a recovery of page tables did. */
export interface RecoveredTables {
  readonly undone: readonly UndoneCall[];
  /** Tables whose number of live entries was wrong. */
  readonly recounted: number;
  /**
   * Frames of tables that no root reached: of calls that died, and those that dead threads had taken out. They
   * are free, or wait for the other threads.
   */
  readonly freed: readonly number[];
  /** Frames of all tables that the roots reach. */
  readonly reached: ReadonlySet<number>;
}

/**
 * Mends page tables after threads died: undoes their unfinished calls, counts the live entries of all tables,
 * and frees tables that nothing reaches. Nobody else may be in a call (`sections.recovering`).
 *
 * @param contexts - of all page tables that the threads share: those of `TableThreads.contexts`.
 * @param deadSlots - of the threads that died.
 */
export function recoverTables(
  contexts: readonly TableContext[],
  group: ThreadGroup,
  deadSlots: readonly number[],
): RecoveredTables {
  const live = contexts.filter((context) => !context.isDestroyed);
  const undone = deadSlots.flatMap((slot) => undoCall(live, group.journalOf(slot), slot));
  const reached = new Set<number>();
  for (const context of live) reach(context, 0, context.root.pfn, context.root.bank, reached);
  const recounted = recount(live);
  const freed = [...freeLost(live, reached), ...freeHeld(live, deadSlots)];
  for (const context of live) {
    context.generation++;
    try {
      // Nobody knows what the dead threads had left to flush.
      flush(context, 0, context.plan.pages, context.plan.pageShift, freed);
    } catch {
      // A sink must not throw (see FlushSink).
    }
  }
  return { undone, recounted, freed, reached };
}

function undoCall(contexts: readonly TableContext[], words: Int32Array, slot: number): UndoneCall[] {
  const { state, root, notes } = readJournal(words);
  if (state === JournalState.empty) return [];
  const context = contexts.find((one) => one.root.pfn === root);
  let entries = 0;
  if (context !== undefined)
    for (const note of [...notes].reverse()) entries += undoNote(context, note, false);
  // Kept until all is undone: a recovery may die, too, and to undo twice changes nothing.
  clearJournal(words);
  const shift = BigInt(context?.plan.pageShift ?? 12);
  const isComplete = context !== undefined && state === JournalState.open;
  return [{ slot, root: BigInt(root) << shift, entries, isComplete }];
}

/** Collects the frames of the tables that a root reaches. */
function reach(context: TableContext, index: number, pfn: number, bank: Bank, into: Set<number>): void {
  const { plan, root } = context;
  if (index === 0) for (let i = 0; i < 2 ** plan.rootOrder; i++) into.add(pfn + i);
  else if (into.has(pfn)) return;
  else into.add(pfn);
  if (index === plan.last) return;
  const level = plan.levels[index] as LevelPlan;
  const word = index === 0 ? root.word : bank.wordOf(pfn, plan.pageShift);
  const { words } = bank;
  for (let at = word; at < word + 2 * level.entries; at += 2) {
    const lo = lowAt(bank, words, at);
    const hi = highAt(bank, words, at);
    if ((lo | hi) === 0 || !isTable(level, lo, hi)) continue;
    const child = childPfn(context, lo, hi);
    const below = bankOf(context, child);
    if (below !== null) reach(context, index + 1, child, below, into);
  }
}

/** Counts the live entries of the tables of all given page tables. Returns how many counts were wrong. */
function recount(contexts: readonly TableContext[]): number {
  let wrong = 0;
  eachOwn(contexts, (context, records, pfn, index) => {
    const bank = bankOf(context, pfn);
    if (bank === null) return;
    const { entries } = context.plan.levels[index] as LevelPlan;
    const record = records.find(pfn);
    const count = loopsOf(bank).countLive(bank.wordOf(pfn, context.plan.pageShift), entries);
    if (records.live(record) === count) return;
    records.setLive(record, count);
    wrong++;
  });
  return wrong;
}

/** Frees tables of the given page tables that no root reaches. */
function freeLost(contexts: readonly TableContext[], reached: ReadonlySet<number>): number[] {
  const freed: number[] = [];
  eachOwn(contexts, (context, _records, pfn) => {
    if (reached.has(pfn)) return;
    if (context.frames?.isAllocated(pfn) === true) freeTables(context, [pfn]);
    else context.records?.leave(pfn);
    freed.push(pfn);
  });
  return freed;
}

/** Frees tables that dead threads had taken out of the tree and not freed. */
function freeHeld(contexts: readonly TableContext[], deadSlots: readonly number[]): number[] {
  const freed: number[] = [];
  const seen = new Set<TableRecords>();
  for (const context of contexts) {
    const { frames, records, sharing } = context;
    if (records === null || frames === null || seen.has(records)) continue;
    seen.add(records);
    for (const slot of deadSlots) {
      records.eachHeld(slot, (pfn, order) => {
        // The other threads may still hold it: it waits for them, as those of this thread do.
        sharing?.retire(context, [pfn], order);
        freed.push(pfn);
      });
    }
  }
  return freed;
}

/** Calls with each table on record that one of the page tables owns. */
function eachOwn(
  contexts: readonly TableContext[],
  visit: (context: TableContext, records: TableRecords, pfn: number, level: number) => void,
): void {
  const byOwner = new Map<TableRecords, Map<number, TableContext>>();
  for (const context of contexts) {
    const { records, owner } = context;
    if (records === null) continue;
    const owners = byOwner.get(records) ?? new Map<number, TableContext>();
    byOwner.set(records, owners.set(owner, context));
  }
  for (const [records, owners] of byOwner) {
    records.each((pfn, level, owner) => {
      const context = owners.get(owner);
      if (context !== undefined) visit(context, records, pfn, level);
    });
  }
}
