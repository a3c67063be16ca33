import { describe, expect, it } from 'vitest';
import { random } from '../src/random.js';
import { spread } from '../src/spread.js';

describe('numbers:', () => {
  it('random numbers are within bounds, and the same for the same seed', () => {
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

  it('a spread has median, minimum, maximum and deviation', () => {
    expect(spread([3, 1, 2, 100])).toEqual({ median: 2.5, min: 1, max: 100, mad: 1 });
    expect(spread([])).toBeNull();
  });
});
