import { expect, test } from 'vitest';
import { windowOption } from '../../src/check/window.js';
import { VmError } from '../../src/errors.js';

const USUAL = { start: 0x10000n, end: (start: bigint) => start + 0x8000n };
const read = (window: unknown) => windowOption(window, 'format()', USUAL, 12);

test('absent members get their defaults, and the default end follows the given start', () => {
  expect(read(undefined)).toEqual({ start: 0x10000n, end: 0x18000n });
  expect(read({ start: 0x2000n })).toEqual({ start: 0x2000n, end: 0xa000n });
  expect(read({ end: 1n << 64n })).toEqual({ start: 0x10000n, end: 1n << 64n });
  expect(Object.isFrozen(read({}))).toBe(true);
});

test.each([
  [null, 'EINVAL: the options of the window of format() are null'],
  [{ begin: 0n }, 'EINVAL: the window of format() has no option `begin`; it has start, end'],
  [{ start: 4096 }, 'EINVAL: window.start is 4096, expected a bigint'],
  [{ start: -4096n }, 'ERANGE: window.start -0x1000 is outside 64 bits'],
  [{ end: '0x2000' }, "EINVAL: window.end is '0x2000', expected a bigint"],
  [{ end: (1n << 64n) + 1n }, 'ERANGE: window.end 0x10000000000000001 is outside 64 bits'],
  [
    { start: 1n << 64n },
    'ERANGE: window.start 0x10000000000000000 is outside 64 bits; the last address is 0xffffffffffffffff',
  ],
  [{ start: 0x2001n }, 'EINVAL at 0x0000000000002001: the vmalloc window does not start on a page'],
  [{ start: 0x2000n, end: 0x2fffn }, 'EINVAL at 0x0000000000002fff: the vmalloc window has no page'],
])('%o is refused', (window, message) => {
  expect(() => read(window)).toThrow(VmError);
  expect(() => read(window)).toThrow(message);
});

test('both members are required without defaults', () => {
  expect(() => windowOption({ start: 0n }, 'format()', {}, 12)).toThrow('window.end is undefined, expected');
});
