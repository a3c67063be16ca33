import { describe, expect, test } from 'vitest';
import { bigintOption, choiceOption, flagOption, integerOption } from '../../src/check/members.js';
import { VmError } from '../../src/errors.js';

/** Values of all kinds, none of which is right where it is used. */
const WRONG = [
  null,
  'text',
  '1',
  {},
  [],
  () => 1,
  Symbol('s'),
  Number.NaN,
  Number.POSITIVE_INFINITY,
  0.5,
  -1,
];

describe.each<
  [string, (given: { readonly a?: unknown }, hasFallback: boolean) => unknown, string, unknown[]]
>([
  ['flagOption', (given, has) => flagOption(given, 'a', has ? true : undefined), 'true or false', [1, 0, 1n]],
  [
    'integerOption',
    (given, has) => integerOption(given, 'a', 32, 52, has ? 52 : undefined),
    '32 to 52',
    [31, 53, 40n, true],
  ],
  [
    'choiceOption',
    (given, has) => choiceOption(given, 'a', [4, 16, 64], has ? 4 : undefined),
    '4, 16 or 64',
    [8, 4n, true],
  ],
  [
    'bigintOption',
    (given, has) => bigintOption(given, 'a', has ? 1n : undefined, 0xffn),
    'a bigint from 0 to 0xff',
    [1, -1n, 0x100n, true],
  ],
])('%s', (_, read, expected, more) => {
  test.each([...WRONG, ...more])('refuses %o', (value) => {
    expect(() => read({ a: value }, true)).toThrow(VmError);
    expect(() => read({ a: value }, true)).toThrow(/^EINVAL: a is .+, expected /);
    expect(() => read({ a: value }, true)).toThrow(`expected ${expected}`);
  });

  test('takes the default for an absent member, and refuses one without a default', () => {
    expect(read({}, true)).toBe(read({ a: undefined }, true));
    expect(() => read({}, false)).toThrow(`EINVAL: a is undefined, expected ${expected}`);
  });
});

test('each check returns a valid value', () => {
  const given = { flag: false, number: 32, choice: 'amd', wide: 0xffn };
  expect(flagOption(given, 'flag', true)).toBe(false);
  expect(integerOption(given, 'number', 32, 52)).toBe(32);
  expect(choiceOption(given, 'choice', ['intel', 'amd'])).toBe('amd');
  expect(bigintOption(given, 'wide')).toBe(0xffn);
});

test.each([
  [-5n, 'a is -5n'],
  [1n << 64n, 'a is 0x10000000000000000n'],
  [-(1n << 64n), 'a is -0x10000000000000000n'],
  ['x'.repeat(1000), `a is '${'x'.repeat(60)}…'`],
  [{ toString: () => 'no' }, 'a is an object'],
])('shows %o', (value, text) => {
  expect(() => flagOption({ a: value }, 'a')).toThrow(text);
});
