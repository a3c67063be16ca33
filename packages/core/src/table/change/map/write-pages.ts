import { badFrame } from '../../../check/frames.js';
import type { LevelPlan } from '../../../format/plan.js';
import { WRITTEN } from '../../../loops/run-loops.js';
import type { Bank } from '../../../memory/bank.js';
import { frameAt } from './frame-source.js';
import { type MapCall, occupied } from './map-call.js';
import { writeLeaves } from './write-leaves.js';

/**
 * Writes base pages into a table of the last level, or into several that follow each other in memory.
 *
 * @param at - index of the first entry's low word.
 * @param record - of the table, or of the first of several; -1 when they are not counted.
 * @param tables - how many tables; when there are more than one, all are written whole.
 * @param isNew - the call made them: they count as empty, whatever they hold.
 * @param done - pages of the call that are already mapped.
 */
export function writePages(
  call: MapCall,
  level: LevelPlan,
  bank: Bank,
  at: number,
  record: number,
  tables: number,
  isNew: boolean,
  done: number,
  pages: number,
): void {
  const { context, source } = call;
  const { plan, counters, records } = context;
  counters.tablesRead += tables;
  const result = writeLeaves(call, level, bank, at, source, done, pages, isNew);
  if (!isNew) counters.entriesRead += result < 0 ? pages : result + 1;
  if (result >= 0) throw occupied(call, level, bank.words, at + 2 * result, done + result);
  if (result !== WRITTEN)
    throw badFrame(frameAt(source, done - 2 - result), done - 2 - result, plan.pfnLimit);
  if (!isNew) call.changes.noteEmpty(bank, at, pages, record, tables);
  counters.entriesWritten += pages;
  records?.addEach(record, tables, pages / tables);
}
