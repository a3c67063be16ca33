import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameCounts } from '../../src/show/frame-counts.js';

const PAGE = 4096n;
const RIGHTS = { write: true, execute: false };

test('frames of the ranges alone are counted, each by its leaves', () => {
  const span = fc.record({ gap: fc.integer({ min: 0, max: 5 }), frames: fc.integer({ min: 1, max: 5 }) });
  const leaf = fc.record({ first: fc.integer({ min: 0, max: 60 }), frames: fc.integer({ min: 1, max: 20 }) });
  const lists = [fc.array(span, { maxLength: 8 }), fc.array(leaf, { maxLength: 8 })] as const;
  fc.assert(
    fc.property(...lists, (spans, leaves) => {
      const has = new Set<number>();
      let at = 0;
      const ranges = spans.map(({ gap, frames }) => {
        const first = at + gap;
        at = first + frames;
        for (let pfn = first; pfn < at; pfn++) has.add(pfn);
        return { address: BigInt(first) * PAGE, bytes: BigInt(frames) * PAGE };
      });
      const counts = new FrameCounts(ranges, 12);
      const times = new Map<number, number>();
      for (const { first, frames } of leaves) {
        counts.add(BigInt(first) * PAGE, BigInt(frames) * PAGE, RIGHTS);
        for (let pfn = first; pfn < first + frames; pfn++)
          if (has.has(pfn)) times.set(pfn, (times.get(pfn) ?? 0) + 1);
      }
      const several = [...times.values()].filter((one) => one > 1).length;
      expect(counts.totals()).toEqual({ mapped: times.size, several, writableAndExecutable: 0 });
      expect(counts.isComplete).toBe(true);
    }),
  );
});

test('memory that a file only speaks of takes no more than the bound, and the count says so', () => {
  const counts = new FrameCounts([{ address: 0n, bytes: 1n << 51n }], 12, 2);
  const leaf = 1n << 30n;
  for (let i = 0n; i < 512n; i++) counts.add(i * leaf, leaf, RIGHTS);
  expect(counts.totals().mapped).toBe(2 * 2 ** 15);
  expect(counts.isComplete).toBe(false);
  // A frame that is kept is counted on.
  counts.add(0n, PAGE, RIGHTS);
  expect(counts.totals().several).toBe(1);
});
