import { type AddressSpace, VM_SPARSE } from '@vmarea/core';
import { codeOf, refusal } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { AddressSpace as Space } from '../../../packages/core/src/vmap/address-space.js';
import { LogWord } from '../../../packages/core/src/vmap/shared/log-layout.js';
import { sharedPartOf } from '../../../packages/core/src/vmap/shared/shared-space.js';
import { dyingAt } from './dying.js';
import { faultsIn, mendAreas } from './inside.js';
import { type Member, teamOf } from './team.js';

const PAGE = 4096n;
const LOG = 64 << 10;

/** A team in which a third thread can die, with some areas of all kinds. */
function team() {
  const { members, ram } = teamOf('x86-64', 3, { logBytes: LOG, cpus: 2 });
  const [one, two, victim] = members as [Member, Member, Member];
  const memory = one.kernel.vmalloc(5n * PAGE);
  const sparse = two.kernel.getVmArea(6n * PAGE, VM_SPARSE).addr;
  const short = victim.kernel.vmMapRam([1, 2]);
  two.kernel.findVmArea(sparse)?.map(0, [7, 8]);
  victim.kernel.vfree(victim.kernel.vmalloc(PAGE));
  return { one, two, victim, memory, sparse, short, ram };
}

type Team = ReturnType<typeof team>;

const CALLS: readonly (readonly [string, (kernel: AddressSpace, team: Team) => unknown])[] = [
  ['vmalloc', (kernel) => kernel.vmalloc(700n * PAGE)],
  ['vfree', (kernel, { memory }) => kernel.vfree(memory)],
  ['getVmArea', (kernel) => kernel.getVmArea(PAGE)],
  ['freeVmArea', (kernel, { sparse }) => kernel.freeVmArea(kernel.findVmArea(sparse) as never)],
  ['vmap', (kernel) => kernel.vmap([1, 2, 3])],
  ['vmMapRam', (kernel) => kernel.vmMapRam([5])],
  ['vmUnmapRam', (kernel, { short }) => kernel.vmUnmapRam(short, 2)],
  ['vmUnmapAliases', (kernel) => kernel.vmUnmapAliases()],
  ['a page call', (kernel, { sparse }) => kernel.findVmArea(sparse)?.map(3, 9)],
  ['findVmArea', (kernel, { sparse }) => kernel.findVmArea(sparse)],
];

/** Everything that a thread says of the areas. */
function view({ kernel }: Member): string {
  return kernel.vmallocinfo();
}

describe('a thread that dies', () => {
  test.each(CALLS)('at any step of %s leaves the areas as before the call, or as after it', (_name, call) => {
    const done = team();
    const before = view(done.one);
    call(done.victim.kernel, done);
    const after = view(done.one);
    let steps = 0;
    for (; ; steps++) {
      const now = team();
      const { one, two, victim } = now;
      if (!dyingAt(steps, () => call(victim.kernel, now))) break;
      one.group.registry.declareDead(victim.group.token);
      // Who looks needs no lock.
      expect([before, after]).toContain(view(one));
      expect(view(two)).toBe(view(one));
      const code = codeOf(() => two.kernel.freeVmArea(two.kernel.getVmArea(PAGE)));
      expect(['none', 'EOWNERDEAD'], `step ${steps}`).toContain(code);
      mendAreas(one.kernel);
      // No area is closed any more: calls on its pages would wait for ever.
      expect(sharedPartOf(Space.spaceOf(one.kernel))?.log.words[LogWord.closing]).toBe(0);
      expect(faultsIn(one.kernel)).toEqual([]);
      expect(faultsIn(two.kernel)).toEqual([]);
      const made = two.kernel.vmalloc(3n * PAGE);
      expect(view(one)).toBe(view(two));
      one.kernel.vfree(made);
      expect(one.kernel.stats()).toEqual(two.kernel.stats());
    }
    expect(steps).toBeGreaterThan(0);
  });

  test('at any step of a checkpoint leaves the areas as they were', () => {
    let deaths = 0;
    for (let step = 0; step < 60; step++) {
      const { one, two, victim } = team();
      const text = view(one);
      const isDead = dyingAt(step + 4000, () => {
        for (let i = 0; i < 400; i++) victim.kernel.freeVmArea(victim.kernel.getVmArea(PAGE));
      });
      if (!isDead) continue;
      deaths++;
      one.group.registry.declareDead(victim.group.token);
      mendAreas(two.kernel);
      expect(view(one)).toBe(view(two));
      expect(view(one).startsWith(text.slice(0, 40))).toBe(true);
      expect(faultsIn(one.kernel)).toEqual([]);
    }
    expect(deaths).toBeGreaterThan(20);
  });

  test('with the lock keeps others from changing areas, and from nothing else', () => {
    let isFound = false;
    for (let step = 0; !isFound; step++) {
      const { one, two, victim, sparse } = team();
      expect(dyingAt(step, () => victim.kernel.getVmArea(PAGE))).toBe(true);
      one.group.registry.declareDead(victim.group.token);
      isFound = codeOf(() => one.kernel.getVmArea(PAGE)) === 'EOWNERDEAD';
      if (!isFound) continue;
      two.kernel.findVmArea(sparse)?.map(4, 5);
      expect(one.kernel.vmallocToPage(sparse + 4n * PAGE)).toBe(5);
      mendAreas(two.kernel);
      one.kernel.getVmArea(PAGE);
    }
  });
});

describe('a recovery of areas', () => {
  test('frees an area whose pages a dead thread had begun to unmap', () => {
    const { one, two, memory, ram } = team();
    const { free } = ram.stats();
    const table = Space.spaceOf(one.kernel).table;
    table.unmap(memory, 2n * PAGE);
    expect(faultsIn(two.kernel)).toMatchObject([{ kind: 'owned-missing', address: memory, pages: 2 }]);
    expect(refusal(() => two.kernel.vfree(memory)).message).toMatch(/does not map all 5 pages that it owns/);
    expect(mendAreas(two.kernel).freed).toEqual([memory]);
    expect(one.kernel.findVmArea(memory)).toBeNull();
    expect(ram.stats().free).toBe(free + 3);
    expect(faultsIn(one.kernel)).toEqual([]);
  });

  test('keeps the pages of an area that a dead thread had begun to shrink', () => {
    const { one, two, memory } = team();
    Space.spaceOf(one.kernel).table.unmap(memory + 3n * PAGE, 2n * PAGE);
    expect(mendAreas(two.kernel).shrunk).toEqual([memory]);
    expect(one.kernel.findVmArea(memory)?.ownedPages).toBe(3);
    one.kernel.vfree(memory);
  });

  test('removes leaves outside areas, and says which', () => {
    const { one, two, memory, sparse } = team();
    const space = Space.spaceOf(one.kernel);
    const { PAGE_KERNEL } = space.linux.protections as never as { PAGE_KERNEL: never };
    const far = space.linux.window.start + (1n << 40n);
    space.table.map(far, [1, 2], PAGE_KERNEL);
    space.table.map(memory + 5n * PAGE, [3], PAGE_KERNEL);
    const faults = [
      { kind: 'guard-mapped', address: memory + 5n * PAGE, pages: 1, frame: 3 },
      { kind: 'leaf-outside', address: far, pages: 2, frame: 1 },
    ];
    expect(faultsIn(two.kernel)).toEqual(faults);
    expect(mendAreas(two.kernel)).toEqual({ found: faults, freed: [], shrunk: [] });
    expect(faultsIn(one.kernel)).toEqual([]);
    expect(one.kernel.findVmArea(sparse)?.populated().pages).toBe(2);
  });
});
