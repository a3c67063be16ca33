import type { LevelPlan } from '../../../format/plan.js';
import type { Bank } from '../../../memory/bank.js';
import { childPfn, isTable } from '../../state/entries.js';
import { writableBankOfTable } from '../../state/table-banks.js';
import { recordOf } from '../../state/tables.js';
import { isBlock } from './frame-source.js';
import type { MapCall } from './map-call.js';
import { writePages } from './write-pages.js';

/*
 * Maps whole tables of base pages at once. The allocator gives the lowest free frame, so tables that one
 * call makes follow each other in memory. Their entries are then one run, and a run over 64 tables costs
 * little more than a run over one.
 */

/**
 * Maps whole tables of base pages, starting at a slot.
 *
 * @param level - of the slot; the tables are of the last level.
 * @param entry - index of the slot's low word.
 * @param pfn - of the table that holds it.
 * @param isNew - the call made that table.
 * @param mayBlock - slots whose frames form a block take one, and end the run.
 * @param left - pages of the call from `at` on, in this table.
 * @returns the number of slots done; 0 when the first one needs a look by itself.
 */
export function mapTables(
  call: MapCall,
  level: LevelPlan,
  bank: Bank,
  entry: number,
  pfn: number,
  isNew: boolean,
  mayBlock: boolean,
  at: number,
  left: number,
): number {
  // While a batch is pending, each slot needs its own check. When frames are few, so does each table.
  if (left < 2 * level.pages || call.context.owed.size > 0) return 0;
  const { words, loops } = bank;
  const lo = words[entry] as number;
  const hi = words[entry + 1] as number;
  const isEmpty = (lo | hi) === 0;
  if (isEmpty ? call.areFramesFew : !isTable(level, lo, hi)) return 0;
  const most = isEmpty ? left : Math.min(left, MOST_ENTRIES);
  const wanted = wholeSlots(call, level, mayBlock, at, most);
  if (wanted < 2) return 0;
  if (!isEmpty) return mapExistingTables(call, level, bank, entry, at, wanted);
  const used = isNew ? -1 : loops.firstLive(entry, wanted);
  const empty = used < 0 ? wanted : used;
  if (empty < 2) return 0;
  if (mapNewTables(call, level, bank, entry, pfn, isNew, at, empty)) return empty;
  call.areFramesFew = true;
  return 0;
}

/**
 * Maps pages into the tables that the slots point to, from one slot on, while the tables are whole and
 * follow each other in memory.
 *
 * @param level - of the slots; the tables are of the last level.
 * @param entry - index of the first slot's low word, which points to a table.
 * @param wanted - slots that will be mapped whole.
 * @returns the number of slots: at least 1.
 */
function mapExistingTables(
  call: MapCall,
  level: LevelPlan,
  bank: Bank,
  entry: number,
  at: number,
  wanted: number,
): number {
  const { context, first } = call;
  const { plan, counters } = context;
  const { words } = bank;
  const below = plan.levels[plan.last] as LevelPlan;
  const child = childPfn(context, words[entry] as number, words[entry + 1] as number);
  const childBank = writableBankOfTable(context, child, first + at);
  const record = recordOf(context, child);
  const most = Math.min(wanted, MOST_ENTRIES / below.entries);
  let tables = 1;
  while (tables < most) {
    const lo = words[entry + 2 * tables] as number;
    const hi = words[entry + 2 * tables + 1] as number;
    if (!isTable(level, lo, hi) || childPfn(context, lo, hi) !== child + tables) break;
    if (childBank.wordOf(child + tables, plan.pageShift) < 0) break;
    if (recordOf(context, child + tables) !== (record < 0 ? record : record + tables)) break;
    tables++;
  }
  counters.entriesRead += tables;
  const word = childBank.wordOf(child, plan.pageShift);
  writePages(call, below, childBank, word, record, tables, false, at, tables * level.pages);
  return tables;
}

/**
 * Makes the tables of empty slots, from one slot on, and maps the pages of all of them. The tables are
 * filled whole.
 *
 * @param pfn - of the table that holds the slots.
 * @param isNew - the call made that table.
 * @param wanted - empty slots that will be mapped whole.
 * @returns false when there are too few frames: nothing was done.
 */
function mapNewTables(
  call: MapCall,
  level: LevelPlan,
  bank: Bank,
  entry: number,
  pfn: number,
  isNew: boolean,
  at: number,
  wanted: number,
): boolean {
  const { context, changes, first } = call;
  const { plan, counters } = context;
  const below = plan.levels[plan.last] as LevelPlan;
  const record = recordOf(context, pfn);
  const made = changes.makeTables(below.index, record, wanted);
  if (made === null) return false;
  counters.entriesRead += wanted;
  for (let done = 0; done < wanted; ) {
    const child = made[done] as number;
    const most = Math.min(wanted - done, MOST_ENTRIES / below.entries);
    let tables = 1;
    while (tables < most && made[done + tables] === child + tables) tables++;
    const childBank = writableBankOfTable(context, child, first + at + done * level.pages);
    // Frames that follow each other may still be in two banks.
    while (childBank.wordOf(child + tables - 1, plan.pageShift) < 0) tables--;
    const word = childBank.wordOf(child, plan.pageShift);
    const from = at + done * level.pages;
    writePages(
      call,
      below,
      childBank,
      word,
      recordOf(context, child),
      tables,
      true,
      from,
      tables * level.pages,
    );
    done += tables;
  }
  if (!isNew) changes.noteEmpty(bank, entry, wanted, record);
  changes.writeLinks(bank, entry, record, made);
  return true;
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
