import { FlushSanitizer, type SanitizerReport } from '@vmarea/mmu';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ShapedFormat, shapedFormats } from '../../packages/core/test/formats/index.js';
import { type Call, isRaw, tell } from '../../packages/core/test/support/model/call.js';
import { type Draft, drafts } from '../../packages/core/test/support/model/draft.js';
import { injectInto } from '../../packages/core/test/support/model/inject.js';
import { play } from '../../packages/core/test/support/model/play.js';
import { step } from '../../packages/core/test/support/model/step.js';
import { newWorld, type World } from '../../packages/core/test/support/model/world.js';

/*
 * The random calls of the engine's own tests, on every format, with a sanitizer behind the table: the engine flushes all that it
 * must, before it frees or writes again. Break-before-make and whole runs are judged at every flush, every frame and every call.
 */

/** VMAREA_RUNS multiplies the number of runs. */
const RUNS = Number(process.env.VMAREA_RUNS ?? 1);

/** Puts a sanitizer behind a world's table. */
function watch(world: World): FlushSanitizer {
  const { memory, frames, table, flushes } = world;
  const sanitizer = new FlushSanitizer({ memory, frames: [frames] });
  const sink = sanitizer.sink();
  // The world notes each flush before anybody forgets anything.
  flushes.push = (...all) => {
    for (const { va, bytes, leafShift, tablesFreed } of all) sink.flush(va, bytes, leafShift, tablesFreed, 0);
    return Array.prototype.push.apply(flushes, all);
  };
  sanitizer.watch({ table });
  return sanitizer;
}

/** The calls map frames that they do not own, those of tables among them. */
function wrong({ errors }: FlushSanitizer): SanitizerReport[] {
  return errors.filter(({ code }) => code !== 'frame-freed' && code !== 'frame-reused');
}

let calls = 0;
let events = 0;

function run(
  shaped: ShapedFormat,
  list: readonly Draft[],
  spare: number | undefined,
  make: (world: World, call: Call) => void,
): void {
  const world = newWorld(shaped, 5, spare);
  const sanitizer = watch(world);
  const story: string[] = [];
  play(world, list, (call) => {
    story.push(tell(call));
    calls++;
    // The test's own writes change valid entries in place, as no kernel may.
    if (isRaw(call)) sanitizer.unwatched(() => step(world, call));
    else make(world, call);
    sanitizer.checkpoint();
    if (wrong(sanitizer).length > 0)
      throw new Error(`${wrong(sanitizer).join('\n')}\nafter:\n${story.join('\n')}`);
  });
  for (const batch of world.batches) batch.done();
  sanitizer.settle();
  world.table.destroy();
  sanitizer.settle();
  events += sanitizer.events;
  expect(wrong(sanitizer).map(String)).toEqual([]);
  expect(sanitizer.windows()).toEqual([]);
}

/** Large tables take longer. */
function runsOf({ shape }: ShapedFormat): number {
  return RUNS * { 4: 3, 16: 2, 64: 1 }[shape.granule];
}

describe.each(shapedFormats.map((shaped, index) => [shaped.format.name, shaped, index] as const))(
  'random calls on %s',
  (_name, shaped, index) => {
    const spare = fc.oneof(
      { weight: 3, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.nat(shaped.shape.depth + 2) },
    );

    test('leave nothing stale', { timeout: 180_000 * RUNS }, () => {
      fc.assert(
        fc.property(drafts(12), spare, (list, frames) => run(shaped, list, frames, step)),
        { numRuns: runsOf(shaped), seed: 20261207 + index, unbiased: true },
      );
    });

    test('leave nothing stale when each of their steps fails', { timeout: 180_000 * RUNS }, () => {
      const make = (world: World, call: Call): void => {
        if (!isRaw(call)) injectInto(world, call, new Map(), shaped.shape.architecture);
      };
      fc.assert(
        fc.property(drafts(6), (list) => run(shaped, list, undefined, make)),
        { numRuns: Math.ceil(runsOf(shaped) / 3), seed: 20261208 + index, unbiased: true },
      );
    });
  },
);

test('the random calls were enough to mean something', () => {
  if (process.env.VMAREA_RUNS !== undefined) console.log(`${calls} calls, ${events} events`);
  expect(calls).toBeGreaterThan(500);
  expect(events).toBeGreaterThan(3 * calls);
});
