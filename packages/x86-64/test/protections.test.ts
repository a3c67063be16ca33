import { kindOf } from '@vmarea/conformance';
import { type MemoryType, type Protection, protection, toBigint, words } from '@vmarea/core';
import { hex } from '@vmarea/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LINUX_PAT, memoryTypesOf, RESET_PAT, x8664, x8664Linux } from '../src/index.js';
import { PGD, PMD, PTE, PUD } from './support.js';

const format = x8664();

describe('encode', () => {
  const bit: [what: string, fields: Partial<Protection>, entry: string][] = [
    ['P alone', { execute: true, accessed: false }, '0x0000000000000001'],
    ['R/W', { execute: true, accessed: false, write: true, dirty: false }, '0x0000000000000003'],
    ['U/S', { execute: true, accessed: false, user: true }, '0x0000000000000005'],
    ['A', { execute: true }, '0x0000000000000021'],
    ['D', { execute: true, accessed: false, dirty: true }, '0x0000000000000041'],
    ['G', { execute: true, accessed: false, global: true }, '0x0000000000000101'],
    ['XD', { accessed: false }, '0x8000000000000001'],
    ['PWT', { execute: true, accessed: false, memory: 'write-combining' }, '0x0000000000000009'],
    ['PCD', { execute: true, accessed: false, memory: 'device' }, '0x0000000000000011'],
    ['PCD and PWT', { execute: true, accessed: false, memory: 'uncached' }, '0x0000000000000019'],
    ['PAT and PWT', { execute: true, accessed: false, memory: 'write-protected' }, '0x0000000000000089'],
    ['all three', { execute: true, accessed: false, memory: 'write-through' }, '0x0000000000000099'],
    ['software bits', { execute: true, accessed: false, extra: 0x07f0000000000e00n }, '0x07f0000000000e01'],
    ['key 15', { execute: true, accessed: false, extra: 15n << 59n }, '0x7800000000000001'],
    ['key 1', { execute: true, accessed: false, extra: 1n << 59n }, '0x0800000000000001'],
  ];
  test.each(bit)('puts %s into a 4 KiB leaf', (_, fields, entry) => {
    expect(hex(format.encode(protection(fields), PTE))).toBe(entry);
  });

  test.each([
    ['normal', '0x80000000000000e3'],
    ['write-combining', '0x80000000000000eb'],
    ['device', '0x80000000000000f3'],
    ['uncached', '0x80000000000000fb'],
    ['write-protected', '0x80000000000010eb'],
    ['write-through', '0x80000000000010fb'],
  ] as [MemoryType, string][])('%s memory has PAT at bit 12 in larger leaves', (memory, entry) => {
    for (const level of [PUD, PMD]) {
      expect(hex(format.encode(protection({ write: true, memory }), level))).toBe(entry);
    }
  });

  test('takes the encryption bit from extra', () => {
    const encrypted = x8664({ encryptionBit: 51, paBits: 46 });
    const secret = protection({ write: true, global: true, extra: 1n << 51n });
    expect(hex(encrypted.encode(secret, PTE))).toBe('0x8008000000000163');
    expect(hex(encrypted.encode(secret, PMD))).toBe('0x80080000000001e3');
    expect(encrypted.decode(words(0x8008000012345163n), PTE)).toEqual(secret);
  });

  const refused: [what: string, fields: Partial<Protection>, level: number, message: string][] = [
    ['a protection without read', { read: false }, PTE, 'read is false'],
    ['tagged memory', { memory: 'tagged' }, PTE, 'memory is tagged, which the PAT does not have'],
    ['P in extra', { extra: 1n }, PTE, 'extra has the bits 0x1,'],
    ['A and D in extra', { extra: 0x60n }, PTE, 'extra has the bits 0x60,'],
    ['G in extra', { extra: 0x100n }, PTE, 'extra has the bits 0x100,'],
    ['NX in extra', { extra: 1n << 63n }, PTE, 'extra has the bits 0x8000000000000000,'],
    ['an address in extra', { extra: 0x000ffffffffff000n }, PTE, 'extra has the bits 0xffffffffff000,'],
    ['PAT of large leaves in extra', { extra: 0x1000n }, PMD, 'extra has the bits 0x1000,'],
    ['a 65th bit in extra', { extra: 1n << 64n }, PTE, 'extra has the bits'],
    ['a negative extra', { extra: -1n }, PTE, 'extra has the bits'],
    [
      'caching bits of another type',
      { extra: 0x10n },
      PTE,
      'the caching bits 0x10, which mean device, not normal',
    ],
    ['a leaf in the PGD', {}, PGD, 'level 0 has no leaves; use 1 (PUD), 2 (PMD), 3 (PTE)'],
    ['a leaf below the PTE', {}, 4, 'level 4 has no leaves'],
  ];
  test.each(refused)('refuses %s', (_, fields, level, message) => {
    const encode = () => format.encode(protection(fields), level);
    expect(encode).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(encode).toThrow(message);
  });

  test('refuses a page that is not executable without NXE', () => {
    const plain = x8664({ nxe: false });
    expect(() => plain.encode(protection(), PTE)).toThrow('execute is false');
    expect(hex(plain.encode(protection({ execute: true }), PTE))).toBe('0x0000000000000021');
  });

  test('refuses a leaf in the PUD without 1 GiB leaves', () => {
    expect(() => x8664({ page1g: false }).encode(protection(), PUD)).toThrow('level 1 has no leaves');
  });
});

describe('memory types', () => {
  test.each([
    [LINUX_PAT, 'normal write-combining device uncached normal write-protected device write-through'],
    [RESET_PAT, 'normal write-through device uncached normal write-through device uncached'],
  ])('follow from IA32_PAT %s', (pat, types) => {
    expect(memoryTypesOf(pat).join(' ')).toBe(types);
  });

  test('are decoded from each of the eight PAT indexes', () => {
    const types = memoryTypesOf(LINUX_PAT);
    for (const [index, type] of types.entries()) {
      const low = BigInt(((index & 3) << 3) | 0x63);
      const pat = BigInt(index >> 2);
      expect(format.decode(words(low | (pat << 7n)), PTE).memory, `4 KiB, ${index}`).toBe(type);
      expect(format.decode(words(low | 0x80n | (pat << 12n)), PMD).memory, `2 MiB, ${index}`).toBe(type);
      expect(format.decode(words(low | 0x80n | (pat << 12n)), PUD).memory, `1 GiB, ${index}`).toBe(type);
    }
  });

  test('with two PAT indexes keep the second in extra, as bits of a 4 KiB leaf', () => {
    expect(format.decode(words(0xe3n), PTE).extra).toBe(0x80n);
    expect(format.decode(words(0x10e3n), PMD).extra).toBe(0x80n);
    expect(format.decode(words(0xf3n), PTE).extra).toBe(0x90n);
    expect(format.decode(words(0x73n), PTE).extra).toBe(0n);
    const second = protection({ write: true, execute: true, extra: 0x80n });
    expect(hex(format.encode(second, PTE))).toBe('0x00000000000000e3');
    expect(hex(format.encode(second, PUD))).toBe('0x00000000000010e3');
  });

  test('of a format are those of its PAT and no others', () => {
    expect(format.memoryTypes).toEqual([
      'normal',
      'write-combining',
      'device',
      'uncached',
      'write-protected',
      'write-through',
    ]);
    const reset = x8664({ pat: RESET_PAT });
    expect(reset.memoryTypes).toEqual(['normal', 'write-through', 'device', 'uncached']);
    expect(hex(reset.encode(protection({ memory: 'write-through' }), PTE))).toBe('0x8000000000000029');
    expect(() => reset.encode(protection({ memory: 'write-combining' }), PTE)).toThrow(
      'it has normal, write-through, device, uncached',
    );
  });
});

describe('decode', () => {
  test('loses no bit of an entry that breaks no rule', () => {
    const patNumber = fc.constantFrom(0n, 1n, 4n, 5n, 6n, 7n);
    const machine = fc.record({
      paBits: fc.integer({ min: 32, max: 52 }),
      nxe: fc.boolean(),
      encrypted: fc.option(fc.integer({ min: 0, max: 19 })),
      pat: fc.tuple(...Array.from({ length: 8 }, () => patNumber)),
    });
    const run = fc.property(
      machine,
      fc.constantFrom(PUD, PMD, PTE),
      fc.bigInt(0n, 2n ** 64n - 1n),
      (m, level, raw) => {
        const encryptionBit = m.encrypted === null ? undefined : Math.min(51, m.paBits + m.encrypted);
        const ownsBit = encryptionBit !== undefined && encryptionBit >= m.paBits;
        const subject = x8664({
          paBits: m.paBits,
          nxe: m.nxe,
          pat: m.pat.reduce<bigint>((all, number, i) => all | (number << BigInt(8 * i)), 0n),
          ...(ownsBit ? { encryptionBit } : {}),
        });
        const size = { [PUD]: 30n, [PMD]: 21n, [PTE]: 12n }[level] as bigint;
        const address = ((1n << 52n) - (1n << size)) & ((1n << BigInt(m.paBits)) - 1n);
        // Make the random bits a valid leaf: present, large where it must be, no reserved bit.
        let entry = raw | 1n;
        if (level !== PTE) entry = (entry | 0x80n) & ~((1n << size) - (1n << 13n));
        const secret = ownsBit ? 1n << BigInt(encryptionBit) : 0n;
        entry &= ~(((((1n << 52n) - 1n) >> BigInt(m.paBits)) << BigInt(m.paBits)) & ~secret);
        if (!m.nxe) entry &= ~(1n << 63n);
        expect(kindOf(subject, level, entry)).toBe('leaf');

        const back = subject.encode(subject.decode(words(entry), level), level);
        expect(hex(back)).toBe(hex(entry & ~address));
      },
    );
    fc.assert(run, { numRuns: 3000 });
  });

  test('gives back every protection that encode accepts', () => {
    const any = fc.record({
      read: fc.constant(true),
      write: fc.boolean(),
      execute: fc.boolean(),
      user: fc.boolean(),
      global: fc.boolean(),
      memory: fc.constantFrom(...format.memoryTypes),
      accessed: fc.boolean(),
      dirty: fc.boolean(),
      extra: fc.bigInt(0n, 2n ** 64n - 1n).map((raw) => raw & 0x7ff0000000000e00n),
    });
    const run = fc.property(any, fc.constantFrom(PUD, PMD, PTE), (wanted, level) => {
      expect(format.decode(format.encode(wanted, level), level)).toEqual(wanted);
    });
    fc.assert(run, { numRuns: 2000 });
  });
});

describe('change', () => {
  const none = protection({ accessed: false });
  const all = protection({
    write: true,
    execute: true,
    user: true,
    global: true,
    accessed: false,
    dirty: false,
  });

  test.each([
    // From a leaf with P alone, and from one with every bit: a protection sets the bits that differ.
    ['PTE', PTE, 0x1n, '0xf80000000000019f'],
    ['PMD', PMD, 0x81n, '0xf80000000000119f'],
    ['PUD', PUD, 0x81n, '0xf80000000000119f'],
  ])(
    'of a %s leaf never changes A, software bits or the address, and never sets D',
    (_, level, empty, owned) => {
      const ones = (1n << 64n) - 1n;
      const keyed = { ...all, extra: 0x7800000000000000n, memory: 'uncached' as const };
      const raised = toBigint(format.change(words(empty), keyed, level));
      const lowered = toBigint(format.change(words(ones), none, level));
      const unowned = ones & ~BigInt(owned);
      expect(hex(raised & unowned)).toBe(hex(empty & unowned));
      // Removing all permissions clears RW, and D with it.
      expect(hex(lowered & unowned)).toBe(hex(unowned & ~0x40n));
    },
  );

  test('sets the new protection and keeps the rest', () => {
    for (const [level, before] of [
      [PTE, 0xfff8000012345fffn],
      [PMD, 0xfff8000012201fffn],
    ] as const) {
      const wanted = protection({ write: true, memory: 'uncached', accessed: false, dirty: false });
      expect(format.decode(format.change(words(before), wanted, level), level)).toEqual(
        protection({
          write: true,
          memory: 'uncached',
          accessed: true,
          dirty: true,
          extra: before & 0x07f0000000000e00n,
        }),
      );
    }
  });

  test('clears D together with RW, as Linux does, and only then', () => {
    const { PAGE_KERNEL, PAGE_KERNEL_RO } = x8664Linux().protections;
    const changed = (before: bigint, wanted: Protection) =>
      hex(toBigint(format.change(words(before), wanted, PTE)));
    expect(changed(0x8000000000005163n, PAGE_KERNEL_RO)).toBe('0x8000000000005121');
    expect(changed(0x8000000000005161n, PAGE_KERNEL_RO)).toBe('0x8000000000005161');
    expect(changed(0x8000000000005121n, PAGE_KERNEL)).toBe('0x8000000000005123');
  });

  test('refuses a leaf of the PGD', () => {
    expect(() => format.change(words(1n), none, PGD)).toThrow('level 0 has no leaves');
  });
});

describe('relevel', () => {
  test.each([
    ['2 MiB with PAT to 4 KiB', PMD, PTE, 0x80000000002011fbn, 0x80000000002001fbn],
    ['2 MiB without PAT to 4 KiB', PMD, PTE, 0x80000000002001fbn, 0x800000000020017bn],
    ['4 KiB with PAT to 2 MiB', PTE, PMD, 0x80000000002001fbn, 0x80000000002011fbn],
    ['4 KiB without PAT to 1 GiB', PTE, PUD, 0x8000000040000163n, 0x80000000400001e3n],
    ['an unaligned 4 KiB leaf, whose bit 12 is no PAT', PTE, PMD, 0x1163n, 0x1e3n],
    ['1 GiB to 2 MiB', PUD, PMD, 0x80000000400011e3n, 0x80000000400011e3n],
    ['4 KiB to 4 KiB', PTE, PTE, 0x80000000002011fbn, 0x80000000002011fbn],
    ['key and software bits', PMD, PTE, 0xfff0000000200fe3n, 0xfff0000000200f63n],
  ])('converts %s', (_, from, to, before, after) => {
    expect(hex(format.relevel(words(before), from, to))).toBe(hex(after));
  });

  test('keeps the protection, and gives the same leaf back on the way back', () => {
    const run = fc.property(fc.bigInt(0n, 2n ** 64n - 1n), fc.constantFrom(PUD, PMD), (raw, level) => {
      const large = words((raw & ~0x3fffe000n) | 0x81n);
      const small = format.relevel(large, level, PTE);
      expect(format.decode(small, PTE)).toEqual(format.decode(large, level));
      expect(hex(format.relevel(small, PTE, level))).toBe(hex(toBigint(large)));
    });
    fc.assert(run, { numRuns: 500 });
  });
});

describe('touch', () => {
  test.each([
    ['a table that is read', 'table', 'read', 0x1007n, 0x1027n],
    ['a table on the path of a write', 'table', 'write', 0x1007n, 0x1027n],
    ['a leaf that is read', 'leaf', 'read', 0x8000000000001003n, 0x8000000000001023n],
    ['a leaf that is executed', 'leaf', 'execute', 0x1003n, 0x1023n],
    ['a leaf that is written', 'leaf', 'write', 0x8000000000001003n, 0x8000000000001063n],
  ] as const)('marks %s', (_, kind, access, before, after) => {
    expect(
      hex(
        format.touch(
          words(before),
          kind === 'leaf' ? PTE : PMD,
          kind,
          { kind: access, user: false },
          format.controls,
        ),
      ),
    ).toBe(hex(after));
  });
});

test('needsBreak is false for every change between valid entries', () => {
  expect(format.needsBreak(words(0x2001e3n), words(0x1067n), PMD)).toBe(false);
  expect(format.needsBreak(words(0x1163n), words(0x2163n), PTE)).toBe(false);
});
