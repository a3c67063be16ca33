import { toBigint } from '@vmarea/core';
import { hex } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import {
  type Arm64LinuxOptions,
  type Arm64Options,
  type Arm64Protections,
  arm64,
  arm64Linux,
  configurations,
  LINUX_MAIR_MTE,
} from '../src/index.js';

type Bits = Record<keyof Arm64Protections, string>;

/** The kernel's values, without KPTI and LPA2. */
const PLAIN: Bits = {
  PAGE_KERNEL: '0x0068000000000703',
  PAGE_KERNEL_RO: '0x0060000000000783',
  PAGE_KERNEL_ROX: '0x0040000000000783',
  PAGE_KERNEL_EXEC: '0x0048000000000703',
  PAGE_KERNEL_TAGGED: '0x0068000000000707',
  IOREMAP: '0x0068000000000713',
  IOREMAP_WC: '0x006800000000070b',
  IOREMAP_NP: '0x006800000000070f',
  IOREMAP_CACHE: '0x0068000000000703',
};

/** With nG. */
const KPTI: Bits = {
  PAGE_KERNEL: '0x0068000000000f03',
  PAGE_KERNEL_RO: '0x0060000000000f83',
  PAGE_KERNEL_ROX: '0x0040000000000f83',
  PAGE_KERNEL_EXEC: '0x0048000000000f03',
  PAGE_KERNEL_TAGGED: '0x0068000000000f07',
  IOREMAP: '0x0068000000000f13',
  IOREMAP_WC: '0x0068000000000f0b',
  IOREMAP_NP: '0x0068000000000f0f',
  IOREMAP_CACHE: '0x0068000000000f03',
};

/** With LPA2: no SH. */
const LPA2: Bits = {
  PAGE_KERNEL: '0x0068000000000403',
  PAGE_KERNEL_RO: '0x0060000000000483',
  PAGE_KERNEL_ROX: '0x0040000000000483',
  PAGE_KERNEL_EXEC: '0x0048000000000403',
  PAGE_KERNEL_TAGGED: '0x0068000000000407',
  IOREMAP: '0x0068000000000413',
  IOREMAP_WC: '0x006800000000040b',
  IOREMAP_NP: '0x006800000000040f',
  IOREMAP_CACHE: '0x0068000000000403',
};

/** The values of kernels with PTE_DIRTY in PAGE_KERNEL, with nG, as in the recorded guests. */
const SOFTWARE_DIRTY: Bits = {
  ...KPTI,
  PAGE_KERNEL: '0x00e8000000000f03',
  PAGE_KERNEL_RO: '0x00e0000000000f83',
  PAGE_KERNEL_ROX: '0x00c0000000000f83',
  PAGE_KERNEL_EXEC: '0x00c8000000000f03',
  PAGE_KERNEL_TAGGED: '0x00e8000000000f07',
};

function bitsOf(shape: Arm64Options, options: Arm64LinuxOptions): Bits {
  const format = arm64(shape);
  const last = format.levels.length - 1;
  const entries = Object.entries(arm64Linux(options).protections).map(([name, value]) => [
    name,
    hex(format.encode(value, last)),
  ]);
  return Object.fromEntries(entries);
}

describe('named protections', () => {
  const k4 = { granule: 4, vaBits: 48 } as const;
  test.each([
    [k4, PLAIN],
    [{ granule: 16, vaBits: 47 }, PLAIN],
    [{ granule: 64, vaBits: 48 }, PLAIN],
    [{ granule: 64, vaBits: 52, outputBits: 52 }, PLAIN],
    [{ granule: 4, vaBits: 52 }, LPA2],
    [{ granule: 16, vaBits: 52 }, LPA2],
  ] as [Arm64Options, Bits][])('%o', (shape, bits) => {
    const { granule, vaBits } = shape;
    expect(bitsOf(shape, { granule, vaBits })).toEqual(bits);
  });

  test('have nG with KPTI', () => {
    expect(bitsOf(k4, { ...k4, kpti: true })).toEqual(KPTI);
  });

  test('have PTE_DIRTY with softwareDirty', () => {
    expect(bitsOf(k4, { ...k4, kpti: true, softwareDirty: true })).toEqual(SOFTWARE_DIRTY);
  });

  test('have an index with its own memory type with MTE', () => {
    expect(bitsOf({ ...k4, mair: LINUX_MAIR_MTE }, { ...k4, mte: true })).toEqual(PLAIN);
    expect(arm64Linux({ ...k4, mte: true }).protections.PAGE_KERNEL_TAGGED).toMatchObject({
      memory: 'tagged',
      extra: 0n,
    });
  });

  test.each([false, true])(
    'each becomes each of the others by a change, PTE_DIRTY in them: %s',
    (softwareDirty) => {
      const format = arm64(k4);
      const { PAGE_KERNEL, PAGE_KERNEL_RO, PAGE_KERNEL_ROX, PAGE_KERNEL_EXEC } = arm64Linux({
        ...k4,
        softwareDirty,
      }).protections;
      const all = [PAGE_KERNEL, PAGE_KERNEL_RO, PAGE_KERNEL_ROX, PAGE_KERNEL_EXEC];
      for (const from of all) {
        for (const to of all) {
          expect(format.change(format.encode(from, 3), to, 3)).toEqual(format.encode(to, 3));
        }
      }
    },
  );

  test('encode as blocks, and as part of a run', () => {
    const format = arm64(k4);
    const { PAGE_KERNEL } = arm64Linux(k4).protections;
    for (const level of [1, 2]) expect(hex(format.encode(PAGE_KERNEL, level))).toBe('0x0068000000000701');
    const run = format.levels[3]?.run;
    const bits = toBigint(format.encode(PAGE_KERNEL, 3)) | toBigint(run?.set ?? { lo: 0, hi: 0 });
    expect(hex(bits)).toBe('0x0078000000000703');
  });
});

describe('the vmalloc window', () => {
  test.each([
    [4, 39, undefined, '0xffffffc080000000', '0xfffffffebf800000'],
    [4, 48, undefined, '0xffff800080000000', '0xfffffdffbf800000'],
    [4, 52, undefined, '0xffff800080000000', '0xffffc1ffbf800000'],
    [4, 52, 48, '0xffff800080000000', '0xfffffdffbf800000'],
    [16, 36, undefined, '0xfffffff880000000', '0xffffffffb7800000'],
    [16, 47, undefined, '0xffffc00080000000', '0xffffffbfbf800000'],
    [16, 48, undefined, '0xffff800080000000', '0xffffff7fbf800000'],
    [16, 52, undefined, '0xffffc00080000000', '0xfffff03fbf800000'],
    [16, 52, 47, '0xffffc00080000000', '0xffffffbfbf800000'],
    [64, 42, undefined, '0xfffffe0080000000', '0xffffffff3f800000'],
    [64, 48, undefined, '0xffff800080000000', '0xffffffdfbf800000'],
    [64, 52, undefined, '0xffff800080000000', '0xfffffc1fbf800000'],
    [64, 52, 48, '0xffff800080000000', '0xffffffdfbf800000'],
  ] as const)('%iK pages, %i bits, %s in use', (granule, vaBits, actual, start, end) => {
    const options = { granule, vaBits, ...(actual === undefined ? {} : { actualVaBits: actual }) };
    const { window } = arm64Linux(options);
    expect([hex(window.start), hex(window.end)]).toEqual([start, end]);
  });

  test('can be given', () => {
    const window = { start: 0xffff800008000000n, end: 0xfffffbfff0000000n };
    expect(arm64Linux({ granule: 4, vaBits: 48, window }).window).toEqual(window);
  });
});

describe('the policy', () => {
  test.each([
    [4, 48, 30, [12, 21], [12], [12, 21, 30], [12, 16, 21], [12, 16, 21, 30]],
    [16, 47, 25, [14, 25], [14], [14, 25], [14, 21, 25], [14, 21, 25]],
    [64, 48, 29, [16, 29], [16], [16, 29], [16, 21, 29], [16, 21, 29]],
  ] as const)(
    '%iK pages: alignment and leaves',
    (granule, vaBits, order, vmalloc, vmap, ioremap, contVmalloc, contIoremap) => {
      const plain = arm64Linux({ granule, vaBits });
      expect(plain.ioremapMaxOrder).toBe(order);
      expect(plain.leaves).toEqual({ vmalloc, vmap, ioremap });
      expect(arm64Linux({ granule, vaBits, contiguous: true }).leaves).toEqual({
        vmalloc: contVmalloc,
        vmap,
        ioremap: contIoremap,
      });
    },
  );

  test('has a guard of one page, or of the given number', () => {
    expect(arm64Linux({ granule: 4, vaBits: 48 }).guardBytes).toBe(4096);
    expect(arm64Linux({ granule: 16, vaBits: 47 }).guardBytes).toBe(16384);
    expect(arm64Linux({ granule: 64, vaBits: 48, guardPages: 2 }).guardBytes).toBe(131072);
    expect(arm64Linux({ granule: 64, vaBits: 48, guardPages: 0 }).guardBytes).toBe(0);
  });

  test('has the chosen options in its name', () => {
    expect(arm64Linux({ granule: 4, vaBits: 48 }).name).toBe('Linux arm64, 4K pages, 48-bit addresses');
    expect(
      arm64Linux({ granule: 16, vaBits: 52, actualVaBits: 47, kpti: true, contiguous: true, mte: true }).name,
    ).toBe('Linux arm64, 16K pages, 52-bit addresses, 47 in use, KPTI, contiguous runs, MTE');
  });

  test.each([
    [{ granule: 4, vaBits: 47 }, 'vaBits is 47, which Linux does not support with 4K pages; use 39, 48, 52'],
    [{ granule: 8 as 4, vaBits: 48 }, 'granule is 8'],
    [{ granule: 4, vaBits: 52, actualVaBits: 47 }, 'actualVaBits is 47, expected 52 or 48'],
    [{ granule: 16, vaBits: 52, actualVaBits: 48 }, 'actualVaBits is 48, expected 52 or 47'],
    [{ granule: 4, vaBits: 48, window: { start: 1n, end: 0x2000n } }, 'does not start on a page'],
    [{ granule: 4, vaBits: 48, window: { start: 0x1000n, end: 0x1fffn } }, 'has no page before its end'],
    [{ granule: 4, vaBits: 48, guardPages: -1 }, 'guardPages is -1'],
    [{ granule: 4, vaBits: 48, guardPages: 0.5 }, 'guardPages is 0.5'],
  ] as [Arm64LinuxOptions, string][])('%o is refused', (options, message) => {
    expect(() => arm64Linux(options)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => arm64Linux(options)).toThrow(message);
  });

  test('has protections that every configuration can encode at every level with leaves', () => {
    for (const { format, linux } of configurations) {
      for (const [level, { leaf }] of format.levels.entries()) {
        if (leaf === null) continue;
        for (const value of Object.values(linux.protections)) {
          expect(format.decode(format.encode(value, level), level)).toEqual(value);
        }
      }
    }
  });
});
