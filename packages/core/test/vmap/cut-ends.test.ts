import { describe, expect, test } from 'vitest';
import { apart } from '../../src/vmap/permissions/cut-ends.js';

describe('ranges that are made apart', () => {
  test.each([
    [
      'a range inside another makes it no shorter',
      [
        [0n, 8n],
        [2n, 4n],
      ],
      [[0n, 8n]],
    ],
    [
      'a range over the end of another makes it longer',
      [
        [2n, 8n],
        [0n, 4n],
      ],
      [[0n, 8n]],
    ],
    [
      'ranges that touch are one',
      [
        [4n, 8n],
        [0n, 4n],
      ],
      [[0n, 8n]],
    ],
    [
      'ranges with a hole between them stay two',
      [
        [5n, 8n],
        [0n, 4n],
      ],
      [
        [0n, 4n],
        [5n, 8n],
      ],
    ],
  ] as const)('%s', (_name, given, expected) => {
    const ranges = given.map(([start, end]) => ({ start, end }));
    expect(apart(ranges)).toEqual(expected.map(([start, end]) => ({ start, end })));
  });
});
