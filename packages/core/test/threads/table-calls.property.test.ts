import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TableRecords } from '../../src/table/state/table-records.js';
import { type ShapedFormat, shapedFormats } from '../formats/index.js';
import { type Call, isRaw, tell } from '../support/model/call.js';
import { type Draft, drafts } from '../support/model/draft.js';
import { injectInto, type Tally } from '../support/model/inject.js';
import { play } from '../support/model/play.js';
import { step } from '../support/model/step.js';
import { newWorld, type World } from '../support/model/world.js';
import { arrayMachine, wasmMachine } from './shared-machine.js';

/*
 * The calls of the engine on a table that threads share, against the same model as on one of a single thread: what a call changes,
 * refuses, flushes and frees does not depend on who shares the table. The thread is the only one here.
 */

/** VMAREA_RUNS multiplies the number of runs: 100 for a run over night. */
const RUNS = Number(process.env.VMAREA_RUNS ?? 1);

const BASES = [0, 5, 0x40003, 0xffff0, 0x7ffffff9, 0xffffffe9];

function told(make: (call: Call) => void): (call: Call) => void {
  const story: string[] = [];
  return (call) => {
    story.push(tell(call));
    try {
      make(call);
    } catch (error) {
      throw new Error(`${(error as Error).message}\nafter:\n${story.join('\n')}`, { cause: error });
    }
  };
}

/** Destroys the table: no frame and no record is left. */
function end(world: World): void {
  for (const batch of world.batches) batch.done();
  world.table.destroy();
  world.quiet();
  expect(world.frames.stats().allocated).toBe(0);
  // Four words of header, then a record for each table: none is left.
  const records = new Int32Array(TableRecords.of(world.frames).state);
  expect(records.subarray(4).every((word) => word === 0)).toBe(true);
}

function run(
  shaped: ShapedFormat,
  list: readonly Draft[],
  base: number,
  spare?: number,
  isArray = false,
): void {
  const world = newWorld(shaped, base, spare, isArray ? arrayMachine : wasmMachine);
  play(
    world,
    list,
    told((call) => step(world, call)),
  );
  end(world);
}

const tally: Tally = new Map();

function fail(shaped: ShapedFormat, list: readonly Draft[]): void {
  const world = newWorld(shaped, 0, undefined, wasmMachine);
  const make = told((call) => {
    if (isRaw(call)) step(world, call);
    else injectInto(world, call, tally, shaped.shape.architecture);
  });
  play(world, list, make);
  for (const batch of world.batches.keys()) make({ op: 'done', batch });
}

/** Large tables take longer, and the formats that have them differ little. */
function runsOf({ shape }: ShapedFormat): number {
  return { 4: 3, 16: 2, 64: 1 }[shape.granule];
}

describe.each(shapedFormats.map((shaped, index) => [shaped.format.name, shaped, index] as const))(
  'calls on a shared table of %s',
  (_name, shaped, index) => {
    const spare = fc.oneof(
      { weight: 3, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.nat(shaped.shape.depth + 2) },
    );

    test('do what the model does', { timeout: 60_000 * RUNS }, () => {
      fc.assert(
        fc.property(drafts(16), fc.constantFrom(...BASES), spare, fc.boolean(), (...given) =>
          run(shaped, ...given),
        ),
        { numRuns: RUNS * runsOf(shaped), seed: 20261130 + index, unbiased: true },
      );
    });

    test('leave everything as it was when they fail', { timeout: 60_000 * RUNS }, () => {
      fc.assert(
        fc.property(drafts(5), (list) => fail(shaped, list)),
        { numRuns: RUNS, seed: 20261131 + index, unbiased: true },
      );
    });
  },
);
