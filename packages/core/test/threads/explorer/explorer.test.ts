import { beforeAll, describe, expect, test } from 'vitest';
import { areDependent, type Step } from './board.js';
import { preemptionsOf } from './bounded-choices.js';
import { type Bundle, bundleCases } from './bundle.js';
import { explore } from './explore.js';

let bundle: Bundle;
beforeAll(async () => {
  bundle = await bundleCases(new URL('./cases/small.ts', import.meta.url));
});

/**
 * What an execution is but for the order of steps that do not matter: for each step, by which thread it is and
 * how many steps before it, of each thread, it comes after.
 */
function shapeOf(steps: readonly Step[]): string {
  const after: Set<number>[] = [];
  const places = new Map<number, number>();
  const shape = steps.map((step, at) => {
    const all = new Set<number>([at]);
    for (let before = 0; before < at; before++)
      if (areDependent(steps[before] as Step, step))
        for (const one of after[before] as Set<number>) all.add(one);
    after.push(all);
    const counts = new Map<number, number>();
    for (const one of all) {
      const { by } = steps[one] as Step;
      counts.set(by, (counts.get(by) ?? 0) + 1);
    }
    const place = (places.get(step.by) ?? 0) + 1;
    places.set(step.by, place);
    const order = [...counts].sort(([a], [b]) => a - b).map(([by, count]) => `${by}x${count}`);
    return `${step.by}.${place}:${order}`;
  });
  return shape.sort().join(' ');
}

describe('explore', () => {
  test.each([
    ['two stores to different words', 6, 1],
    ['stores and loads of one word', 6, 5],
    ['three stores to one word', 6, 6],
    ['a chain of three', 90, 7],
    ['compare-exchanges that fail', 90, 9],
    ['an exchange that one of three wins', 30, 6],
    ['a branch on what was read', 11, 5],
    ['a wait and a notify', 20, 8],
    ['two waits and a notify', 790, 32],
    ['a death', 54, 14],
    ['a death of one of three', 330, 37],
    ['a wait for one that dies', 47, 19],
  ])('runs each order that matters once: %s, of %i orders %i', async (name, all, different) => {
    const shapes = new Set<string>();
    const full = await explore(bundle, name, {
      isReduced: false,
      onExecution: (steps) => shapes.add(shapeOf(steps)),
    });
    const seen: string[] = [];
    const reduced = await explore(bundle, name, { onExecution: (steps) => seen.push(shapeOf(steps)) });
    expect(new Set(seen)).toEqual(shapes);
    expect(Object.keys(reduced.outcomes)).toEqual(Object.keys(full.outcomes));
    expect([full.executions, seen.length]).toEqual([all, different]);
  });

  test.each([
    'stores and loads of one word',
    'three stores to one word',
    'a chain of three',
    'a branch on what was read',
    'a wait and a notify',
  ])('runs all orders with so many preemptions at most, where they matter: %s', async (name) => {
    const shapes = new Map<string, number>();
    await explore(bundle, name, {
      isReduced: false,
      onExecution(steps) {
        const shape = shapeOf(steps);
        shapes.set(shape, Math.min(shapes.get(shape) ?? Number.POSITIVE_INFINITY, preemptionsOf(steps)));
      },
    });
    for (const preemptions of [0, 1, 2]) {
      const seen = new Set<string>();
      await explore(bundle, name, {
        preemptions,
        onExecution(steps) {
          expect(preemptionsOf(steps)).toBeLessThanOrEqual(preemptions);
          seen.add(shapeOf(steps));
        },
      });
      expect(seen).toEqual(
        new Set([...shapes].filter(([, most]) => most <= preemptions).map(([shape]) => shape)),
      );
    }
  });

  test('finds a thread that nobody wakes, and lists the steps', async () => {
    await expect(explore(bundle, 'a notify that is missing')).rejects.toThrow(
      /nobody wakes it[\s\S]*thread 0: wait/,
    );
  });
});
