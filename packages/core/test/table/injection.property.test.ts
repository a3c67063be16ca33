import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ShapedFormat, shapedFormats } from '../formats/index.js';
import { type Call, isRaw, tell } from '../support/model/call.js';
import { type Draft, drafts } from '../support/model/draft.js';
import { injectInto, type Tally } from '../support/model/inject.js';
import { resolve } from '../support/model/resolve.js';
import { step } from '../support/model/step.js';
import { newWorld } from '../support/model/world.js';

/*
 * Random calls, some of which fail in every way they can before they go through: the first, second, … allocation, flush or
 * callback. Each time everything must be as before, caches included, and the caller must see that very error.
 */

/** VMAREA_RUNS multiplies the number of runs. */
const RUNS = Number(process.env.VMAREA_RUNS ?? 1);

/** What every operation can meet, and must have met in the end: else these tests would prove nothing. */
const MUST_MEET = [
  'map: allocation',
  'map: sink',
  'unmap: allocation',
  'unmap: sink',
  'protect: allocation',
  'protect: sink',
  'split: allocation',
  'split: sink',
  'collapse: sink',
  'prepare: allocation',
  'reclaim: sink',
  'applyToRange: allocation',
  'applyToRange: sink',
  'applyToRange: callback',
  'applyToExisting: allocation',
  'applyToExisting: sink',
  'applyToExisting: callback',
  'done: sink',
];

const tally: Tally = new Map();

function run(shaped: ShapedFormat, list: readonly Draft[]): void {
  const world = newWorld(shaped);
  const story: string[] = [];
  const make = (call: Call): void => {
    story.push(tell(call));
    try {
      const isPending = world.batches.some((batch) => batch.isPending);
      if (isRaw(call) || (isPending && call.op !== 'done')) step(world, call);
      else injectInto(world, call, tally);
    } catch (error) {
      throw new Error(`${(error as Error).message}\nafter:\n${story.join('\n')}`, { cause: error });
    }
  };
  for (const draft of list) {
    const call = resolve(world.model, draft);
    if (call !== null) make(call);
  }
  for (const batch of world.batches.keys()) make({ op: 'done', batch });
  make({ op: 'reclaim', first: 0, pages: 1, isEverything: true, batch: -1 });
}

describe.each(shapedFormats.map((shaped, index) => [shaped.format.name, shaped, index] as const))(
  '%s',
  (_name, shaped, index) => {
    it('leaves everything as it was, whatever fails', { timeout: 180_000 * RUNS }, () => {
      fc.assert(
        fc.property(drafts(10), (list) => run(shaped, list)),
        { numRuns: RUNS * (shaped.shape.granule === 4 ? 40 : 12), seed: 20261204 + index, unbiased: true },
      );
    });
  },
);

describe('every operation', () => {
  it('has failed wherever it can', () => {
    expect(MUST_MEET.filter((name) => (tally.get(name) ?? 0) === 0)).toEqual([]);
  });
});
