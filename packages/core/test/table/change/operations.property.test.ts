import { protection } from '@vmarea/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TableRecords } from '../../../src/table/state/table-records.js';
import { type ShapedFormat, shapedFormats } from '../../formats/index.js';
import { geometryOf } from '../../support/manual-walk/geometry.js';
import { type Call, tell } from '../../support/model/call.js';
import { type Draft, drafts } from '../../support/model/draft.js';
import { play } from '../../support/model/play.js';
import { step } from '../../support/model/step.js';
import { newWorld, type World } from '../../support/model/world.js';

/*
 * Random calls of every operation against a model of entries and tables. After each call all bytes are judged: a walker written
 * from the manuals reads all tables whole, so that nothing is mapped, lost or leaked unseen; a TLB that walks in the middle of
 * calls must hold nothing stale; break-before-make is watched entry by entry.
 */

/** VMAREA_RUNS multiplies the number of runs: 100 for a run over night. */
const RUNS = Number(process.env.VMAREA_RUNS ?? 1);

/** First frames of the bank with the tables: some frame numbers exceed 31 and 32 bits. */
const BASES = [0, 5, 0x40003, 0xffff0, 0x7ffffff9, 0xffffffe9];

/** The cases that the calls must have met for every family in the end: else this test proves less than it says. */
const MUST_REACH = [
  'map',
  'unmap',
  'protect',
  'split',
  'collapse',
  'prepare',
  'tablesNeeded',
  'applyToRange',
  'applyToExisting',
  'reclaim',
  'done',
  'collapse: a block',
  'collapse: a block of blocks',
  'split: 1 above the last',
  'split: 2 above the last',
  'protect: cut a block',
  'unmap: cut a block',
  'protect: not cut',
  'unmap: not cut',
  'reclaim: freed',
  'done: owed',
  'done: owed tables',
  'map: owed',
  'prepare: owed',
  'applyToRange: owed',
  ...['refuse', 'visit', 'split'].flatMap((blocks) => [
    `applyToRange: ${blocks}`,
    `applyToExisting: ${blocks}`,
  ]),
  ...['map', 'unmap', 'protect', 'split', 'prepare', 'applyToRange'].map((op) => `${op}: ENOMEM`),
];
const RUNS_REACH = ['collapse: runs', 'split: a run', 'protect: cut a run', 'unmap: cut a run'];
const REACH: Record<string, readonly string[]> = {
  arm64: [...MUST_REACH, ...RUNS_REACH, 'split: 3 above the last'],
  riscv64: [...MUST_REACH, ...RUNS_REACH, 'split: 3 above the last', 'split: 4 above the last'],
  'x86-64': MUST_REACH,
};

const reached = new Map<string, number>();

/** A world that notes which cases it meets, and a function that makes calls on it and tells all of them when one fails. */
function stage(
  shaped: ShapedFormat,
  base: number,
  spare?: number,
): { world: World; make: (call: Call) => void } {
  const world = newWorld(shaped, base, spare);
  world.onReached = (what) => {
    const name = `${shaped.shape.architecture} ${what}`;
    reached.set(name, (reached.get(name) ?? 0) + 1);
  };
  const story: string[] = [];
  const make = (call: Call): void => {
    story.push(tell(call));
    try {
      step(world, call);
    } catch (error) {
      throw new Error(`${(error as Error).message}\nafter:\n${story.join('\n')}`, { cause: error });
    }
  };
  return { world, make };
}

/** Destroys the table: no frame and no record is left. */
function end(world: World): void {
  for (const batch of world.batches) batch.done();
  world.table.destroy();
  expect(world.frames.stats().allocated).toBe(0);
  // Four words of header, then a record for each table: none is left.
  const records = new Int32Array(TableRecords.of(world.frames).state);
  expect(records.subarray(4).every((word) => word === 0)).toBe(true);
}

function run(shaped: ShapedFormat, list: readonly Draft[], base: number, spare: number | undefined): void {
  const { world, make } = stage(shaped, base, spare);
  play(world, list, make);
  end(world);
}

/** Splits the largest leaf of a format level by level and collapses it again; with no frames for tables it stays whole. */
function runLargest(shaped: ShapedFormat, hasFrames: boolean): void {
  const { levels, last, pageShift } = geometryOf(shaped.shape);
  const level = levels.findIndex(({ mayMap }) => mayMap);
  const { world, make } = stage(shaped, 0, hasFrames ? undefined : level);
  const { pages } = levels[level] as (typeof levels)[number];
  const whole = { first: 0, pages };
  const one = { first: 1, pages: 1 };
  const given = protection({ write: true, user: true });
  make({
    op: 'map',
    ...whole,
    frames: { kind: 'linear', start: 0 },
    protection: given,
    maxLeafShift: 64,
  });
  for (let index = level + 1; index <= last; index++) {
    make({ op: 'split', ...one, batch: -1, leafShift: levels[index]?.shift as number });
  }
  make({ op: 'collapse', ...whole, batch: -1, maxLeafShift: 64 });
  make({ op: 'applyToRange', ...one, batch: -1, blocks: 'split', actions: [{ do: 'nothing' }] });
  make({ op: 'collapse', ...whole, batch: -1, maxLeafShift: 64 });
  make({ op: 'protect', ...one, batch: -1, fields: { write: false }, split: true });
  make({ op: 'protect', ...one, batch: 0, fields: { write: true }, split: true });
  make({ op: 'done', batch: 0 });
  make({ op: 'collapse', ...whole, batch: -1, maxLeafShift: 64 });
  make({ op: 'unmap', ...one, batch: 0, reclaim: true, split: true });
  make({ op: 'unmap', ...whole, batch: 0, reclaim: true, split: true });
  // Nothing can be mapped as long as the batch owes a flush.
  const frames = { kind: 'linear', start: 1 } as const;
  make({ op: 'map', ...one, frames, protection: given, maxLeafShift: 64 });
  make({ op: 'prepare', ...one, leafShift: pageShift });
  make({ op: 'applyToRange', ...one, batch: -1, blocks: 'split', actions: [{ do: 'nothing' }] });
  make({ op: 'done', batch: 0 });
  make({ op: 'prepare', ...one, leafShift: pageShift });
  end(world);
}

/** Large tables take longer, and the formats that have them differ little. */
function runsOf({ shape }: ShapedFormat): number {
  return { 4: 28, 16: 10, 64: 5 }[shape.granule];
}

describe.each(shapedFormats.map((shaped, index) => [shaped.format.name, shaped, index] as const))(
  'calls on %s',
  (_name, shaped, index) => {
    // Mostly enough frames for everything, sometimes hardly any.
    const spare = fc.oneof(
      { weight: 3, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.nat(shaped.shape.depth + 2) },
    );
    test.each([
      ['enough frames', true],
      ['no frames for tables', false],
    ])('split the largest leaf and collapse it again, with %s', (_frames, hasFrames) =>
      runLargest(shaped, hasFrames),
    );

    test('do what the model does', { timeout: 180_000 * RUNS }, () => {
      fc.assert(
        fc.property(drafts(16), fc.constantFrom(...BASES), spare, (...given) => run(shaped, ...given)),
        { numRuns: RUNS * runsOf(shaped), seed: 20261203 + index, unbiased: true },
      );
    });
  },
);

describe.each(Object.entries(REACH))('the random calls on %s', (family, names) => {
  test('have met every case', () => {
    expect(names.filter((name) => (reached.get(`${family} ${name}`) ?? 0) === 0)).toEqual([]);
  });
});
