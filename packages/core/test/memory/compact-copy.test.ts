import { describe, expect, test } from 'vitest';
import { CompactCopy } from '../../src/memory/compact-copy.js';

const PAGE = 1024;

/** Words that are zero but for these. */
function wordsWith(length: number, ...places: readonly number[]): Int32Array {
  const words = new Int32Array(length);
  for (const at of places) words[at] = -1;
  return words;
}

describe('a compact copy', () => {
  test.each([
    ['of no words', wordsWith(0), 0],
    ['of zeros', wordsWith(2 * PAGE), 0],
    ['of zeros that end in a part of a page', wordsWith(2 * PAGE + 3), 0],
    ['of one page in use', wordsWith(4 * PAGE, PAGE), 4096 + 16],
    ['of a last part of a page in use', wordsWith(PAGE + 3, PAGE + 2), 12 + 16],
    ['of two adjacent pages: one run', wordsWith(4 * PAGE, PAGE, 2 * PAGE), 2 * 4096 + 16],
    ['of two pages apart: two runs', wordsWith(4 * PAGE, 0, 2 * PAGE), 2 * 4096 + 32],
  ])('takes the bytes of the pages in use and 16 for each run, %s', (_, words, bytes) => {
    const copy = CompactCopy.of(words);
    expect(copy.bytes).toBe(bytes);
    expect(copy.length).toBe(words.length);
  });

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 1023])('keeps a page whose only word in use is word %i', (at) => {
    const words = wordsWith(2 * PAGE, PAGE + at);
    const copy = CompactCopy.of(words);
    words.fill(0);
    copy.restore(words, null);
    expect(words).toEqual(wordsWith(2 * PAGE, PAGE + at));
  });

  test('matches equal words, and no words that differ in one, in use or zero', () => {
    const words = wordsWith(3 * PAGE + 5, 3, PAGE, 3 * PAGE + 4);
    const copy = CompactCopy.of(words);
    expect(copy.matches(words)).toBe(true);
    for (const at of [3, 4, PAGE, 2 * PAGE - 1, 2 * PAGE, 3 * PAGE - 1, 3 * PAGE, 3 * PAGE + 4]) {
      const other = words.slice();
      (other[at] as number) ^= 2;
      expect([at, copy.matches(other)]).toEqual([at, false]);
    }
  });
});
