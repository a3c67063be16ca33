import { existsSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { rooms } from '../../tools/mutation-score/rooms.mjs';
import { strykerPlugins } from '../../tools/mutation-score/sample.mjs';
import { printed, root } from '../../tools/support/run.mjs';

afterEach(() => void vi.unstubAllEnvs());

const mutants = Array.from({ length: 2000 }, (_, i) => ({
  id: `${i}`,
  fileName: `/tmp/a-copy/packages/core/src/area/caller.ts`,
  location: { start: { line: i >> 3, column: i & 7 } },
  replacement: 'true',
}));

/** The ids of the mutants that a sample lets through. */
async function chosen(share: string, seed: string, list = mutants): Promise<string[]> {
  vi.stubEnv('VMAREA_SHARE', share);
  vi.stubEnv('VMAREA_SEED', seed);
  const [plugin] = strykerPlugins;
  const results = await new (plugin as (typeof strykerPlugins)[number]).injectableClass().check(list);
  return Object.keys(results).filter((id) => results[id]?.status === 'passed');
}

test('a sample of mutants is the same in each copy, about as large as its share, and another for another seed', async () => {
  const some = await chosen('0.25', '1');
  expect(some.length / mutants.length).toBeCloseTo(0.25, 1);
  const moved = mutants.map((one) => ({ ...one, fileName: one.fileName.replace('/tmp/a-copy', '/home/x') }));
  expect(await chosen('0.25', '1', moved)).toEqual(some);
  expect(await chosen('0.25', '2')).not.toEqual(some);
  expect(await chosen('1', '1')).toHaveLength(mutants.length);
});

test('each room with a mutation score has its sources, and tests that exist', () => {
  for (const [room, { tests, without }] of Object.entries(rooms))
    for (const path of [`packages/core/src/${room}`, ...tests, ...without])
      expect([path, existsSync(`${root}${path}`)]).toEqual([path, true]);
});

test.each([
  [['loops'], 'mutation-score: there is no room loops; the rooms are memory, area, vmap\n'],
  [['area', '2'], 'mutation-score: the share is 2: expected a number up to 1, for example 0.25\n'],
  [['area', 'x'], 'mutation-score: the share is x: expected a number up to 1, for example 0.25\n'],
])('mutations:score refuses %j', async (args, message) => {
  const { code, stderr } = await printed(process.execPath, [`${root}tools/mutation-score/run.mjs`, ...args]);
  expect([code, stderr]).toEqual([2, message]);
});
