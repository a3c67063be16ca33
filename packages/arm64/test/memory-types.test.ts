import { describe, expect, test } from 'vitest';
import { LINUX_MAIR, LINUX_MAIR_MTE, memoryTypesOf } from '../src/index.js';

describe('memory types', () => {
  test.each([
    [LINUX_MAIR, 'normal normal write-combining uncached device uncached uncached uncached'],
    [LINUX_MAIR_MTE, 'normal tagged write-combining uncached device uncached uncached uncached'],
  ])('MAIR %s', (mair, types) => {
    expect(memoryTypesOf(mair).join(' ')).toBe(types);
  });

  test.each([
    [0x00, 'uncached'],
    [0x04, 'device'],
    [0x08, 'device'],
    [0x0c, 'device'],
    [0x05, 'device'],
    [0x09, 'device'],
    [0x0d, 'device'],
    [0x40, 'write-combining'],
    [0x44, 'write-combining'],
    [0xa0, 'write-through'],
    [0xbb, 'write-through'],
    [0x33, 'write-through'],
    [0xaa, 'write-through'],
    [0x77, 'normal'],
    [0xee, 'normal'],
    [0xff, 'normal'],
    [0xf0, 'tagged'],
    // Outer and inner differ: the weaker one decides.
    [0x4f, 'write-combining'],
    [0xf4, 'write-combining'],
    [0xbf, 'write-through'],
    [0xfb, 'write-through'],
    [0x7f, 'normal'],
  ])('attribute %i is %s', (attribute, type) => {
    const mair = LINUX_MAIR | (BigInt(attribute) << 56n);
    expect(memoryTypesOf(mair)[7]).toBe(type);
  });

  test.each([0x02, 0x03, 0x06, 0x0f, 0x10, 0x80, 0xe0])('attribute %i is refused', (attribute) => {
    expect(() => memoryTypesOf(BigInt(attribute) << 8n)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => memoryTypesOf(BigInt(attribute) << 8n)).toThrow('MAIR attribute 1 is 0x');
  });

  test('MAIR has 64 bits', () => {
    expect(() => memoryTypesOf(1n << 64n)).toThrow(
      'mair is 0x10000000000000000n, expected a bigint from 0 to 0xff',
    );
    expect(() => memoryTypesOf(-1n)).toThrow('mair is -1n, expected a bigint from 0 to 0xffffffffffffffff');
    for (const mair of [undefined, null, 0x44, '0x44', {}]) {
      expect(() => memoryTypesOf(mair as never)).toThrow(/^EINVAL: mair is .+, expected a bigint/);
    }
  });
});
