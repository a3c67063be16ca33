import type { LevelPlan } from '../../../format/plan.js';
import { loopsOf } from '../../../memory/bank.js';
import { childPfn, highAt, isTable, lowAt } from '../../state/entries.js';
import { writableBankOfTable } from '../../state/table-banks.js';
import type { TableVisit } from '../../state/table-visit.js';
import { recordOf } from '../../state/tables.js';
import { isBlock } from './frame-source.js';
import type { MapCall } from './map-call.js';
import { writeLeaves } from './write-leaves.js';
import { writePages } from './write-pages.js';

/*
 * Maps whole tables at once: of base pages, or of blocks over adjacent frames. The allocator gives the lowest free frame, so tables that one
 * call makes follow each other in memory. Their entries are then one run, and a run over 64 tables costs
 * little more than a run over one.
 */

/**
 * Maps whole tables, starting at a slot. Each slot of theirs takes a leaf of their level.
 *
 * @param table - the table that holds the slot.
 * @param at - pages of the call before the first of them.
 * @param left - pages of the call from there on, in this table.
 * @param mayBlock - slots whose frames form a block take one, and end the run.
 * @returns the number of slots done; 0 when the first one needs a look by itself.
 */
export function mapTables(
  call: MapCall,
  table: TableVisit,
  slot: number,
  at: number,
  left: number,
  mayBlock: boolean,
): number {
  const { level, bank, isNew } = table;
  // While a batch is pending, each slot needs its own check. When frames are few, so does each table.
  if (left < 2 * level.pages || call.context.owed.size > 0) return 0;
  const { plan } = call.context;
  const { words } = bank;
  const loops = loopsOf(bank);
  const entry = table.word + 2 * slot;
  const lo = lowAt(bank, words, entry);
  const hi = highAt(bank, words, entry);
  const isEmpty = (lo | hi) === 0;
  // On shared tables each new table is linked by itself.
  const isOneByOne = call.areFramesFew || call.changes.shared !== null;
  if (isEmpty ? isOneByOne : !isTable(level, lo, hi)) return 0;
  const most = isEmpty ? left : Math.min(left, MOST_ENTRIES);
  const wanted = wholeSlots(call, level, mayBlock, at, most);
  if (wanted < 2) return 0;
  if (!isEmpty) return level.index + 1 < plan.last ? 0 : mapExistingTables(call, table, slot, at, wanted);
  const used = isNew ? -1 : loops.firstLive(entry, wanted);
  const empty = used < 0 ? wanted : used;
  if (empty < 2) return 0;
  if (mapNewTables(call, table, slot, at, empty)) return empty;
  call.areFramesFew = true;
  return 0;
}

/**
 * Maps pages into the tables that the slots point to, from one slot on, while the tables are whole and
 * follow each other in memory.
 *
 * @param slot - the first slot, which points to a table.
 * @param wanted - slots that will be mapped whole.
 * @returns the number of slots: at least 1.
 */
function mapExistingTables(
  call: MapCall,
  table: TableVisit,
  slot: number,
  at: number,
  wanted: number,
): number {
  const { context, first } = call;
  const { plan, counters } = context;
  const { level } = table;
  const { words } = table.bank;
  const entry = table.word + 2 * slot;
  const parent = table.bank;
  const child = childPfn(context, lowAt(parent, words, entry), highAt(parent, words, entry));
  const below = table.below(0, at, 0).enter(child, writableBankOfTable(context, child, first + at));
  const { bank, record } = below;
  const most = Math.min(wanted, MOST_ENTRIES / below.level.entries);
  let tables = 1;
  while (tables < most) {
    const lo = lowAt(parent, words, entry + 2 * tables);
    const hi = highAt(parent, words, entry + 2 * tables);
    if (!isTable(level, lo, hi) || childPfn(context, lo, hi) !== child + tables) break;
    if (bank.wordOf(child + tables, plan.pageShift) < 0) break;
    if (recordOf(context, child + tables) !== (record < 0 ? record : record + tables)) break;
    tables++;
  }
  counters.entriesRead += tables;
  below.pages = tables * level.pages;
  writePages(call, below);
  return tables;
}

/**
 * Makes the tables of empty slots, from one slot on, and fills all of them.
 *
 * @param wanted - empty slots that will be mapped whole.
 * @returns false when there are too few frames: nothing was done.
 */
function mapNewTables(call: MapCall, table: TableVisit, slot: number, at: number, wanted: number): boolean {
  const { context, changes, first } = call;
  const { plan, counters } = context;
  const { level, record } = table;
  const made = changes.makeTables(level.index + 1, record, wanted);
  if (made === null) return false;
  counters.entriesRead += wanted;
  for (let done = 0; done < wanted; ) {
    const child = made[done] as number;
    const from = at + done * level.pages;
    const below = table
      .below(0, from, 0)
      .enter(child, writableBankOfTable(context, child, first + from), true);
    const most = Math.min(wanted - done, MOST_ENTRIES / below.level.entries);
    let tables = 1;
    while (tables < most && made[done + tables] === child + tables) tables++;
    // Frames that follow each other may still be in two banks.
    while (below.bank.wordOf(child + tables - 1, plan.pageShift) < 0) tables--;
    below.pages = tables * level.pages;
    if (below.level.index === plan.last) writePages(call, below);
    else writeBlockTables(call, below, tables);
    done += tables;
  }
  const entry = table.word + 2 * slot;
  if (!table.isNew) changes.noteEmpty(table.bank, entry, wanted, record);
  changes.writeLinks(table.bank, entry, record, made);
  return true;
}

/** Fills new tables that follow each other in memory with blocks over adjacent frames. */
function writeBlockTables(call: MapCall, table: TableVisit, tables: number): void {
  const { counters, records } = call.context;
  const { entries } = table.level;
  counters.tablesRead += tables;
  writeLeaves(call, table, 0, tables * entries, call.source, table.done);
  counters.entriesWritten += tables * entries;
  records?.addEach(table.record, tables, entries);
}

/**
 * Most entries written at once. Loops take no more of a list of wide frames in one go (`Scratch.capacity`).
 */
const MOST_ENTRIES = 8192;

/**
 * How many slots, from a page on, base pages fill whole. Where blocks may be used, a slot whose frames form
 * a block does not count.
 */
function wholeSlots(call: MapCall, level: LevelPlan, mayBlock: boolean, at: number, left: number): number {
  const wanted = Math.floor(left / level.pages);
  if (!mayBlock) return wanted;
  let slots = 0;
  while (slots < wanted && !isBlock(call.source, at + slots * level.pages, level.pages)) slots++;
  return slots;
}
