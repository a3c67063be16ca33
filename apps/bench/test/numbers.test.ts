import { describe, expect, it } from 'vitest';
import { spread } from '../src/spread.js';

describe('numbers:', () => {
  it('a spread has median, minimum, maximum and deviation', () => {
    expect(spread([3, 1, 2, 100])).toEqual({ median: 2.5, min: 1, max: 100, mad: 1 });
    expect(spread([])).toBeNull();
  });
});
