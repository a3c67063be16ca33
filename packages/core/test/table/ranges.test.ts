import { protection } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../formats/arm64.js';
import { riscv64 } from '../formats/riscv64.js';
import { fingerprint } from '../support/digest.js';

const WRITE = protection({ write: true, global: true });
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;

describe('a call', () => {
  const { table } = machine(arm);
  const sv39 = machine(riscv64(3)).table;
  const low = machine(arm64({ granule: 4, vaBits: 48, half: 'ttbr0' })).table;

  test('takes the last page of all addresses, and refuses a byte more', () => {
    const top = 0xfffffffffffff000n;
    table.map(top, [5], WRITE);
    expect(table.translate(0xffffffffffffffffn)).toBe(0x5fffn);
    expect(thrown(() => table.map(top, [6, 7], WRITE))).toMatch(
      /^ERANGE at 0xfffffffffffff000: 8192 bytes run past/,
    );
    expect(thrown(() => table.unmap(top, 8192))).toMatch(/^ERANGE/);
    table.unmap(top, 4096);
    expect(table.translate(top)).toBeNull();
  });

  test('names the rule that an address breaks', () => {
    expect(thrown(() => table.map(0xfffeffff_fffff000n, [1], WRITE))).toMatch(
      /^ERANGE .*bits 63 to 48 must all be 1$/,
    );
    expect(thrown(() => low.map(0x1000000000000n, [1], WRITE))).toMatch(
      /^ERANGE .*bits 63 to 48 must all be 0$/,
    );
    expect(thrown(() => sv39.map(0x4000000000n, [1], WRITE))).toMatch(
      /^ERANGE .*bits 63 to 39 must equal bit 38$/,
    );
  });

  test('refuses a range that ends outside the root, or crosses the canonical hole', () => {
    expect(thrown(() => low.map(0xfffffffff000n, [1, 2], WRITE))).toMatch(/^ERANGE at 0x0001000000000fff/);
    expect(thrown(() => sv39.mapRange(0x3ffffff000n, 0n, 0x2000n, WRITE))).toMatch(
      /^ERANGE at 0x0000004000000fff/,
    );
    const across = 0xffffffc000000000n - 0x3ffffff000n + 0x1000n;
    expect(thrown(() => sv39.unmap(0x3ffffff000n, across))).toMatch(/^ERANGE .*cross the hole/);
    low.map(0xfffffffff000n, [1], WRITE);
    sv39.map(0x3ffffff000n, [2], WRITE);
    sv39.map(0xffffffc000000000n, [3], WRITE);
    expect([...sv39.leaves()].map((run) => [run.va, run.pfn, run.count])).toEqual([
      [0x3ffffff000n, 2, 1],
      [0xffffffc000000000n, 3, 1],
    ]);
  });

  test.each([
    [
      'a misaligned address',
      BASE + 1n,
      4096,
      'EINVAL at 0xffff000000000001: the address is not a multiple of the page size 0x1000',
    ],
    [
      'a misaligned length',
      BASE,
      4097,
      'EINVAL at 0xffff000000000000: 4097 bytes are not a multiple of the page size 0x1000',
    ],
    ['an empty range', BASE, 0, 'EINVAL at 0xffff000000000000: the length is 0, expected 1 or more bytes'],
    [
      'a negative length',
      BASE,
      -4096,
      'EINVAL at 0xffff000000000000: the length is -4096, expected 1 or more bytes',
    ],
    ['a fraction', BASE, 0.5, 'EINVAL at 0xffff000000000000: the length is 0.5, expected 1 or more bytes'],
    [
      'a negative address',
      -4096n,
      4096,
      'ERANGE: the address -0x1000 is outside 64 bits; pass an unsigned 64-bit value; BigInt.asUintN(64, address) makes one',
    ],
    [
      '2^64',
      1n << 64n,
      4096,
      'ERANGE: the address 0x10000000000000000 is outside 64 bits; the last address is 0xffffffffffffffff',
    ],
  ])('refuses %s', (_what, va, bytes, message) => {
    expect(thrown(() => table.unmap(va, bytes))).toBe(message);
    expect(thrown(() => table.mapRange(va, 0n, bytes, WRITE))).toBe(message);
  });

  test('refuses values of another type', () => {
    expect(thrown(() => table.map(4096 as unknown as bigint, [1], WRITE))).toBe(
      'EINVAL: the address is 4096, expected a bigint',
    );
    expect(thrown(() => table.translate('x' as unknown as bigint))).toBe(
      "EINVAL: the address is 'x', expected a bigint",
    );
    expect(thrown(() => table.map(BASE, 'ab' as unknown as number[], WRITE))).toMatch(
      /^EINVAL: the frames are not an array/,
    );
    expect(thrown(() => table.map(BASE, [1], WRITE, { maxLeafShift: 2.5 }))).toMatch(
      /^EINVAL: maxLeafShift is 2.5/,
    );
  });
});

describe('frame numbers', () => {
  const { table, memory, frames } = machine(arm64({ granule: 4, vaBits: 48, paBits: 40 }));
  const limit = 2 ** 28;

  test.each([
    [
      'beyond the physical addresses',
      [0, limit],
      "EINVAL: frame 0x10000000 of page 1 is not a frame number; this format's frames are integers from 0 to 0xfffffff",
    ],
    ['negative', [-1], 'EINVAL: frame -1 of page 0'],
    ['fractional', [1.5], 'EINVAL: frame 1.5 of page 0'],
    ['that are NaN', [Number.NaN], 'EINVAL: frame NaN of page 0'],
    ['that are text', ['7' as unknown as number], "EINVAL: frame '7' of page 0"],
    ['missing in the list', new Array<number>(2).fill(1, 0, 1), 'EINVAL: frame undefined of page 1'],
    ['too large in a typed array', Uint32Array.of(1, 2, limit), 'EINVAL: frame 0x10000000 of page 2'],
    ['fractional in a typed array', Float64Array.of(1, 2.5), 'EINVAL: frame 2.5 of page 1'],
  ])('%s are refused, and nothing is written', (_what, list, message) => {
    const before = fingerprint({ memory, frames });
    expect(thrown(() => table.map(BASE, list, WRITE))).toContain(message);
    expect(fingerprint({ memory, frames })).toBe(before);
  });

  test('are refused where a physical range reaches the limit', () => {
    const end = BigInt(limit) << 12n;
    expect(thrown(() => table.mapRange(BASE, end - 4096n, 8192, WRITE))).toMatch(/^EINVAL: .*0x10000000/);
    expect(thrown(() => table.mapRange(BASE, end, 4096, WRITE))).toMatch(/does not fit 40 bits/);
    expect(thrown(() => table.mapRange(BASE, 1n, 4096, WRITE))).toMatch(/^EINVAL at 0x0000000000000001/);
    table.mapRange(BASE, end - 4096n, 4096, WRITE);
    expect(table.translate(BASE)).toBe(end - 4096n);
    table.unmap(BASE, 4096);
  });

  test('above 2^32 reach every bit of a 52-bit address', () => {
    for (const format of [
      arm64({ granule: 4, vaBits: 52, large: true }),
      arm64({ granule: 64, vaBits: 52, large: true }),
    ]) {
      const { table: large } = machine(format);
      const top = 2 ** (52 - format.pageShift) - 1;
      const va = 0xfff0000000000000n;
      large.map(va, [top, 1, 2 ** 32 + 5 < top ? 2 ** 32 + 5 : 9], WRITE);
      expect(large.translate(va)).toBe(BigInt(top) << BigInt(format.pageShift));
      // A linear range across frame 2^32, where both words of the entry change.
      if (format.pageShift === 12) {
        const pa = (2n ** 32n - 3n) << 12n;
        large.mapRange(va + 0x200000n, pa, 6 * 4096, WRITE);
        for (let i = 0n; i < 6n; i++)
          expect(large.translate(va + 0x200000n + i * 4096n)).toBe(pa + i * 4096n);
      }
    }
  });
});
