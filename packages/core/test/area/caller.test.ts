import { refusal } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { checkCaller, isCertainCaller, isSymbol } from '../../src/area/caller.js';

const OFFSET = '+0x1/0x2';

describe('a word of 600 characters, the longest that Linux prints,', () => {
  test('is a caller, a symbol, and certainly a caller with its offset', () => {
    const symbol = 's'.repeat(600);
    const placed = `${'s'.repeat(600 - OFFSET.length)}${OFFSET}`;
    for (const word of [symbol, placed, `${placed} [zram]`]) expect(checkCaller(word)).toBeUndefined();
    expect([isSymbol(symbol), isSymbol(placed)]).toEqual([true, true]);
    expect([isCertainCaller(symbol), isCertainCaller(placed)]).toEqual([false, true]);
  });

  test('is none of these when it has one character more', () => {
    const symbol = 's'.repeat(601);
    const placed = `${'s'.repeat(601 - OFFSET.length)}${OFFSET}`;
    for (const word of [symbol, placed, `${placed} [zram]`])
      expect(refusal(() => checkCaller(word)).code).toBe('EINVAL');
    expect([isSymbol(symbol), isSymbol(placed), isCertainCaller(placed)]).toEqual([false, false, false]);
  });
});

test.each([
  ['0xffffffffc0a0b0c1', false, true],
  ['0x', false, false],
  ['0xffffffffc0a0b0cg', false, false],
  ['fork', true, false],
  ['.text', true, false],
  ['$x', true, false],
  ['_start+0x1', true, false],
  ['_start+0x1/', true, false],
  ['_start+0x1/0x', true, false],
  ['_start+0x1/0x2', true, true],
  ['_start+0xAB/0xCD', true, true],
  ['_start+0x1/0x2x', true, false],
  ['9lives', false, false],
  ['9lives+0x1/0x2', false, true],
  ['pages=4', false, false],
  ['a=b+0x1/0x2', false, false],
  ['[zram]', false, false],
  ['[zram]+0x1/0x2', false, false],
  ['a[0]', false, false],
  ['', false, false],
])('%j is a symbol: %s, and certainly a caller: %s', (word, symbol, certain) => {
  expect([isSymbol(word), isCertainCaller(word)]).toEqual([symbol, certain]);
});
