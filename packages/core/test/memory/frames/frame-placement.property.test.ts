import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameAllocator } from '../../../src/memory/frames/frame-allocator.js';

/** Starts and sizes whose largest aligned blocks lie in different places: at the start, in the middle, at the end. */
const starts = fc.oneof(
  fc.nat(5000),
  fc.constantFrom(0, 1, 0x1000, 0xfff, 2 ** 18, 2 ** 31 - 3, 2 ** 32 - 4096, 2 ** 36 - 9000),
);
const sizes = fc.oneof(
  fc.integer({ min: 1, max: 70 }),
  fc.integer({ min: 71, max: 9000 }),
  fc.constant(5184),
);

/** The lowest aligned frames that are free, found by looking at each place; -1 when there are none. */
function lowestFree(isFree: Uint8Array, first: number, order: number): number {
  const block = 2 ** order;
  const end = first + isFree.length;
  for (let pfn = Math.ceil(first / block) * block; pfn + block <= end; pfn += block) {
    const taken = isFree.indexOf(0, pfn - first);
    if (taken < 0 || taken >= pfn - first + block) return pfn;
    // The next place that does not hold the frame that is taken.
    pfn = Math.floor((first + taken) / block) * block;
  }
  return -1;
}

test('a new allocator gives its frames in ascending order, for every start and size', () => {
  fc.assert(
    fc.property(starts, sizes, (first, frames) => {
      const singly = new FrameAllocator(null, { first, frames });
      const ascending = Float64Array.from({ length: frames }, (_, i) => first + i);
      expect(Float64Array.from({ length: frames }, () => singly.tryAllocate())).toEqual(ascending);
      expect(singly.tryAllocate()).toBe(-1);
      expect(new FrameAllocator(null, { first, frames }).allocateMany(frames)).toEqual(ascending);
    }),
    { numRuns: 40 },
  );
});

test('the lowest free block of an order comes first, whatever was allocated and freed before', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ order: fc.nat(13), frees: fc.constant(-1) }) },
    { weight: 3, arbitrary: fc.record({ order: fc.constant(0), frees: fc.nat() }) },
  );
  const steps = fc.array(step, { minLength: 1, maxLength: 80 });
  const holes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 40 })), { maxLength: 4 });
  fc.assert(
    fc.property(starts, sizes, holes, steps, (first, frames, gaps, list) => {
      const isFree = new Uint8Array(frames).fill(1);
      const reserved = gaps.map(([at, length]) => {
        const from = at % frames;
        isFree.fill(0, from, from + length);
        return { pfn: first + from, frames: Math.min(length, frames - from) };
      });
      const allocator = new FrameAllocator(null, { first, frames, reserved });
      const live: [pfn: number, order: number][] = [];
      for (const { order, frees } of list) {
        if (frees >= 0 && live.length > 0) {
          const [[pfn, size]] = live.splice(frees % live.length, 1) as [[number, number]];
          allocator.free(pfn, size);
          isFree.fill(1, pfn - first, pfn - first + 2 ** size);
          continue;
        }
        const expected = lowestFree(isFree, first, order);
        expect(allocator.tryAllocate(order)).toBe(expected);
        if (expected < 0) continue;
        live.push([expected, order]);
        isFree.fill(0, expected - first, expected - first + 2 ** order);
      }
    }),
    { numRuns: 300 },
  );
});
