import { SeededRandom } from '@vmarea/conformance';
import { AddressSpace } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { callsOf } from './hostile/calls.js';
import { kitOf } from './hostile/kit.js';
import { printed } from './hostile/print.js';
import { runHostile } from './hostile/run.js';
import { World } from './hostile/world.js';

/** `npm run hostile` sets both: CONTRIBUTING.md says how. */
const { VMAREA_CALLS, VMAREA_SEED } = process.env;
const CALLS = Number(VMAREA_CALLS ?? 4_000);
const SEED = Number(VMAREA_SEED ?? 1);

describe(`hostile calls, from seed ${SEED} on`, () => {
  test.each(['x86-64', 'arm64-16k-47-cont', 'riscv64-sv39-napot'])(
    'write nothing outside a live area, on %s',
    (name) => {
      const report = runHostile(name, { calls: CALLS, seed: SEED, walkEvery: 10 });
      if (VMAREA_CALLS !== undefined) console.log(printed(name, report));
      // Refusals alone would prove little: the calls must attack live areas.
      expect(report.successes).toBeGreaterThan(CALLS / 3);
      expect([...report.refusals.keys()].sort()).toEqual(
        ['E2BIG', 'EBUSY', 'EFAULT', 'EINVAL', 'ENOMEM', 'ERANGE', 'planted'].sort(),
      );
      expect(report.nested).toBeGreaterThan(0);
      expect(report.hashes).toBeGreaterThan(0);
    },
    3_600_000,
  );
});

test('hostile calls reach each public member of AddressSpace, VmArea and LazyArea', () => {
  const world = new World('x86-64', new SeededRandom(1));
  const names = Object.keys(callsOf(kitOf(world)));
  // `toString` is every object's.
  const spaceMembers = Object.getOwnPropertyNames(AddressSpace.prototype).filter(
    (name) => name !== 'toString',
  );
  expect(names).toEqual(expect.arrayContaining(spaceMembers));
  const area = world.kernel.getVmArea(1);
  const lazy = world.kernel.getLazyArea(1);
  for (const [name, one] of [
    ['VmArea', area],
    ['LazyArea', lazy],
  ] as const) {
    const members = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(one));
    // One call reads all getters.
    const calls = Object.entries(members).filter(
      ([key, { get }]) => get === undefined && !(key in Object.prototype),
    );
    expect(names).toEqual(expect.arrayContaining(calls.map(([key]) => `${name}.${key}`)));
  }
});
