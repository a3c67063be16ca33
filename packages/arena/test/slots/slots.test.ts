import { describe, expect, test } from 'vitest';
import { BestFit } from '../../src/slots/best-fit.js';
import { LowestFirst } from '../../src/slots/lowest-first.js';

const MOST = 2 ** 20;

function made<K extends typeof BestFit | typeof LowestFirst>(Kind: K, count: number): BestFit | LowestFirst {
  const slots = new Kind(new Int32Array(Kind.wordsFor(count)), count, () => true);
  slots.setAvailable(0, count);
  return slots;
}

describe.each([
  ['best fit', BestFit],
  ['lowest first', LowestFirst],
] as const)('2^20 slots, %s', (_, Kind) => {
  test('are given out one by one, and come back as one range', () => {
    const slots = made(Kind, MOST);
    for (let i = 0; i < MOST; i++) {
      if (slots.find(1) !== i) throw new Error(`slot ${i} is not next`);
      slots.clear(i, 1);
    }
    expect(slots.find(1)).toBe(-2);
    // Every second one makes half a million ranges.
    for (let i = 0; i < MOST; i += 2) slots.setAvailable(i, 1);
    expect(slots.find(2)).toBe(-2);
    expect(slots.find(1)).toBe(Kind === BestFit ? MOST - 2 : 0);
    for (let i = 1; i < MOST; i += 2) slots.setAvailable(i, 1);
    expect(slots.find(MOST)).toBe(0);
  });
});

describe('the order of the range tree', () => {
  test('prefers the smallest range, and among equal ones the newest', () => {
    const slots = made(BestFit, 64);
    slots.clear(0, 64);
    for (const start of [10, 40, 20]) slots.setAvailable(start, 4);
    slots.setAvailable(50, 6);
    expect(slots.find(3)).toBe(20);
    slots.clear(20, 4);
    expect(slots.find(3)).toBe(40);
    expect(slots.find(5)).toBe(50);
  });

  test('makes a trimmed range the newest of its new size', () => {
    const slots = made(BestFit, 64);
    slots.clear(0, 64);
    slots.setAvailable(10, 5);
    slots.setAvailable(30, 4);
    expect(slots.find(4)).toBe(30);
    slots.clear(10, 1);
    expect(slots.find(4)).toBe(11);
  });

  test('keeps the place of a range that only becomes available', () => {
    const slots = made(BestFit, 64);
    slots.clear(0, 64);
    slots.setUnavailable(10, 4);
    slots.setAvailable(30, 4);
    expect(slots.find(4)).toBe(30);
    expect(slots.makeAvailable(10, 4)).toBe(0);
    expect(slots.find(4)).toBe(30);
    slots.clear(30, 4);
    expect(slots.find(4)).toBe(10);
  });

  test('steps from an unavailable range to an older one of its size, then to larger ones', () => {
    const slots = made(BestFit, 64);
    slots.clear(0, 64);
    slots.setAvailable(10, 4);
    slots.setAvailable(40, 9);
    slots.setUnavailable(30, 4);
    expect(slots.find(4)).toBe(10);
    slots.clear(10, 4);
    expect(slots.find(4)).toBe(40);
    slots.clear(40, 9);
    expect(slots.find(1)).toBe(-2);
  });

  test('joins no unavailable neighbour, at either side, until it is available', () => {
    const slots = made(BestFit, 64);
    slots.clear(0, 64);
    slots.setUnavailable(10, 4);
    slots.setUnavailable(16, 3);
    slots.setAvailable(14, 2);
    expect([slots.find(3), slots.find(2)]).toEqual([-2, 14]);
    expect(slots.makeAvailable(16, 3)).toBe(0);
    expect([slots.find(6), slots.find(5)]).toEqual([-2, 14]);
    expect(slots.makeAvailable(10, 4)).toBe(0);
    expect([slots.find(10), slots.find(9)]).toEqual([-2, 10]);
  });

  test('refuses a span with an unavailable slot, and changes nothing', () => {
    const slots = made(BestFit, 64);
    slots.setUnavailable(5, 1);
    for (const call of ['clear', 'setAvailable', 'setUnavailable'] as const)
      expect(slots[call](4, 3)).toBe(-11);
    expect([3, 4, 5, 6].map((slot) => slots.stateOf(slot))).toEqual([1, 1, 2, 1]);
    expect(slots.makeAvailable(5, 2)).toBe(-22);
    expect(slots.removeUnavailable(5, 1)).toBe(0);
    expect(slots.clear(4, 3)).toBe(0);
  });
});
