import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TableRecords } from '../../src/table/table-records.js';
import { type ShapedFormat, shapedFormats } from '../formats/index.js';
import { tell } from '../support/model/call.js';
import { type Draft, drafts } from '../support/model/draft.js';
import { resolve } from '../support/model/resolve.js';
import { step } from '../support/model/step.js';
import { newWorld } from '../support/model/world.js';

/*
 * Random calls of every operation against a model of entries and tables. After each call everything is judged by bytes:
 * a walker written from the manuals reads all tables whole, so that nothing can be mapped, lost or leaked unseen; caches
 * that walk in the middle of calls must never serve what is not so; break-before-make is watched entry by entry.
 */

/** VMAREA_RUNS multiplies the number of runs: 100 for a long night. */
const RUNS = Number(process.env.VMAREA_RUNS ?? 1);

/** First frames of the bank that holds the tables: frame numbers leave 31 and 32 bits. */
const BASES = [0, 5, 0x40003, 0x7ffffff9, 0xffffffe9];

function run(shaped: ShapedFormat, list: readonly Draft[], base: number): void {
  const world = newWorld(shaped, base);
  const story: string[] = [];
  for (const draft of list) {
    const call = resolve(world.model, draft);
    if (call === null) continue;
    story.push(tell(call));
    try {
      step(world, call);
    } catch (error) {
      throw new Error(`${(error as Error).message}\nafter:\n${story.join('\n')}`, { cause: error });
    }
  }
  for (const batch of world.batches) batch.done();
  world.table.destroy();
  expect(world.frames.stats().allocated).toBe(0);
  // Four words of header; no table is left on record.
  const records = new Int32Array(TableRecords.of(world.frames).state);
  expect(records.subarray(4).every((word) => word === 0)).toBe(true);
}

describe.each(shapedFormats.map((shaped, index) => [shaped.format.name, shaped, index] as const))(
  '%s',
  (_name, shaped, index) => {
    it('does what the model does', { timeout: 180_000 * RUNS }, () => {
      fc.assert(
        fc.property(drafts(20), fc.constantFrom(...BASES), (list, base) => run(shaped, list, base)),
        { numRuns: RUNS * (shaped.shape.granule === 4 ? 40 : 15), seed: 20261203 + index, unbiased: true },
      );
    });
  },
);
