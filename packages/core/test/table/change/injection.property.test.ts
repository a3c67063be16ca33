import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ShapedFormat, shapedFormats } from '../../formats/index.js';
import { type Call, isRaw, tell } from '../../support/model/call.js';
import { type Draft, drafts } from '../../support/model/draft.js';
import { injectInto, type Tally } from '../../support/model/inject.js';
import { play } from '../../support/model/play.js';
import { step } from '../../support/model/step.js';
import { newWorld } from '../../support/model/world.js';

/*
 * Random calls that fail in every way they can before they succeed: at the first, second, … allocation, flush or callback, until
 * none is left, also while a batch is pending. Each time everything must be as before, caches included, and the caller must get
 * that very error.
 */

/** VMAREA_RUNS multiplies the number of runs. */
const RUNS = Number(process.env.VMAREA_RUNS ?? 1);

/** The failures that the operations can meet. Each family must have met all of them in the end: else these tests prove nothing. */
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
  'pending: allocation',
  'pending: sink',
  'pending: callback',
];

const tally: Tally = new Map();

function run(shaped: ShapedFormat, list: readonly Draft[]): void {
  const world = newWorld(shaped);
  const story: string[] = [];
  const make = (call: Call): void => {
    story.push(tell(call));
    try {
      if (isRaw(call)) step(world, call);
      else injectInto(world, call, tally, shaped.shape.architecture);
    } catch (error) {
      throw new Error(`${(error as Error).message}\nafter:\n${story.join('\n')}`, { cause: error });
    }
  };
  play(world, list, make);
  for (const batch of world.batches.keys()) make({ op: 'done', batch });
  make({ op: 'reclaim', first: 0, pages: 1, isEverything: true, batch: -1 });
}

/** Large tables take longer. x86-64 has only two formats here: the calls on both must meet all failures of the family. */
function runsOf({ shape: { architecture, granule } }: ShapedFormat): number {
  return architecture === 'x86-64' ? 24 : { 4: 16, 16: 6, 64: 3 }[granule];
}

describe.each(shapedFormats.map((shaped, index) => [shaped.format.name, shaped, index] as const))(
  'random calls on %s',
  (_name, shaped, index) => {
    test('leave everything as it was, whatever fails', { timeout: 180_000 * RUNS }, () => {
      fc.assert(
        fc.property(drafts(10), (list) => run(shaped, list)),
        {
          numRuns: RUNS * runsOf(shaped),
          seed: 20261204 + index,
          unbiased: true,
        },
      );
    });
  },
);

describe.each(['arm64', 'riscv64', 'x86-64'])('the random calls on %s', (family) => {
  test('have failed wherever they can', () => {
    expect(MUST_MEET.filter((name) => (tally.get(`${family} ${name}`) ?? 0) === 0)).toEqual([]);
  });
});
