import { takenFrames } from '@vmarea/conformance';
import { hex, VmError } from '@vmarea/core';
import { expect } from 'vitest';
import { addressOfPage } from '../manual-walk/geometry.js';
import { type Seen, Thrown } from './apply.js';
import type { Begun, Outcome } from './begun.js';
import { type Call, isRaw, type TableCall } from './call.js';
import { expectFlushes } from './flush-laws.js';
import { judge, samplePages } from './judge.js';
import type { Model } from './model.js';
import { perform, type SlotSeen } from './perform.js';
import { type Prediction, predict } from './predict.js';
import { writeRaw } from './raw.js';
import { reachedBy } from './reached.js';
import { expectFreeUntouched, expectUnchanged, stateOf } from './state.js';
import { allOf, isOwed, noteWaiting, type World } from './world.js';

/** Leaves whose translations a TLB is asked for after each step. */
const CACHED_LEAVES = 24;

/** Runs a call and gives its outcome; unexpected errors pass through. */
export function outcomeOf(call: () => unknown, expected: readonly unknown[] = []): Outcome {
  try {
    return { refusal: null, result: call() };
  } catch (error) {
    if (error instanceof Thrown) return { refusal: 'thrown', result: undefined };
    if (expected.includes(error)) return { refusal: 'expected', result: undefined };
    if (error instanceof VmError) return { refusal: error.code, result: undefined };
    throw error;
  }
}

/** What a call must do in this world, by the model. */
function predictIn(world: World, call: TableCall): Prediction {
  world.model.frames = world.frames.stats().free;
  return predict(world.model, call, (first, pages) => isOwed(world, first, pages));
}

/** Makes a call on a world, and judges its outcome. */
export function step(world: World, call: Call): void {
  if (isRaw(call)) {
    writeRaw(world.model, world.memory, allOf(world), call);
    // Whoever writes entries must also flush.
    world.tlb.clear();
    world.watch.clear();
  } else {
    make(world, call);
  }
  finish(world);
}

/** Judges a world after a call, and lets the caches walk. */
export function finish(world: World): void {
  judge(world);
  world.tlb.fill(samplePages(world, CACHED_LEAVES).map((page) => addressOfPage(world.geometry, page)));
}

function make(world: World, call: TableCall): void {
  const begun = begin(world, call);
  const seen: SlotSeen[] = [];
  const outcome = outcomeOf(() => perform({ ...stageOf(world), onVisit: (slot) => seen.push(slot) }, call));
  world.quiet();
  settle(world, call, begun, outcome, seen);
}

/** Notes the state before a call. */
export function begin(world: World, call: TableCall): Begun {
  const { batches, flushes } = world;
  world.tlb.named.clear();
  return {
    expected: predictIn(world, call),
    before: stateOf(world),
    flushes: flushes.length,
    held: batches.map(({ tables }) => tables),
    owed: batches.map(({ ranges }) => ranges.length),
    isOwed: 'first' in call && isOwed(world, call.first, call.pages),
  };
}

/** Judges the outcome of a call, and updates the model. */
export function settle(
  world: World,
  call: TableCall,
  begun: Begun,
  outcome: Outcome,
  seen: readonly SlotSeen[],
): void {
  const { expected, before } = begun;
  const isLate = outcome.refusal === 'ENOMEM' && mayRunOut(world, call, expected);
  if (!isLate && !isEarly(call, outcome, expected)) {
    expect(outcome.refusal, 'the call').toBe(expected.refusal);
  }
  const taken = takenFrames(world.frames);
  const freed = [...before.taken].filter((pfn) => !taken.has(pfn));
  expect(
    freed.filter((pfn) => !world.tlb.named.has(pfn)),
    'frames freed that no flush named',
  ).toEqual([]);
  world.watch.keep(taken);
  for (const what of reachedBy(world, call, begun, outcome)) world.onReached(what);
  if (outcome.refusal !== null) {
    expectUnchanged(world, before, 'what a refused call leaves');
    return;
  }
  expectFreeUntouched(world, before, taken);
  expect(outcome.result, 'what the call returns').toEqual(expected.result);
  expectSeen(world, call, expected.seen, seen);
  expectFlushes(world, call, begun, world.flushes.length - begun.flushes);
  if ('batch' in call && call.batch >= 0) {
    noteWaiting(world, expected.after, call.batch, begun.held[call.batch] as number);
  }
  world.model = expected.after;
}

/** What `perform` needs of a world. */
export function stageOf({ table, geometry, batches, model }: World): Parameters<typeof perform>[0] {
  return { table, geometry, batches, bits: model.bits };
}

/** True when a callback ended the call before the frames ran out: the model splits a block at once, the engine piece by piece. */
function isEarly(call: TableCall, outcome: Outcome, { refusal }: Prediction): boolean {
  const mayEnd = outcome.refusal === 'EINVAL' || outcome.refusal === 'thrown';
  return refusal === 'ENOMEM' && mayEnd && 'blocks' in call && call.blocks === 'split';
}

/** True when a call that must be refused anyway may run out of frames first. */
function mayRunOut({ model, frames, geometry }: World, call: TableCall, { refusal }: Prediction): boolean {
  if (refusal === null || refusal === 'ERANGE' || !('pages' in call)) return false;
  // Page by page it is known what comes first.
  if (call.op === 'map' && call.maxLeafShift === geometry.pageShift) return false;
  const smallest = (model.geometry.levels[geometry.last]?.tablePages ?? 1) as number;
  return frames.stats().free < Math.ceil(call.pages / smallest) + 2 * geometry.levels.length;
}

/** Callbacks see every entry of the model, in order, with its place. */
function expectSeen(
  world: World,
  call: TableCall,
  expected: readonly Seen[],
  seen: readonly SlotSeen[],
): void {
  expect(seen.length, 'callbacks').toBe(expected.length);
  const { geometry, manual } = world;
  expected.forEach(({ page, level, entry }, i) => {
    const { va, leafShift, ...slot } = seen[i] as SlotSeen;
    const at = `callback ${i} at ${hex(va)}`;
    const { pages, shift, bits } = (world.model as Model).level(level);
    const first = 'first' in call ? call.first : 0;
    if (va !== addressOfPage(geometry, page) || slot.page !== page - first || leafShift !== shift) {
      expect({ va, page: slot.page, leafShift }, at).toEqual({
        va: addressOfPage(geometry, page),
        page: page - first,
        leafShift: shift,
      });
    }
    const read = manual.read(slot.entry, level, (page / pages) % 2 ** bits);
    const says = read.kind === 'leaf' ? read.bits : read.kind === 'absent' ? read.entry : null;
    if (slot.level !== level || slot.pfn !== (entry?.pfn ?? -1) || says !== (entry?.bits ?? null)) {
      expect({ level: slot.level, pfn: slot.pfn, bits: says }, at).toEqual({
        level,
        pfn: entry?.pfn ?? -1,
        bits: entry?.bits ?? null,
      });
    }
  });
}
