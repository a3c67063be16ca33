import { describe, expect, test } from 'vitest';
import { configurations, type Riscv64LinuxOptions, type Riscv64Mode, riscv64Linux } from '../src/index.js';

describe('the policy of Linux', () => {
  // Documentation/arch/riscv/vm-layout.rst; that of Sv39 moved with PAGE_OFFSET.
  test.each<[Riscv64Mode, bigint, bigint]>([
    ['sv39', 0xffffffc600000000n, 0xffffffd600000000n],
    ['sv48', 0xffff8f8000000000n, 0xffffaf8000000000n],
    ['sv57', 0xff20000000000000n, 0xff60000000000000n],
  ])('the vmalloc window of %s', (mode, start, end) => {
    expect(riscv64Linux({ mode }).window).toEqual({ start, end });
  });

  test('accepts an older PAGE_OFFSET', () => {
    expect(riscv64Linux({ mode: 'sv39', pageOffset: 0xffffffd800000000n }).window).toEqual({
      start: 0xffffffc800000000n,
      end: 0xffffffd800000000n,
    });
  });

  test('has the leaves, guard and alignment of Linux', () => {
    const { leaves, guardBytes, ioremapMaxOrder, name } = riscv64Linux();
    expect(leaves).toEqual({ vmalloc: [12, 21], vmap: [12], ioremap: [12, 21, 30], wholeRunsOnly: true });
    expect([guardBytes, ioremapMaxOrder, name]).toEqual([4096, 30, 'Linux riscv64, sv48']);
    const napot = riscv64Linux({ napot: true, guardPages: 0, svpbmt: false });
    expect(napot.leaves).toEqual({
      ...{ vmalloc: [12, 16, 21], vmap: [12] },
      ...{ ioremap: [12, 16, 21, 30], wholeRunsOnly: true },
    });
    expect([napot.guardBytes, napot.name]).toEqual([0, 'Linux riscv64, sv48, NAPOT, no Svpbmt']);
  });

  test.each<[Riscv64LinuxOptions, RegExp]>([
    [{ mode: 'sv64' as never }, /^EINVAL: mode is 'sv64', expected sv39, sv48 or sv57/],
    [{ pageOffset: 0xffffaf8000000001n }, /^EINVAL at 0xffffaf8000000001: pageOffset is not on a page/],
    [
      { pageOffset: 0xffff900000000000n },
      /leaves no room for the vmalloc window; sv48 needs 0xffffa00000000000/,
    ],
    [
      { pageOffset: 1n << 64n },
      /^EINVAL: pageOffset is 0x10000000000000000n, expected a bigint from 0 to 0xf{16}/,
    ],
    [{ guardPages: -1 }, /^EINVAL: guardPages is -1/],
    [{ guardPages: 0.5 }, /^EINVAL: guardPages is 0.5/],
  ])('refuses %o', (options, message) => {
    expect(() => riscv64Linux(options)).toThrow(message);
  });

  test('accepts a window that just fits', () => {
    const pageOffset = 0xffffa00000000000n;
    expect(riscv64Linux({ pageOffset }).window.start).toBe(0xffff800000000000n);
  });
});

test('the configurations', () => {
  expect(
    configurations.map(({ name, format, linux }) => [name, format.levels.length, linux.leaves.vmalloc]),
  ).toEqual([
    ['riscv64-sv39', 3, [12, 21]],
    ['riscv64-sv39-napot', 3, [12, 16, 21]],
    ['riscv64-sv48', 4, [12, 21]],
    ['riscv64-sv48-napot', 4, [12, 16, 21]],
    ['riscv64-sv57', 5, [12, 21]],
    ['riscv64-sv57-napot', 5, [12, 16, 21]],
  ]);
  expect(configurations.every((one) => Object.isFrozen(one))).toBe(true);
});
