import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bitmap } from '../../../src/memory/frames/bitmap.js';

/** Numbers dense around the edges of words and of summary words. */
const sizes = fc.oneof(fc.integer({ min: 1, max: 70 }), fc.constantFrom(1023, 1024, 1025, 32769, 33000));

test('a bitmap does what a plain Set of numbers does', () => {
  fc.assert(
    fc.property(
      sizes.chain((size) => {
        const last = size - 1;
        const edge = fc
          .tuple(fc.constantFrom(0, 31, 32, 1023, 1024, last), fc.integer({ min: -1, max: 1 }))
          .map(([at, by]) => Math.min(last, Math.max(0, at + by)));
        const number = fc.oneof(edge, fc.integer({ min: 0, max: last }));
        return fc.tuple(fc.constant(size), fc.array(fc.tuple(fc.boolean(), number), { maxLength: 60 }));
      }),
      ([size, steps]) => {
        // A word on each side must not change.
        const words = new Int32Array(Bitmap.wordsFor(size) + 2);
        const bitmap = new Bitmap(words, 1, size);
        const model = new Set<number>();
        const lowestFrom = (i: number): number =>
          Math.min(...[...model].filter((member) => member >= i), size);
        for (const [adds, i] of steps) {
          if (adds) bitmap.add(i);
          else bitmap.remove(i);
          if (adds) model.add(i);
          else model.delete(i);
          const first = lowestFrom(0);
          expect(bitmap.first()).toBe(first === size ? -1 : first);
          for (const probe of [i - 1, i, i + 1]) {
            expect(bitmap.has(probe)).toBe(model.has(probe));
            const next = lowestFrom(probe);
            if (probe >= 0) expect(bitmap.from(probe)).toBe(next === size ? -1 : next);
          }
        }
        for (const i of model) bitmap.remove(i);
        expect(words.every((word) => word === 0)).toBe(true);
      },
    ),
  );
});

test.each([1, 31, 32, 33, 64, 1024, 1025])('a full bitmap of %i has no member beyond its size', (size) => {
  const bitmap = new Bitmap(new Int32Array(Bitmap.wordsFor(size)).fill(-1), 0, size);
  expect([bitmap.has(size - 1), bitmap.has(size), bitmap.has(size + 32), bitmap.has(-1)]).toEqual([
    true,
    false,
    false,
    false,
  ]);
  expect([bitmap.from(size), bitmap.from(size + 100)]).toEqual([-1, -1]);
});
