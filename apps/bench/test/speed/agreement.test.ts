import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wide } from '@vmarea/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Measured } from '../../src/speed/job.js';
import { buildReference, type Reference } from '../../src/speed/reference.js';
import { WORKLOADS } from '../../src/speed/workloads/registry.js';
import { noCompiler } from '../support/compiler.js';
import { pathOf } from '../support/files.js';
import { configurationOf, measured } from '../support/speed.js';

// A compiler takes seconds, or many on a busy machine.
vi.setConfig({ hookTimeout: 120_000 });

const ids = WORKLOADS.map(({ id }) => id);
const inC = WORKLOADS.filter(({ hasNoReference }) => hasNoReference !== true).map(({ id }) => id);
const fourLevels = configurationOf('x86-64');
/** Six tables of pages, the last of them in part; W8.256G is left for a smaller size. */
const pages = (id: string): number => (id === 'W8.256G' ? 64 : 3000);

describe('both kinds of loops', () => {
  it.each(ids)('agree on %s', async (id) => {
    for (const configuration of [fourLevels, configurationOf('x86-64-la57')]) {
      const wasm = await measured(configuration, id, { pages: pages(id), seed: 5 });
      const array = await measured(configuration, id, { pages: pages(id), seed: 5, variant: 'array' });
      expect([wasm.loops, array.loops]).toEqual(['wasm', 'array']);
      expect(array).toMatchObject({ units: wasm.units, work: wasm.work, checksum: wasm.checksum });
    }
  });

  it('have checksums that depend on the seed, not on the format', async () => {
    const of = async (seed: number) => (await measured(fourLevels, 'W4.random', { seed })).checksum;
    expect(await of(2)).not.toBe(await of(1));
    expect((await measured(wide, 'W4.random', { seed: 2 })).checksum).toBe(await of(2));
  });
});

describe.skipIf(noCompiler !== null)('the C reference', () => {
  let reference: Reference;
  let results: Map<string, Measured>;

  beforeAll(async () => {
    const built = await buildReference({});
    if (typeof built === 'string') throw new Error(built);
    reference = built;
    const plain = { seed: 5, rounds: 2, warmUp: 1, warmUpMs: 0 };
    const usual = inC.filter((id) => pages(id) === 3000);
    const others = inC.filter((id) => pages(id) !== 3000);
    const all = [
      ...(await reference.run({ ...plain, workloads: usual, pages: 3000 })),
      ...(await reference.run({ ...plain, workloads: others, pages: 64 })),
    ];
    results = new Map(all.map((one) => [one.workload, one]));
  });
  afterAll(() => reference?.close());

  it('has every workload but those of a processor and of the vmap API', () => {
    expect([...results.keys()]).toEqual(inC);
    expect(ids.filter((id) => !inC.includes(id)).every((id) => /^W(9|10)\./.test(id))).toBe(true);
  });

  it.each(inC)('agrees on %s', async (id) => {
    const { units, checksum, tables } = await measured(fourLevels, id, { pages: pages(id), seed: 5 });
    expect(results.get(id)).toMatchObject({ units, checksum, tables, loops: 'c', work: null });
    expect(results.get(id)?.ns).toHaveLength(2);
  });

  it.each([
    // A sixteenth of the pages, which need be no power of two.
    [400_000, 25_000],
    // 64 TiB would be asked for; the window ends a byte before 32 TiB, and the largest power of two is 16.
    [2 ** 20, 2 ** 14],
  ])('has as many blocks as the window has room for: %d pages', async (pages, blocks) => {
    const size = { workloads: ['W2.1G'], pages };
    const [one] = await reference.run({ ...size, seed: 1, rounds: 1, warmUp: 1, warmUpMs: 0 });
    const { units, checksum, tables } = await measured(fourLevels, 'W2.1G', size);
    expect(units).toBe(blocks);
    expect(one).toMatchObject({ units, checksum, tables });
  });

  it('names its compiler', () => {
    expect(reference.compiler).toMatch(/ -std=c11 -O3$/);
  });
});

describe.skipIf(noCompiler !== null)('the C reference with a clock of the test', () => {
  let folder: string;
  let reference: Reference;

  beforeAll(async () => {
    // `CC` is split at blanks, which the path of the project may have.
    folder = mkdtempSync(join(tmpdir(), 'vmarea-clock-'));
    copyFileSync(pathOf('test/data/test-clock.h'), join(folder, 'clock.h'));
    const built = await buildReference({ CC: `cc -include ${join(folder, 'clock.h')}` });
    if (typeof built === 'string') throw new Error(built);
    reference = built;
  });
  afterAll(() => {
    reference?.close();
    rmSync(folder, { recursive: true });
  });

  it.each([
    // A round takes two calls of the clock, and the question whether it is warm one more. At call 12 it shows 78 ms, at call 15 120.
    [0, [5, 8]],
    [30, [11, 14]],
    [78, [14, 17]],
    [79, [17, 20]],
    [80, [17, 20]],
  ])('warms up for %d milliseconds, not less and not a round more', async (warmUpMs, ns) => {
    const job = { workloads: ['W3'], pages: 64, seed: 1, rounds: 2, warmUp: 1, warmUpMs };
    const [one] = await reference.run(job);
    expect(one?.ns).toEqual(ns.map((ms) => ms * 1_000_000));
  });
});
