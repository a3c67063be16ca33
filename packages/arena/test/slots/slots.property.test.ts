import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BestFit } from '../../src/slots/best-fit.js';
import { LowestFirst } from '../../src/slots/lowest-first.js';
import { type PlainResult, PlainSlots } from './support/plain-slots.js';

/** The name of what a call returned. */
function named(code: number): PlainResult {
  if (code > 0) return code;
  const names: Record<number, PlainResult> = {
    0: 'ok',
    [-2]: 'ENOENT',
    [-3]: 'EEXIST',
    [-11]: 'EAGAIN',
    [-12]: 'ENOMEM',
    [-22]: 'EINVAL',
  };
  return names[code] as PlainResult;
}

const CALLS = [
  'clear',
  'clear',
  'setAvailable',
  'setAvailable',
  'setUnavailable',
  'makeAvailable',
  'removeUnavailable',
  'take',
  'take',
  'rebuild',
] as const;

/** Counts around the widths of the words inside. */
const COUNTS = [1, 2, 15, 16, 17, 31, 32, 33, 64, 100, 1024, 1025, 1060] as const;

const step = fc.record({
  call: fc.constantFrom(...CALLS),
  /** A place as a share of all slots, and a distance from it, so that edges and middles come up. */
  place: fc.constantFrom(0, 0.25, 0.5, 0.75, 1),
  shift: fc.integer({ min: -3, max: 3 }),
  length: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constantFrom(16, 32, 33, 1024)),
  fails: fc.boolean(),
});

function spanOf(count: number, { place, shift, length }: { place: number; shift: number; length: number }) {
  const start = Math.min(Math.max(Math.floor(place * count) + shift, 0), count - 1);
  return [start, Math.min(length, count - start)] as const;
}

function stateText(slots: BestFit | LowestFirst): string {
  return Array.from({ length: slots.count }, (_, i) => '#.Uu'[slots.stateOf(i)]).join('');
}

describe.each([
  ['best fit', BestFit],
  ['lowest first', LowestFirst],
] as const)('slots, %s', (order, Kind) => {
  test('do what a list of ranges with times of insertion does, also when a node cannot be allocated', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...COUNTS),
        fc.array(step, { minLength: 1, maxLength: 60 }),
        (count, steps) => {
          let fails = false;
          const words = new Int32Array(new SharedArrayBuffer(4 * Kind.wordsFor(count)));
          const slots = new Kind(words, count, () => !fails);
          const plain = new PlainSlots(count, order, () => !fails);
          expect(named(slots.setAvailable(0, count))).toBe(plain.setAvailable(0, count));
          for (const one of steps) {
            const [start, length] = spanOf(count, one);
            fails = one.fails;
            if (one.call === 'rebuild') {
              slots.rebuild();
              plain.rebuild();
            } else if (one.call === 'take') {
              // As an allocation does.
              const found = slots.find(length);
              expect(found < 0 ? named(found) : found).toBe(plain.find(length));
              if (found >= 0) expect(named(slots.clear(found, length))).toBe(plain.clear(found, length));
            } else if (order === 'best fit' || !one.call.includes('navailable')) {
              expect(named(slots[one.call](start, length))).toBe(plain[one.call](start, length));
            }
            expect(slots.isSet(start, length)).toBe(plain.isSet(start, length));
            expect(stateText(slots)).toBe(plain.states());
            for (const size of [1, 2, 3, length, count]) {
              const found = slots.find(size);
              expect(found < 0 ? named(found) : found).toBe(plain.find(size));
            }
            const align = 2 ** (length % 5);
            const aligned = slots.findAligned(length, align, start % align);
            expect(aligned < 0 ? named(aligned) : aligned).toBe(
              plain.findAligned(length, align, start % align),
            );
          }
        },
      ),
      { numRuns: 600 },
    );
  });

  test('are all in the words that they were made with: another object over the words goes on', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 30 }), (steps) => {
        const count = 100;
        const words = new Int32Array(Kind.wordsFor(count));
        const first = new Kind(words, count, () => true);
        first.setAvailable(0, count);
        const other = new Kind(words, count, () => true);
        const plain = new PlainSlots(count, order, () => true);
        plain.setAvailable(0, count);
        for (const [i, one] of steps.entries()) {
          const [start, length] = spanOf(count, one);
          const slots = i % 2 === 0 ? first : other;
          const call = one.call === 'clear' ? 'clear' : 'setAvailable';
          expect(named(slots[call](start, length))).toBe(plain[call](start, length));
          const found = other.find(length);
          expect(found < 0 ? named(found) : found).toBe(plain.find(length));
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('a torn allocator', () => {
  test('is made anew from the states of its slots, whatever the other words hold', () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 5, maxLength: 40 }),
        fc.integer({ min: 0, max: 2 ** 31 - 1 }),
        (steps, noise) => {
          const count = 200;
          const words = new Int32Array(BestFit.wordsFor(count));
          const slots = new BestFit(words, count, () => true);
          const plain = new PlainSlots(count, 'best fit', () => true);
          slots.setAvailable(0, count);
          plain.setAvailable(0, count);
          for (const one of steps) {
            const [start, length] = spanOf(count, one);
            const call = one.call === 'take' || one.call === 'rebuild' ? 'clear' : one.call;
            slots[call](start, length);
            plain[call](start, length);
          }
          const before = plain.states();
          for (let i = Math.ceil(count / 16); i < words.length; i++) words[i] = (noise * i) | 0;
          slots.rebuild();
          plain.rebuild();
          expect(stateText(slots)).toBe(before);
          for (let size = 1; size <= count; size++) {
            const found = slots.find(size);
            expect(found < 0 ? named(found) : found).toBe(plain.find(size));
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});
