import { checkTables } from '@vmarea/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ShapedFormat, shapedFormats } from '../../formats/index.js';
import { type Draft, drafts } from '../../support/model/draft.js';
import { play } from '../../support/model/play.js';
import { step } from '../../support/model/step.js';
import { newWorld } from '../../support/model/world.js';

/** Runs for each format; VMAREA_RUNS multiplies them. */
const RUNS = 2 * Number(process.env.VMAREA_RUNS ?? 1);

/** Makes random calls, and checks the tables after each of them: also while batches owe a flush. */
function run(shaped: ShapedFormat, list: readonly Draft[], spare: number | undefined): void {
  const world = newWorld(shaped, 0, spare);
  play(world, list, (call) => {
    step(world, call);
    // By hand, and perhaps of half a run.
    if (call.op === 'mark') return;
    const { tables, leaves, total, findings } = checkTables(world.table);
    expect(findings.map(({ text }) => text)).toEqual([]);
    const counted = [...world.table.leaves()].reduce((sum, { count }) => sum + count, 0);
    const waiting = world.batches.reduce((sum, batch) => sum + batch.tables, 0);
    const { rootOrder } = {
      rootOrder: Math.max(0, (shaped.format.levels[0]?.bits ?? 0) + 3 - shaped.format.pageShift),
    };
    const held = world.frames.stats().allocated - waiting - 2 ** rootOrder + 1;
    expect([total, leaves, tables]).toEqual([0, counted, held]);
  });
}

describe.each(shapedFormats.map((shaped, index) => [shaped.format.name, shaped, index] as const))(
  'tables of %s',
  (_name, shaped, index) => {
    test('are as they should be after each call of the engine', { timeout: 180_000 * RUNS }, () => {
      const spare = fc.oneof(fc.constant(undefined), fc.nat(shaped.shape.depth + 2));
      fc.assert(
        fc.property(drafts(12), spare, (list, left) => run(shaped, list, left)),
        { numRuns: RUNS, seed: 20270105 + index, unbiased: true },
      );
    });
  },
);
