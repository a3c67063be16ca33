import { describe, expect, test } from 'vitest';
import { random } from '../src/parts/random.js';

describe('numbers from a seed:', () => {
  test('random numbers are within bounds, and the same for the same seed', () => {
    for (const seed of [0, 1, 0x9e3779b9, 2 ** 32 - 1]) {
      const a = random(seed);
      const b = random(seed);
      const drawn = Array.from({ length: 2000 }, () => a.next(10));
      expect(drawn).toEqual(Array.from({ length: 2000 }, () => b.next(10)));
      expect([...new Set(drawn)].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
    const wide = random(3);
    expect(Array.from({ length: 100 }, () => wide.next(2 ** 53)).every(Number.isSafeInteger)).toBe(true);
  });
});
