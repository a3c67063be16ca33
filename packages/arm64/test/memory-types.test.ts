import {
  FrameAllocator,
  PageTable,
  type PageTableFormat,
  PhysicalMemory,
  protection,
  toBigint,
  words,
} from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { arm64, arm64FromRegisters, LINUX_MAIR, LINUX_MAIR_MTE, memoryTypesOf } from '../src/index.js';

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

describe('an attribute that the manual leaves unpredictable', () => {
  const mair = LINUX_MAIR | (0x80n << 56n);
  const format = arm64({ granule: 4, vaBits: 48, mair });

  test('refuses nothing at an index that no entry uses', () => {
    expect(toBigint(format.encode(protection({ write: true, global: true }), 3))).toBe(0x0068000000000703n);
    const tcr = 0x5001f57551b511n;
    const cpu = arm64FromRegisters({ tcr, ttbr1: 0x41f2c000n, sctlr: 0x20000003474591dn, mair });
    expect(cpu.ttbr1?.format.memoryTypes).toContain('unpredictable');
  });

  test('is the type of an entry that uses it, which stays as it is', () => {
    const leaf = words(0x006800000000071fn);
    expect(format.decode(leaf, 3).memory).toBe('unpredictable');
    expect(format.encode(format.decode(leaf, 3), 3)).toEqual(leaf);
  });
});

describe('what a walk says of the memory', () => {
  test.each([
    // Linux's MAIR: Normal at 0, Normal-NC at 2, Device-nGnRE at 4; SH 3 is inner, 2 outer, 0 none.
    [0x0068000000000703n, { type: 0xff, index: 0, shareability: 'inner' }],
    [0x006800000000060bn, { type: 0x44, index: 2, shareability: 'outer' }],
    [0x0068000000000413n, { type: 0x04, index: 4, shareability: 'none' }],
    [0x0068000000000503n, { type: 0xff, index: 0, shareability: 'reserved' }],
  ] as const)('of 0x%s', (leaf, attributes) => {
    const format = arm64({ granule: 4, vaBits: 48 });
    expect(format.memoryAttributes?.(words(leaf), 3)).toEqual(attributes);
  });

  test('with LPA2 is the shareability of TCR, since entries have no room for it', () => {
    const options = { granule: 4, vaBits: 52 } as const;
    const sh = (format: PageTableFormat) => format.memoryAttributes?.(words(0x703n), 4)?.shareability;
    expect(sh(arm64(options))).toBe('inner');
    expect(sh(arm64({ ...options, shareability: 'outer' }))).toBe('outer');
  });

  test('is part of a walk', () => {
    const memory = PhysicalMemory.create({ bytes: 1 << 16 });
    const table = new PageTable({
      ...{ format: arm64({ granule: 4, vaBits: 48 }), memory },
      frames: new FrameAllocator(memory),
    });
    table.map(0xffff000000000000n, [5], protection({ memory: 'device' }));
    expect(table.walk(0xffff000000000000n).leaf?.attributes).toEqual({
      ...{ type: 0x04, index: 4, shareability: 'inner' },
    });
  });
});
