import type { EntryTemplate } from '../../../entry-template.js';
import type { LevelPlan } from '../../../format/plan.js';
import { type FrameSource, type SharedRunLoops, unfit, WRITTEN } from '../../../loops/run-loops.js';
import { loopsOf } from '../../../memory/bank.js';
import { frameInRun } from '../../state/leaf-start.js';
import type { TableVisit } from '../../state/table-visit.js';
import { frameAt, isBlock, isLinear } from './frame-source.js';
import { leavesOf, type MapCall, markedOf } from './map-call.js';

/*
 * A leaf gets the mark of a run in the store that makes it valid. To mark it later would change a valid
 * entry, and arm64 demands a break for that.
 */

/**
 * Writes adjacent leaves of one level into free slots. They get the mark of a run wherever address, frames and
 * the call's cap allow one.
 *
 * @param table - the first of several when the leaves fill whole tables that follow each other.
 * @param slot - the slot of the first leaf.
 * @param source - the call's frames, or those of adjacent blocks.
 * @param done - pages of the call before the first leaf.
 * @returns `WRITTEN`; or the index of the first leaf whose frame does not fit, and nothing is written.
 */
export function writeLeaves(
  call: MapCall,
  table: TableVisit,
  slot: number,
  count: number,
  source: FrameSource,
  done: number,
): number {
  const { level } = table;
  const entries = runEntries(call, level);
  const { plain } = leavesOf(call, level);
  if (entries > count && call.changes.shared === null)
    return writePlain(call, table, slot, count, source, done, plain);
  const frameOf = (leaf: number): number => done + leaf * level.pages;
  const mayRun = (leaf: number): boolean =>
    leaf + entries <= count && isBlock(source, frameOf(leaf), entries * level.pages);
  const write = (from: number, to: number, isRun: boolean): number => {
    if (from === to) return WRITTEN;
    const result = isRun
      ? writeRuns(call, table, slot + from, to - from, source, frameOf(from))
      : writePlain(call, table, slot + from, to - from, source, frameOf(from), plain);
    if (result !== WRITTEN && call.changes.shared !== null) {
      call.written = from + Math.max(result, 0);
      return result >= 0 ? from + result : unfit(from + unfit(result));
    }
    // Another thread has changed the list since it was checked: none of it stays.
    return result === WRITTEN ? WRITTEN : takeBack(table, slot, from, result);
  };

  let leaf = (entries - (slot % entries)) % entries;
  let written = 0;
  while (leaf + entries <= count) {
    if (!mayRun(leaf)) {
      // Adjacent frames are aligned everywhere or nowhere.
      leaf = isLinear(source) ? count : leaf + entries;
      continue;
    }
    let end = leaf + entries;
    if (isLinear(source)) end += Math.floor((count - end) / entries) * entries;
    else while (mayRun(end)) end += entries;
    let result = write(written, leaf, false);
    if (result === WRITTEN) result = write(leaf, end, true);
    if (result !== WRITTEN) return result;
    written = end;
    leaf = end;
  }
  return write(written, count, false);
}

/** Leaves of a run that a call may make at a level; infinitely many where it may make none. */
export function runEntries({ maxRunShift }: MapCall, { level: { run }, runShift }: LevelPlan): number {
  return run === null || runShift > maxRunShift ? Number.POSITIVE_INFINITY : run.entries;
}

/** Writes leaves that differ in their frames alone. */
function writePlain(
  { changes }: MapCall,
  { level, bank, word }: TableVisit,
  slot: number,
  count: number,
  source: FrameSource,
  done: number,
  leaves: EntryTemplate,
): number {
  const at = word + 2 * slot;
  const loops = loopsOf(bank);
  if (changes.shared !== null) {
    const shared = loops as SharedRunLoops;
    return isLinear(source)
      ? shared.claimLinear(at, count, source.start + done, level.pages, leaves)
      : shared.claimFrames(at, count, source, done, leaves);
  }
  if (!isLinear(source)) return loops.writeFrames(at, count, source, done, leaves);
  loops.writeLinear(at, count, source.start + done, level.pages, leaves);
  return WRITTEN;
}

/** Writes one or more whole runs, with their mark. */
function writeRuns(
  call: MapCall,
  table: TableVisit,
  slot: number,
  count: number,
  source: FrameSource,
  done: number,
): number {
  const { level, bank, word } = table;
  const { run } = level.level;
  const marked = markedOf(call, level);
  if (run?.style !== 'napot') return writePlain(call, table, slot, count, source, done, marked);
  // All leaves of a NAPOT run are the same.
  for (let leaf = 0; leaf < count; leaf += run.entries) {
    const pfn = frameInRun(run, frameAt(source, done + leaf * level.pages), 0, level.pages);
    const at = word + 2 * (slot + leaf);
    if (call.changes.shared === null) {
      loopsOf(bank).writeLinear(at, run.entries, pfn, 0, marked);
      continue;
    }
    const taken = (loopsOf(bank) as SharedRunLoops).claimLinear(at, run.entries, pfn, 0, marked);
    if (taken !== WRITTEN) return leaf + taken;
  }
  return WRITTEN;
}

/** Clears the leaves that were written before a frame was refused. */
function takeBack({ bank, word }: TableVisit, slot: number, written: number, result: number): number {
  if (written > 0) loopsOf(bank).erase(word + 2 * slot, written);
  return written + result;
}
