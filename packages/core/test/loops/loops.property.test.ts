import { SeededRandom } from '@vmarea/conformance';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { operations } from './operations.js';
import { WALK_BYTES, walkMany } from './walks.js';
import { agree, BANK_BYTES, newWorlds, refill, type World } from './worlds.js';

/*
 * The loops in WebAssembly against the loops in TypeScript, on equal bytes: answers and bytes are the same, and nothing around
 * the bank changes. Whether the loops are right is judged by the tests of the engine.
 */

/** VMAREA_RUNS multiplies the number of runs: 100 for a run over night. */
const RUNS = 12_000 * Number(process.env.VMAREA_RUNS ?? 1);

const MUST_REACH = [
  ...['occupied', 'does not fit', 'beyond a page of scratch'].map((what) => `frames: ${what}`),
  ...['x86', 'arm64', 'riscv64'].map((name) => `frames: written, ${name}`),
  ...['written', 'occupied', 'written, over 2^32', 'occupied, over 2^32'].map((what) => `linear: ${what}`),
  ...['nothing', 'some', 'all'].map((what) => `clear: ${what}`),
  ...['firstLive', 'lastLive', 'firstDifference'].flatMap((name) => [`${name}: none`, `${name}: one`]),
  ...['some', 'all'].map((what) => `matching: ${what}`),
  ...['onto itself', 'overlapping', 'apart'].map((what) => `copy: ${what}`),
  ...['done', 'refused'].map((what) => `cas64: ${what}`),
  ...['frame', 'high frame', 'hole', 'unknown'].map((what) => `walk: ${what}`),
  ...['finder', 'flat'].flatMap((who) =>
    [2, 3, 4, 5].flatMap((depth) => ['none', 'entry'].map((what) => `${who}: ${what}, ${depth} levels`)),
  ),
  ...[1, 2, 3, 4, 5].map((depth) => `walk: leaf 0 above the last of ${depth}`),
  ...[3, 4, 5].flatMap((depth) => [1, 2].map((up) => `walk: leaf ${up} above the last of ${depth}`)),
];

test('the WebAssembly loops give the answers and bytes of the TypeScript loops', () => {
  const worlds = newWorlds(BANK_BYTES);
  const walkWorlds = newWorlds(WALK_BYTES);
  const names = [...Object.keys(operations), 'walkMany'];
  const reached = new Map<string, number>();
  const note = (what: string) => reached.set(what, (reached.get(what) ?? 0) + 1);
  const one = (name: string, which: number, seed: number): World => {
    const random = new SeededRandom(seed);
    const operation = operations[name];
    const world = (operation === undefined ? walkWorlds : worlds)[which] as World;
    note(`${name}, ${world.name}`);
    if (operation === undefined) {
      walkMany(world, random, note);
    } else {
      refill(world, random);
      operation(world, random, note);
      expect(agree(world)).toBe(true);
    }
    return world;
  };
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.nat(3), fc.integer(), (name, which, seed) => {
      one(name, which, seed);
    }),
    { numRuns: RUNS, seed: 20261125 },
  );
  for (const world of [...worlds, ...walkWorlds]) expect(world.isContained()).toBe(true);
  const count = (prefix: string) =>
    [...reached].reduce((sum, [what, times]) => sum + (what.startsWith(prefix) ? times : 0), 0);
  console.info(`loops: ${RUNS} cases; ${[...reached].map(([what, times]) => `${what} ${times}`).join('; ')}`);
  for (const what of MUST_REACH) expect(count(what), what).toBeGreaterThan(0);
  for (const name of names) {
    for (const { name: where } of worlds)
      expect(count(`${name}, ${where}`), `${name}, ${where}`).toBeGreaterThan(50);
  }
});
