import type { LevelPlan } from '../../../format/plan.js';
import { type FrameSource, type RunLoops, WRITTEN } from '../../../loops/run-loops.js';
import type { Bank } from '../../../memory/bank.js';
import { frameInRun } from '../../state/leaf-start.js';
import { frameAt, isBlock, isLinear } from './frame-source.js';
import type { MapCall } from './map-call.js';

/*
 * A leaf gets the mark of a run in the store that makes it valid. To mark it later would change a valid
 * entry, and arm64 demands a break for that.
 */

/**
 * Writes adjacent leaves of one level. They get the mark of a run wherever address, frames and the call's
 * cap allow one.
 *
 * All is checked before anything is written.
 *
 * @param at - index of the first entry's low word.
 * @param source - the call's frames, or those of adjacent blocks.
 * @param done - pages of the call before the first leaf.
 * @param count - leaves: of one table, or of whole tables that follow each other.
 * @param isNew - the slots need no check: their contents may be lost.
 * @returns as `RunLoops.writeFrames`.
 */
export function writeLeaves(
  call: MapCall,
  level: LevelPlan,
  bank: Bank,
  at: number,
  source: FrameSource,
  done: number,
  count: number,
  isNew: boolean,
): number {
  const { loops } = bank;
  const entries = runEntries(call, level);
  if (entries > count) return writePlain(call, level, loops, at, source, done, count, isNew, false);
  const frameOf = (leaf: number): number => done + leaf * level.pages;
  const mayRun = (leaf: number): boolean =>
    leaf + entries <= count && isBlock(source, frameOf(leaf), entries * level.pages);
  const write = (from: number, to: number, isRun: boolean): number => {
    if (from === to) return WRITTEN;
    const p = at + 2 * from;
    const result = writePlain(call, level, loops, p, source, frameOf(from), to - from, true, isRun);
    // Another thread has changed the list since it was checked: none of it stays.
    return result === WRITTEN ? WRITTEN : takeBack(loops, at, from, result);
  };

  const slot = (call.first + done) / level.pages;
  let leaf = (entries - (slot % entries)) % entries;
  let written = 0;
  while (leaf + entries <= count) {
    if (!mayRun(leaf)) {
      // Adjacent frames are aligned everywhere or nowhere.
      leaf = isLinear(source) ? count : leaf + entries;
      continue;
    }
    if (written === 0 && !isNew) {
      const occupied = loops.firstLive(at, count);
      if (occupied >= 0) return occupied;
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
  return written === 0
    ? writePlain(call, level, loops, at, source, done, count, isNew, false)
    : write(written, count, false);
}

/** Leaves of a run that a call may make at a level; infinitely many where it may make none. */
export function runEntries({ maxRunShift }: MapCall, { level: { run }, runShift }: LevelPlan): number {
  return run === null || runShift > maxRunShift ? Number.POSITIVE_INFINITY : run.entries;
}

/** Writes leaves that all carry the mark of a run, or all do not. */
function writePlain(
  call: MapCall,
  level: LevelPlan,
  loops: RunLoops,
  at: number,
  source: FrameSource,
  done: number,
  count: number,
  isNew: boolean,
  isRun: boolean,
): number {
  const { plan } = call.context;
  const { run } = level.level;
  let flagsLo = call.flagsLo[level.index] as number;
  let flagsHi = call.flagsHi[level.index] as number;
  if (isRun && run !== null) {
    flagsLo |= run.set.lo;
    flagsHi |= run.set.hi;
    if (run.style === 'napot') {
      const { entries } = run;
      for (let leaf = 0; leaf < count; leaf += entries) {
        const pfn = frameInRun(run, frameAt(source, done + leaf * level.pages), 0, level.pages);
        loops.writeLinear(at + 2 * leaf, entries, pfn, 0, flagsLo, flagsHi, plan.address, true);
      }
      return WRITTEN;
    }
  }
  return isLinear(source)
    ? loops.writeLinear(at, count, source.start + done, level.pages, flagsLo, flagsHi, plan.address, isNew)
    : loops.writeFrames(at, count, source, done, flagsLo, flagsHi, plan.address, plan.pfnLimit, isNew);
}

/** Clears the leaves before the one whose frame was refused. */
function takeBack(loops: RunLoops, at: number, written: number, result: number): number {
  if (written > 0) loops.erase(at, written);
  return result - written;
}
