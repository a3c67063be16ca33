import { hex } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { configurations, type X8664Protections, x86LinuxPolicy, x8664, x8664Linux } from '../src/index.js';
import { PMD, PTE, PUD } from './support.js';

type Bits = Record<keyof X8664Protections, string>;

/** The kernel's values, with PAT on and no memory encryption. */
const PLAIN: Bits = {
  PAGE_KERNEL: '0x8000000000000163',
  PAGE_KERNEL_RO: '0x8000000000000121',
  PAGE_KERNEL_ROX: '0x0000000000000121',
  PAGE_KERNEL_EXEC: '0x0000000000000163',
  PAGE_KERNEL_NOGLOBAL: '0x8000000000000063',
  PAGE_KERNEL_NOCACHE: '0x800000000000017b',
  PAGE_KERNEL_NOENC: '0x8000000000000163',
  PAGE_KERNEL_IO: '0x8000000000000163',
  IOREMAP: '0x8000000000000173',
  IOREMAP_WC: '0x800000000000016b',
  IOREMAP_UC: '0x800000000000017b',
  IOREMAP_WT: '0x80000000000001fb',
};

/** With page-table isolation: no G. */
const PTI: Bits = {
  PAGE_KERNEL: '0x8000000000000063',
  PAGE_KERNEL_RO: '0x8000000000000021',
  PAGE_KERNEL_ROX: '0x0000000000000021',
  PAGE_KERNEL_EXEC: '0x0000000000000063',
  PAGE_KERNEL_NOGLOBAL: '0x8000000000000063',
  PAGE_KERNEL_NOCACHE: '0x800000000000007b',
  PAGE_KERNEL_NOENC: '0x8000000000000063',
  PAGE_KERNEL_IO: '0x8000000000000063',
  IOREMAP: '0x8000000000000073',
  IOREMAP_WC: '0x800000000000006b',
  IOREMAP_UC: '0x800000000000007b',
  IOREMAP_WT: '0x80000000000000fb',
};

/** With the C-bit at 51: all have it except device memory and NOENC. */
const ENCRYPTED: Bits = {
  PAGE_KERNEL: '0x8008000000000163',
  PAGE_KERNEL_RO: '0x8008000000000121',
  PAGE_KERNEL_ROX: '0x0008000000000121',
  PAGE_KERNEL_EXEC: '0x0008000000000163',
  PAGE_KERNEL_NOGLOBAL: '0x8008000000000063',
  PAGE_KERNEL_NOCACHE: '0x800800000000017b',
  PAGE_KERNEL_NOENC: '0x8000000000000163',
  PAGE_KERNEL_IO: '0x8000000000000163',
  IOREMAP: '0x8000000000000173',
  IOREMAP_WC: '0x800000000000016b',
  IOREMAP_UC: '0x800000000000017b',
  IOREMAP_WT: '0x80000000000001fb',
};

function bitsOf(format: ReturnType<typeof x8664>, protections: X8664Protections): Bits {
  const entries = Object.entries(protections).map(([name, value]) => [name, hex(format.encode(value, PTE))]);
  return Object.fromEntries(entries);
}

describe('the named protections are those of the kernel', () => {
  test('without page-table isolation', () => {
    expect(bitsOf(x8664(), x8664Linux().protections)).toEqual(PLAIN);
  });

  test('with page-table isolation', () => {
    expect(bitsOf(x8664(), x8664Linux({ pti: true }).protections)).toEqual(PTI);
  });

  test('with memory encryption', () => {
    const format = x8664({ encryptionBit: 51, paBits: 48 });
    expect(bitsOf(format, x8664Linux({ encryptionBit: 51 }).protections)).toEqual(ENCRYPTED);
  });

  test('without NX, as the kernel masks it', () => {
    const withoutNx = Object.entries(PLAIN).map(([name, bits]) => [name, bits.replace('0x8', '0x0')]);
    expect(bitsOf(x8664({ nxe: false }), x8664Linux({ nx: false }).protections)).toEqual(
      Object.fromEntries(withoutNx),
    );
  });

  test('in large leaves, where they are PAGE_KERNEL_LARGE and PAGE_KERNEL_LARGE_EXEC', () => {
    const format = x8664();
    const { PAGE_KERNEL, PAGE_KERNEL_EXEC, IOREMAP, IOREMAP_WT } = x8664Linux().protections;
    for (const level of [PMD, PUD]) {
      expect(hex(format.encode(PAGE_KERNEL, level))).toBe('0x80000000000001e3');
      expect(hex(format.encode(PAGE_KERNEL_EXEC, level))).toBe('0x00000000000001e3');
      expect(hex(format.encode(IOREMAP, level))).toBe('0x80000000000001f3');
      expect(hex(format.encode(IOREMAP_WT, level))).toBe('0x80000000000011fb');
    }
  });
});

describe('x8664Linux', () => {
  const policy = x8664Linux();

  test('has a window without KASLR that ends a byte early, as VMALLOC_END does', () => {
    expect(hex(policy.window.start)).toBe('0xffffc90000000000');
    expect(hex(policy.window.end)).toBe('0xffffe8ffffffffff');
  });

  test('moves the end of the window with a randomised start', () => {
    const { start, end } = x8664Linux({ window: { start: 0xffffcd6580000000n } }).window;
    expect(end - start).toBe(32n * 2n ** 40n - 1n);
    const given = { start: 0xffffc90000000000n, end: 0xffffd0ffffffffffn };
    expect(x8664Linux({ window: given }).window).toEqual(given);
  });

  test('differs from another layout in name, format and window only', () => {
    const other = x86LinuxPolicy({
      name: 'other',
      vmallocStart: 0xffa0000000000000n,
      vmallocBytes: 12800n << 40n,
    });
    expect(hex(other.window.end)).toBe('0xffd1ffffffffffff');
    expect(other.formats).toEqual(['other']);
    const { name, formats, window, user } = policy;
    expect(other.user?.formats).toEqual(['other']);
    expect({ ...other.user, formats: user?.formats }).toEqual(user);
    expect({ ...other, name, formats, window, user }).toEqual(policy);
  });

  test('has the guard, alignment and leaf sizes of Linux', () => {
    expect(policy.guardBytes).toBe(4096);
    expect(x8664Linux({ guardPages: 2 }).guardBytes).toBe(8192);
    expect(x8664Linux({ guardPages: 0 }).guardBytes).toBe(0);
    expect(policy.ioremapMaxOrder).toBe(30);
    expect(policy.leaves).toEqual({ vmalloc: [12, 21], vmap: [12], ioremap: [12, 21, 30] });
    expect(x8664Linux({ page1g: false }).leaves.ioremap).toEqual([12, 21]);
  });

  test('has the chosen options in its name', () => {
    expect(policy.name).toBe('Linux x86-64');
    expect(x8664Linux({ pti: true, nx: false, encryptionBit: 47 }).name).toBe(
      'Linux x86-64, PTI, no NX, memory encryption',
    );
  });

  test.each([
    [{ window: { start: 0xffffc90000000001n } }, 'does not start on a page'],
    [{ window: { start: 0xffffc90000000000n, end: 0xffffc90000000fffn } }, 'has no page before its end'],
    [{ guardPages: -1 }, 'guardPages is -1'],
    [{ guardPages: 0.5 }, 'guardPages is 0.5'],
  ])('refuses %o', (options, message) => {
    expect(() => x8664Linux(options)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => x8664Linux(options)).toThrow(message);
  });
});

test('configurations has one member, whose protections can be encoded', () => {
  expect(configurations.map(({ name }) => name)).toEqual(['x86-64']);
  for (const { format, linux } of configurations) {
    expect(format.name).toBe('x86-64');
    expect(hex(format.encode(linux.protections.PAGE_KERNEL, PTE))).toBe('0x8000000000000163');
  }
});
