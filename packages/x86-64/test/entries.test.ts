import { kindOf } from '@vmarea/conformance';
import { protection, validateFormat } from '@vmarea/core';
import { hex } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { X86_BITS, type X8664Options, x86Format, x8664 } from '../src/index.js';
import { PGD, PMD, PTE, PUD } from './support.js';

const format = x8664();

test('the bits of an entry have the positions of the manual', () => {
  const bits = Object.fromEntries(Object.entries(X86_BITS).map(([name, value]) => [name, hex(value)]));
  expect(bits).toEqual({
    P: '0x0000000000000001',
    RW: '0x0000000000000002',
    US: '0x0000000000000004',
    PWT: '0x0000000000000008',
    PCD: '0x0000000000000010',
    A: '0x0000000000000020',
    D: '0x0000000000000040',
    PS: '0x0000000000000080',
    PAT: '0x0000000000000080',
    G: '0x0000000000000100',
    SOFTWARE: '0x0000000000000e00',
    PAT_LARGE: '0x0000000000001000',
    ADDRESS: '0x000ffffffffff000',
    SOFTWARE_HIGH: '0x07f0000000000000',
    PKEY: '0x7800000000000000',
    NX: '0x8000000000000000',
  });
});

describe('x8664', () => {
  test('has four levels of nine bits over 4 KiB pages, and 48-bit canonical addresses', () => {
    expect(format.levels.map(({ name, shift, bits }) => [name, shift, bits])).toEqual([
      ['PGD', 39, 9],
      ['PUD', 30, 9],
      ['PMD', 21, 9],
      ['PTE', 12, 9],
    ]);
    expect(format.pageShift).toBe(12);
    expect(format.range).toEqual({ bits: 48, upper: 'sign' });
    expect(format.levels.map((level) => level.run)).toEqual([null, null, null, null]);
  });

  test('has the address in bits 51:12, up to paBits', () => {
    expect(format.address).toEqual([{ entryBit: 12, paBit: 12, width: 40 }]);
    expect(x8664({ paBits: 36 }).address).toEqual([{ entryBit: 12, paBit: 12, width: 24 }]);
    expect(x8664({ paBits: 36 }).paBits).toBe(36);
  });

  test('has _PAGE_TABLE as table entry, with the encryption bit if there is one', () => {
    expect(hex(format.tableEntry)).toBe('0x0000000000000067');
    expect(hex(x8664({ encryptionBit: 47 }).tableEntry)).toBe('0x0000800000000067');
    expect(hex(x8664({ paBits: 51, sharedBit: 51 }).tableEntry)).toBe('0x0000000000000067');
  });

  test('gives a deeply frozen format', () => {
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect(frozen(format)).toBe(true);
    expect(frozen(protection())).toBe(true);
  });
});

describe('an entry', () => {
  const cases: [what: string, level: number, entry: bigint, kind: string, options?: X8664Options][] = [
    ['0', PTE, 0n, 'none'],
    ['all bits but P', PTE, 0xfffffffffffffffen, 'absent'],
    ['an inverted swap entry', PTE, 0x7ffffffffffd5200n, 'absent'],
    ['a PROT_NONE entry (bit 8 with P clear)', PTE, 0x8000000142ac4160n, 'absent'],
    ['a PGD table', PGD, 0x1067n, 'table'],
    ['a PUD table', PUD, 0x1067n, 'table'],
    ['a PMD table', PMD, 0x1067n, 'table'],
    ['a PTE leaf', PTE, 0x8000000000001163n, 'leaf'],
    ['a PTE leaf whose bit 7 is PAT', PTE, 0x10e3n, 'leaf'],
    ['a 2 MiB leaf', PMD, 0x2001e3n, 'leaf'],
    ['a 2 MiB leaf with PAT at bit 12', PMD, 0x2011e3n, 'leaf'],
    ['a 1 GiB leaf', PUD, 0x400001e3n, 'leaf'],
    ['a 1 GiB leaf with PAT at bit 12', PUD, 0x400011e3n, 'leaf'],
    ['PS in the PGD', PGD, 0x10e7n, 'reserved'],
    ['a misaligned 2 MiB leaf (bit 13)', PMD, 0x2021e3n, 'reserved'],
    ['a misaligned 2 MiB leaf (bit 20)', PMD, 0x3001e3n, 'reserved'],
    ['a misaligned 1 GiB leaf (bit 13)', PUD, 0x400021e3n, 'reserved'],
    ['a misaligned 1 GiB leaf (bit 29)', PUD, 0x600001e3n, 'reserved'],
    ['a table at the first misaligned bit of a leaf', PMD, 0x2067n, 'table'],
    ['a 1 GiB leaf without 1 GiB leaves', PUD, 0x400001e3n, 'reserved', { page1g: false }],
    ['a PUD table without 1 GiB leaves', PUD, 0x1067n, 'table', { page1g: false }],
    ['a 2 MiB leaf without 1 GiB leaves', PMD, 0x2001e3n, 'leaf', { page1g: false }],
    ['NX in a leaf without NXE', PTE, 0x8000000000001163n, 'reserved', { nxe: false }],
    ['NX in a table entry', PGD, 0x8000000000001067n, 'table'],
    ['NX in a table entry without NXE', PGD, 0x8000000000001067n, 'reserved', { nxe: false }],
    ['software bits and key everywhere', PTE, 0x7ff0000000001e63n, 'leaf', { nxe: false }],
    ['software bits and key in a table entry', PMD, 0x7ff0000000001e67n, 'table', { nxe: false }],
    ['G in the PGD on Intel', PGD, 0x1167n, 'table'],
    ['G in the PGD on AMD', PGD, 0x1167n, 'reserved', { vendor: 'amd' }],
    ['G in a PUD table on AMD', PUD, 0x1167n, 'table', { vendor: 'amd' }],
    ['G in a PMD table on AMD', PMD, 0x1167n, 'table', { vendor: 'amd' }],
    ['the encryption bit in a leaf', PTE, 0x0000800000001163n, 'leaf', { encryptionBit: 47 }],
    ['the shared bit in a leaf', PTE, 0x0008000000001163n, 'leaf', { sharedBit: 51 }],
    ['the shared bit in a block', PMD, 0x00080000002001e3n, 'leaf', { sharedBit: 51 }],
    ['the shared bit in a table entry', PUD, 0x0008000000001067n, 'reserved', { sharedBit: 51 }],
    ['the encryption bit in a table entry', PUD, 0x0000800000001067n, 'table', { encryptionBit: 47 }],
    ['the bit above the encryption bit', PTE, 0x0001000000001163n, 'reserved', { encryptionBit: 47 }],
    ['the bit below the encryption bit', PTE, 0x0000400000001163n, 'leaf', { encryptionBit: 47 }],
    [
      'the bit below, reduced address',
      PTE,
      0x0000400000001163n,
      'reserved',
      { encryptionBit: 47, paBits: 43 },
    ],
  ];

  test.each(cases)('is of the right kind: %s', (_, level, entry, kind, options) => {
    expect(kindOf(x8664(options), level, entry)).toBe(kind);
  });

  test.each([32, 36, 39, 46, 51, 52])(
    'reserves the address bits from %i up to 51 with as many physical address bits',
    (paBits) => {
      const narrow = x8664({ paBits });
      const examples = [
        [PGD, 0x67n, 'table'],
        [PUD, 0x67n, 'table'],
        [PUD, 0xe7n, 'leaf'],
        [PMD, 0x67n, 'table'],
        [PMD, 0xe7n, 'leaf'],
        [PTE, 0x67n, 'leaf'],
      ] as const;
      for (const [level, entry, kind] of examples) {
        for (let bit = 30; bit < 64; bit++) {
          const isReserved = bit >= paBits && bit <= 51;
          const found = kindOf(narrow, level, entry | (1n << BigInt(bit)));
          expect(found, `level ${level}, bit ${bit}`).toBe(isReserved ? 'reserved' : kind);
        }
      }
    },
  );

  test('faults as reserved for every broken rule', () => {
    const rules = x8664({ paBits: 40, nxe: false, page1g: false, vendor: 'amd' }).levels.flatMap((level) => [
      ...(level.table?.rules ?? []),
      ...(level.leaf?.rules ?? []),
    ]);
    expect(rules.length).toBeGreaterThan(0);
    expect(rules.every((rule) => rule.fault === 'reserved' && rule.must === 'equal')).toBe(true);
  });
});

describe('the options of x8664', () => {
  test.each([
    [{ paBits: 31 }, 'paBits is 31, expected 32 to 52'],
    [{ paBits: 53 }, 'paBits is 53, expected 32 to 52'],
    [{ paBits: 40.5 }, 'paBits is 40.5'],
    [{ encryptionBit: 47, paBits: 48 }, 'encryptionBit is 47, expected paBits (48) to 51'],
    [{ encryptionBit: 52 }, 'encryptionBit is 52, expected 32 to 51'],
    [{ sharedBit: 47, paBits: 48 }, 'sharedBit is 47, expected paBits (48) to 51'],
    [{ encryptionBit: 47, sharedBit: 47 }, 'encryptionBit and sharedBit are both given'],
    [{ encryptionBit: 52, paBits: 48 }, 'encryptionBit is 52, expected 32 to 51'],
    [{ encryptionBit: 31 }, 'encryptionBit is 31, expected 32 to 51'],
    [{ vendor: 'via' as 'amd' }, "vendor is 'via', expected intel or amd"],
    [{ pat: 0x0407050600070102n }, 'IA32_PAT entry 0 is 2, which is not a memory type'],
    [{ pat: 0x0307050600070106n }, 'IA32_PAT entry 7 is 3'],
    [{ pat: -1n }, 'pat is -1n, expected a bigint from 0 to 0xffffffffffffffff'],
  ] as [X8664Options, string][])('%o is refused', (options, message) => {
    expect(() => x8664(options)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => x8664(options)).toThrow(message);
  });
});

describe('x86Format with five levels', () => {
  const five = x86Format({ name: 'five', levels: ['PGD', 'P4D', 'PUD', 'PMD', 'PTE'] }, { vendor: 'amd' });

  test('adds a level on top and widens the canonical range', () => {
    expect(five.name).toBe('five');
    expect(five.range).toEqual({ bits: 57, upper: 'sign' });
    expect(five.levels.map(({ name, shift }) => [name, shift])).toEqual([
      ['PGD', 48],
      ['P4D', 39],
      ['PUD', 30],
      ['PMD', 21],
      ['PTE', 12],
    ]);
    expect(five.levels.slice(1)).toEqual(
      x8664({ vendor: 'amd' }).levels.map((level, i) => (i === 0 ? { ...level, name: 'P4D' } : level)),
    );
    expect(validateFormat(five)).toBeUndefined();
  });

  test('has no leaves in the two upper levels; AMD reserves bit 8 in both', () => {
    for (const level of [0, 1]) {
      expect(kindOf(five, level, 0x1067n)).toBe('table');
      expect(kindOf(five, level, 0x10e7n)).toBe('reserved');
      expect(kindOf(five, level, 0x1167n)).toBe('reserved');
      expect(() => five.encode(protection(), level)).toThrow(`level ${level} has no leaves`);
    }
    expect(hex(five.encode(protection({ write: true, global: true }), 4))).toBe('0x8000000000000163');
  });
});
