import { badFrame } from '../../../check/frames.js';
import { unfit, WRITTEN } from '../../../loops/run-loops.js';
import { loopsOf } from '../../../memory/bank.js';
import type { TableVisit } from '../../state/table-visit.js';
import { frameAt } from './frame-source.js';
import { leavesOf, type MapCall, occupied } from './map-call.js';
import { writeLeaves } from './write-leaves.js';

/**
 * Writes base pages into a table of the last level, or into several that follow each other in memory.
 *
 * @param table - the visit to the table, or to the first of several that are written whole.
 */
export function writePages(call: MapCall, table: TableVisit): void {
  const { context, source, changes } = call;
  const { plan, counters, records } = context;
  const { level, bank, record, slot, done, pages, isNew } = table;
  const tables = pages > level.entries ? (pages / level.entries) | 0 : 1;
  counters.tablesRead += tables;
  const at = table.word + 2 * slot;
  if (!isNew) {
    const used = loopsOf(bank).firstLive(at, pages);
    counters.entriesRead += used < 0 ? pages : used + 1;
    if (used >= 0) throw occupied(call, level, bank, at + 2 * used, done + used);
  }
  if (changes.shared !== null && !isNew) {
    const { plain } = leavesOf(call, level);
    const write = (): number => writeLeaves(call, table, slot, pages, source, done);
    const result = changes.shared.claim(table, slot, pages, tables, plain, { source, done }, write, call);
    if (result === WRITTEN) return;
    if (result >= 0) throw occupied(call, level, bank, at + 2 * result, done + result);
    const bad = done + unfit(result);
    throw badFrame(frameAt(source, bad), bad, plan.pfnLimit);
  }
  const result = writeLeaves(call, table, slot, pages, source, done);
  if (result !== WRITTEN) throw badFrame(frameAt(source, done + result), done + result, plan.pfnLimit);
  if (!isNew) changes.noteEmpty(bank, at, pages, record, tables);
  counters.entriesWritten += pages;
  records?.addEach(record, tables, pages / tables);
}
