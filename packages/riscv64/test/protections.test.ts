import { type Protection, protection, toBigint, words } from '@vmarea/core';
import { hex } from '@vmarea/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { riscv64, riscv64Linux } from '../src/index.js';

const format = riscv64();
const bits = (fields: Partial<Protection>, level = 3) => hex(format.encode(protection(fields), level));

describe('encode', () => {
  test.each<[Partial<Protection>, string]>([
    // V, R, A.
    [{}, '0x0000000000000043'],
    [{ accessed: false }, '0x0000000000000003'],
    [{ write: true }, '0x00000000000000c7'],
    [{ write: true, dirty: false }, '0x0000000000000047'],
    [{ execute: true }, '0x000000000000004b'],
    [{ read: false, execute: true }, '0x0000000000000049'],
    [{ user: true }, '0x0000000000000053'],
    [{ global: true }, '0x0000000000000063'],
    [{ memory: 'write-combining' }, '0x2000000000000043'],
    [{ memory: 'device' }, '0x4000000000000043'],
    [{ extra: 0x300n }, '0x0000000000000343'],
  ])('%o', (fields, expected) => {
    for (const level of [0, 1, 2, 3]) expect(bits(fields, level)).toBe(expected);
  });

  test.each<[Partial<Protection>, RegExp]>([
    [{ read: false }, /^EINVAL: read, write and execute are all false/],
    [
      { read: false, write: true },
      /^EINVAL: write is true and read is false: riscv64 reserves that encoding/,
    ],
    [{ read: false, write: true, execute: true }, /^EINVAL: write is true and read is false/],
    [{ memory: 'uncached' }, /^EINVAL: memory is uncached.*it has normal, write-combining, device/],
    [{ extra: 0x400n }, /^EINVAL: extra has the bits 0x400.*software bits 9:8/],
    [{ extra: 1n << 63n }, /^EINVAL: extra has the bits 0x8000000000000000/],
    [{ extra: 1n }, /^EINVAL: extra has the bits 0x1,/],
  ])('refuses %o', (fields, message) => {
    expect(() => bits(fields)).toThrow(message);
  });

  test('refuses a level that does not exist', () => {
    expect(() => bits({}, 4)).toThrow(
      /^EINVAL: level 4 does not exist: there are 4 levels.*0 \(PGD\) to 3 \(PTE\)/,
    );
  });

  test('has no memory types without Svpbmt', () => {
    const plain = riscv64({ svpbmt: false });
    expect(plain.memoryTypes).toEqual(['normal']);
    expect(() => plain.encode(protection({ memory: 'device' }), 3)).toThrow(/^EINVAL: memory is device/);
  });
});

/** Every protection that the format can encode. */
const sayable = fc
  .record({
    rwx: fc.constantFrom(
      [true, false, false],
      [true, true, false],
      [true, false, true],
      [true, true, true],
      [false, false, true],
    ),
    user: fc.boolean(),
    global: fc.boolean(),
    accessed: fc.boolean(),
    dirty: fc.boolean(),
    memory: fc.constantFrom('normal', 'write-combining', 'device'),
    extra: fc.constantFrom(0n, 0x100n, 0x200n, 0x300n),
  })
  .map(({ rwx: [read, write, execute], ...rest }) =>
    protection({ read, write, execute, ...rest } as Protection),
  );

describe('a leaf', () => {
  test('decodes to the protection that it encodes', () => {
    fc.assert(
      fc.property(sayable, fc.nat(3), (wanted, level) => {
        expect(format.decode(format.encode(wanted, level), level)).toEqual(wanted);
      }),
    );
  });

  test('gets the wanted permissions from a change, and keeps A, D, RSW, address and N', () => {
    fc.assert(
      fc.property(sayable, sayable, fc.nat(2 ** 20), fc.boolean(), (before, wanted, frame, isNapot) => {
        const kept = (BigInt(frame) << 10n) | (isNapot ? 1n << 63n : 0n);
        const leaf = words(toBigint(format.encode(before, 3)) | kept);
        const { accessed, dirty, extra } = before;
        const expected = toBigint(format.encode({ ...wanted, accessed, dirty, extra }, 3)) | kept;
        expect(hex(format.change(leaf, wanted, 3))).toBe(hex(expected));
      }),
    );
  });

  test('loses only the mark of a run by relevel', () => {
    expect(hex(format.relevel(words(0x80000000000003c7n), 3, 2))).toBe('0x00000000000003c7');
    expect(hex(format.relevel(words(0x20000000000000c7n), 1, 2))).toBe('0x20000000000000c7');
  });

  test('needs no break for a change to another valid entry', () => {
    expect(format.needsBreak(words(1n), words(0xc7n), 2)).toBe(false);
  });
});

describe('the protections of Linux', () => {
  // arch/riscv/include/asm/pgtable.h: _PAGE_KERNEL is V|R|W|G|A|D.
  const linux = {
    PAGE_KERNEL: '0x00000000000000e7',
    PAGE_KERNEL_RO: '0x00000000000000e3',
    PAGE_KERNEL_ROX: '0x00000000000000eb',
    PAGE_KERNEL_EXEC: '0x00000000000000ef',
  };

  test('have the memory types of Svpbmt', () => {
    const { protections } = riscv64Linux();
    const encoded = Object.entries(protections).map(([name, one]) => [name, hex(format.encode(one, 3))]);
    expect(Object.fromEntries(encoded)).toEqual({
      ...linux,
      IOREMAP: '0x40000000000000e7',
      IOREMAP_WC: '0x20000000000000e7',
    });
  });

  test('leave the memory type to the platform without Svpbmt', () => {
    const plain = riscv64({ svpbmt: false });
    const { protections } = riscv64Linux({ svpbmt: false });
    const encoded = Object.entries(protections).map(([name, one]) => [name, hex(plain.encode(one, 3))]);
    expect(Object.fromEntries(encoded)).toEqual({
      ...linux,
      IOREMAP: '0x00000000000000e7',
      IOREMAP_WC: '0x00000000000000e7',
    });
  });
});
