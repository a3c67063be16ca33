import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FreeSpace, NOTHING_FITS } from '../../src/area/free-space.js';
import { type IntervalTree, NIL } from '../../src/area/interval-tree.js';
import { LinuxTree } from './support/linux-tree.js';
import { shape, shapeOf } from './support/shape.js';

const SPACE = 2 ** 52;
/** The first window is small, so that it fills and fragments; its end is no page boundary, as on x86-64. */
const START = 2 ** 20;
const WINDOWS = [
  { vstart: START, vend: START + 4096.5 },
  { vstart: START + 1000, vend: START + 1064 },
  { vstart: START + 4096, vend: START + 5000 },
] as const;

/** Checks what holds of a tree after any calls: links, colours and order. */
function check(tree: IntervalTree): void {
  const depths = new Set<number>();
  const walk = (node: number, parent: number, blacks: number): void => {
    if (node === NIL) {
      depths.add(blacks);
      return;
    }
    expect(tree.parent(node)).toBe(parent);
    if (tree.isRed(node)) expect(parent === NIL || tree.isRed(parent)).toBe(false);
    for (const child of [tree.left(node), tree.right(node)])
      walk(child, node, blacks + (tree.isRed(node) ? 0 : 1));
  };
  walk(tree.root, NIL, 0);
  expect(depths.size).toBe(1);
  let count = 0;
  let end = Number.NEGATIVE_INFINITY;
  for (let node = tree.next(NIL); node !== NIL; node = tree.next(node)) {
    expect(tree.start[node] as number).toBeGreaterThan(end);
    expect(tree.previous(tree.next(node))).toBe(node);
    end = tree.end[node] as number;
    count++;
  }
  expect(count).toBe(tree.size);
}

const take = fc.record({
  kind: fc.constant('take' as const),
  size: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 300 })),
  align: fc.integer({ min: 0, max: 8 }),
  window: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 2 })),
});
const give = fc.record({ kind: fc.constant('give' as const), which: fc.nat() });
const steps = fc.array(fc.oneof(take, take, give), { minLength: 20, maxLength: 120 });

describe('FreeSpace', () => {
  test('gives the addresses that Linux gives and has the same tree after every step', () => {
    const met = { split: 0, refused: 0, padded: 0 };
    fc.assert(
      fc.property(steps, (list) => {
        const free = new FreeSpace(SPACE);
        const model = new LinuxTree(0.5, SPACE - 0.5);
        const live: [number, number][] = [];
        for (const step of list) {
          if (step.kind === 'take') {
            const { vstart, vend } = WINDOWS[step.window] as (typeof WINDOWS)[number];
            const align = 2 ** step.align;
            const got = free.take(step.size, align, vstart, vend);
            expect(got < 0 ? null : got).toBe(model.take(step.size, align, vstart, vend));
            if (got >= 0) live.push([got, step.size]);
            else met.refused++;
            if (got >= 0 && align > 1) met.padded++;
          } else if (live.length > 0) {
            const [start, size] = live.splice(step.which % live.length, 1)[0] as [number, number];
            expect(free.give(start, start + size)).toBe(true);
            model.give(start, start + size);
          }
          met.split = Math.max(met.split, free.tree.size);
          check(free.tree);
          expect(shape(free.tree)).toBe(shapeOf(model));
        }
      }),
      { numRuns: 150, seed: 1 },
    );
    expect(met.split).toBeGreaterThan(12);
    expect(met.refused).toBeGreaterThan(25);
    expect(met.padded).toBeGreaterThan(500);
  });

  test('gives the lowest fit where the alignment is one page', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.boolean()), { maxLength: 150 }),
        (list) => {
          const free = new FreeSpace(SPACE);
          const { vstart, vend } = WINDOWS[0];
          const taken = new Uint8Array(4096);
          const live: [number, number][] = [];
          for (const [size, isFree] of list) {
            if (isFree && live.length > 0) {
              const [start, length] = live.splice(size % live.length, 1)[0] as [number, number];
              free.give(start, start + length);
              taken.fill(0, start - START, start - START + length);
              continue;
            }
            let lowest = 0;
            while (lowest + size <= 4096 && taken.subarray(lowest, lowest + size).includes(1)) lowest++;
            const expected = lowest + size <= 4096 ? START + lowest : null;
            const got = free.take(size, 1, vstart, vend);
            expect(got < 0 ? null : got).toBe(expected);
            if (got >= 0) {
              live.push([got, size]);
              taken.fill(1, got - START, got - START + size);
            }
          }
        },
      ),
      { numRuns: 200, seed: 2 },
    );
  });

  test('is one range again when everything is given back', () => {
    const free = new FreeSpace(SPACE);
    const { vstart, vend } = WINDOWS[0];
    const live: number[] = [];
    for (let i = 0; i < 500; i++) live.push(free.take(1 + (i % 7), 1, vstart, vend));
    for (const [i, start] of live.entries()) if (i % 2 === 0) free.give(start, start + 1 + (i % 7));
    for (const [i, start] of live.entries()) if (i % 2 === 1) free.give(start, start + 1 + (i % 7));
    expect(free.tree.size).toBe(1);
    expect(shape(free.tree)).toBe(`(0.5-${SPACE - 0.5} ${SPACE - 1}b . .)`);
  });
});

describe('FreeSpace at its edges', () => {
  test('searches without padding for a request that fills its window', () => {
    // There are three holes. The search meets the middle one first, and pads the size that it asks of the left one.
    const free = new FreeSpace(SPACE, [
      { start: 0.5, size: 2 ** 16 - 0.5 },
      { start: 2 ** 16 + 64, size: 2 ** 16 - 64 },
      { start: 2 ** 17 + 1, size: 2 ** 16 },
      { start: 2 ** 17 + 2 ** 16 + 2, size: SPACE - 2 ** 17 - 2 ** 16 - 3 },
    ]);
    expect(free.take(64, 64, 2 ** 16, 2 ** 16 + 64.5)).toBe(NOTHING_FITS);
    expect(free.take(64, 64, 2 ** 16, 2 ** 16 + 64)).toBe(2 ** 16);
  });

  test('never gives the first and the last page of the address space, which lack a byte', () => {
    const free = new FreeSpace(2 ** 50);
    expect(free.take(1, 1, 0, 2 ** 50)).toBe(1);
    expect(free.take(2 ** 50 - 3, 1, 0, 2 ** 50)).toBe(2);
    expect(free.take(1, 1, 0, 2 ** 50)).toBe(NOTHING_FITS);
  });

  test('refuses to take back a range that overlaps a free one', () => {
    const free = new FreeSpace(SPACE);
    const start = free.take(10, 1, 100, 1000);
    expect(start).toBe(100);
    expect(free.give(99, 105)).toBe(false);
    expect(free.give(105, 111)).toBe(false);
    expect(free.give(100, 110)).toBe(true);
    expect(free.give(100, 110)).toBe(false);
  });

  test('takes a range back when nothing is free', () => {
    const free = new FreeSpace(SPACE, [{ start: 0.5, size: SPACE - 1 }]);
    expect(free.tree.size).toBe(0);
    expect(free.take(1, 1, 0, SPACE)).toBe(NOTHING_FITS);
    expect(free.give(10, 12)).toBe(true);
    expect(free.take(2, 1, 0, SPACE)).toBe(10);
  });

  test.each([40, 300])('becomes a copy of another with %i areas, which goes its own way', (count) => {
    const free = new FreeSpace(SPACE);
    const taken = Array.from({ length: count }, (_, i) => free.take(1 + (i % 3), 2, START, START + 4096));
    for (const [i, start] of taken.entries()) if (i % 2 === 0) free.give(start, start + 1 + (i % 3));
    const kept = shape(free.tree);
    const copy = new FreeSpace(SPACE, [{ start: 5, size: 5 }]);
    copy.copyFrom(free);
    expect(shape(copy.tree)).toBe(kept);
    check(copy.tree);
    for (const [i, start] of taken.entries()) if (i % 2 === 1) copy.give(start, start + 1 + (i % 3));
    expect(copy.tree.size).toBe(1);
    check(copy.tree);
    expect(shape(free.tree)).toBe(kept);
    check(free.tree);
    for (const one of [free, copy]) expect(one.take(4096, 1, 2 ** 30, 2 ** 31)).toBe(2 ** 30);
  });

  test('adds the holes between early areas from the lowest up', () => {
    const free = new FreeSpace(SPACE, [
      { start: 100, size: 50 },
      { start: 150, size: 50 },
      { start: 300, size: 1 },
    ]);
    expect(shape(free.tree)).toBe(
      `(200-300 ${SPACE - 0.5 - 301}b (0.5-100 99.5r . .) (301-${SPACE - 0.5} ${SPACE - 0.5 - 301}r . .))`,
    );
  });
});
