import { kindOf } from '@vmarea/conformance';
import { classify, validateFormat, words } from '@vmarea/core';
import { hex } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { ARM64_BITS, type Arm64Options, arm64, configurations } from '../src/index.js';

test('the bits of a descriptor have the positions of the manual', () => {
  const bits = Object.fromEntries(Object.entries(ARM64_BITS).map(([name, value]) => [name, hex(value)]));
  expect(bits).toEqual({
    VALID: '0x0000000000000001',
    TYPE: '0x0000000000000003',
    ATTR_INDX: '0x000000000000001c',
    NS: '0x0000000000000020',
    AP_USER: '0x0000000000000040',
    AP_READ_ONLY: '0x0000000000000080',
    SH: '0x0000000000000300',
    AF: '0x0000000000000400',
    NG: '0x0000000000000800',
    NT: '0x0000000000010000',
    GP: '0x0004000000000000',
    DBM: '0x0008000000000000',
    CONTIGUOUS: '0x0010000000000000',
    PXN: '0x0020000000000000',
    UXN: '0x0040000000000000',
    SOFTWARE: '0x0780000000000000',
    SOFTWARE_DIRTY: '0x0080000000000000',
    PO_INDEX: '0x7000000000000000',
    PXN_TABLE: '0x0800000000000000',
    UXN_TABLE: '0x1000000000000000',
    AP_TABLE_NO_USER: '0x2000000000000000',
    AP_TABLE_READ_ONLY: '0x4000000000000000',
    NS_TABLE: '0x8000000000000000',
  });
});

/** Levels as text: name, log2 bytes, index bits, the kinds of entries, leaves of a run. */
function shown(options: Arm64Options): string[] {
  return arm64(options).levels.map(({ name, shift, bits, table, leaf, run }) => {
    const kinds = `${table === null ? '-' : 'T'}${leaf === null ? '-' : 'L'}`;
    return `${name} ${shift} ${bits} ${kinds} ${run?.entries ?? '-'}`;
  });
}

describe('levels', () => {
  test.each([
    ['4K, 39', { granule: 4, vaBits: 39 }, ['PGD 30 9 TL 16', 'PMD 21 9 TL 16', 'PTE 12 9 -L 16']],
    [
      '4K, 48',
      { granule: 4, vaBits: 48 },
      ['PGD 39 9 T- -', 'PUD 30 9 TL 16', 'PMD 21 9 TL 16', 'PTE 12 9 -L 16'],
    ],
    [
      '4K, 48, DS = 1: a block at level 0',
      { granule: 4, vaBits: 48, outputBits: 52 },
      ['PGD 39 9 TL -', 'PUD 30 9 TL 16', 'PMD 21 9 TL 16', 'PTE 12 9 -L 16'],
    ],
    [
      '4K, 52: level −1',
      { granule: 4, vaBits: 52 },
      ['PGD 48 4 T- -', 'P4D 39 9 TL -', 'PUD 30 9 TL 16', 'PMD 21 9 TL 16', 'PTE 12 9 -L 16'],
    ],
    ['16K, 36', { granule: 16, vaBits: 36 }, ['PGD 25 11 TL 32', 'PTE 14 11 -L 128']],
    ['16K, 47', { granule: 16, vaBits: 47 }, ['PGD 36 11 T- -', 'PMD 25 11 TL 32', 'PTE 14 11 -L 128']],
    [
      '16K, 48: a root of two entries',
      { granule: 16, vaBits: 48 },
      ['PGD 47 1 T- -', 'PUD 36 11 T- -', 'PMD 25 11 TL 32', 'PTE 14 11 -L 128'],
    ],
    [
      '16K, 52: a block at level 1',
      { granule: 16, vaBits: 52 },
      ['PGD 47 5 T- -', 'PUD 36 11 TL -', 'PMD 25 11 TL 32', 'PTE 14 11 -L 128'],
    ],
    ['64K, 42', { granule: 64, vaBits: 42 }, ['PGD 29 13 TL 32', 'PTE 16 13 -L 32']],
    ['64K, 48', { granule: 64, vaBits: 48 }, ['PGD 42 6 T- -', 'PMD 29 13 TL 32', 'PTE 16 13 -L 32']],
    [
      '64K, 52 without LPA',
      { granule: 64, vaBits: 52, outputBits: 48 },
      ['PGD 42 10 T- -', 'PMD 29 13 TL 32', 'PTE 16 13 -L 32'],
    ],
    [
      '64K, 52 with LPA: a block at level 1',
      { granule: 64, vaBits: 52, outputBits: 52 },
      ['PGD 42 10 TL -', 'PMD 29 13 TL 32', 'PTE 16 13 -L 32'],
    ],
    // The smallest: a root with too few entries for a run has none.
    ['4K, 16', { granule: 4, vaBits: 16 }, ['PTE 12 4 -L 16']],
    ['4K, 22', { granule: 4, vaBits: 22 }, ['PGD 21 1 TL -', 'PTE 12 9 -L 16']],
    ['4K, 25', { granule: 4, vaBits: 25 }, ['PGD 21 4 TL 16', 'PTE 12 9 -L 16']],
    ['4K, 31', { granule: 4, vaBits: 31 }, ['PGD 30 1 TL -', 'PMD 21 9 TL 16', 'PTE 12 9 -L 16']],
    [
      '4K, 49',
      { granule: 4, vaBits: 49 },
      ['PGD 48 1 T- -', 'P4D 39 9 TL -', 'PUD 30 9 TL 16', 'PMD 21 9 TL 16', 'PTE 12 9 -L 16'],
    ],
    ['16K, 16', { granule: 16, vaBits: 16 }, ['PTE 14 2 -L -']],
    ['16K, 21', { granule: 16, vaBits: 21 }, ['PTE 14 7 -L 128']],
    ['64K, 17', { granule: 64, vaBits: 17 }, ['PTE 16 1 -L -']],
    ['64K, 21', { granule: 64, vaBits: 21 }, ['PTE 16 5 -L 32']],
    ['without runs', { granule: 16, vaBits: 36, contiguous: false }, ['PGD 25 11 TL -', 'PTE 14 11 -L -']],
  ] as [string, Arm64Options, string[]][])('%s', (_, options, levels) => {
    expect(shown(options)).toEqual(levels);
  });

  test('every TnSZ that the architecture allows makes a valid format, in both halves', () => {
    let formats = 0;
    for (const granule of [4, 16, 64] as const) {
      for (const outputBits of [48, 52] as const) {
        const most = granule === 64 || outputBits === 52 ? 52 : 48;
        for (let vaBits = granule === 64 ? 17 : 16; vaBits <= most; vaBits++) {
          for (const half of ['ttbr0', 'ttbr1'] as const) {
            const format = arm64({ granule, vaBits, outputBits, half });
            expect(validateFormat(format)).toBeUndefined();
            expect(format.range).toEqual({ bits: vaBits, upper: half === 'ttbr0' ? 'zeros' : 'ones' });
            formats++;
          }
        }
      }
    }
    expect(formats).toBe(2 * (33 + 37 + 33 + 37 + 36 + 36));
  });
});

describe('the output address', () => {
  test.each([
    [{ granule: 4, vaBits: 48 }, [[12, 12, 36]]],
    [{ granule: 16, vaBits: 48 }, [[14, 14, 34]]],
    [{ granule: 64, vaBits: 48 }, [[16, 16, 32]]],
    [
      { granule: 4, vaBits: 52 },
      [
        [12, 12, 38],
        [8, 50, 2],
      ],
    ],
    [
      { granule: 16, vaBits: 52 },
      [
        [14, 14, 36],
        [8, 50, 2],
      ],
    ],
    [
      { granule: 64, vaBits: 52, outputBits: 52 },
      [
        [16, 16, 32],
        [12, 48, 4],
      ],
    ],
  ] as [Arm64Options, number[][]][])('%o', (options, fields) => {
    expect(arm64(options).address.map((f) => [f.entryBit, f.paBit, f.width])).toEqual(fields);
  });
});

describe('kinds of entries', () => {
  const k4: Arm64Options = { granule: 4, vaBits: 48 };
  const lpa2: Arm64Options = { granule: 4, vaBits: 48, outputBits: 52 };
  const k64: Arm64Options = { granule: 64, vaBits: 48 };
  const cases: [what: string, options: Arm64Options, level: number, entry: bigint, kind: string][] = [
    ['nothing', k4, 3, 0n, 'none'],
    ['all bits but valid', k4, 3, 0xfffffffffffffffen, 'absent'],
    ['a PROT_NONE entry (nG with valid clear)', k4, 3, 0x00e0000041dfe800n, 'absent'],
    ['a table at level 0', k4, 0, 0x1000000000001403n, 'table'],
    ['a block at level 0', k4, 0, 0x0068000000000701n, 'reserved'],
    ['a block at level 0 with DS = 1', lpa2, 0, 0x0068000000000401n, 'leaf'],
    ['a table at level 1', k4, 1, 0x1000000000001403n, 'table'],
    ['a block at level 1', k4, 1, 0x0068000040000701n, 'leaf'],
    ['a block at level 2', k4, 2, 0x0068000000200701n, 'leaf'],
    ['a page', k4, 3, 0x0068000000001703n, 'leaf'],
    ['0b01 at level 3', k4, 3, 0x0068000000001701n, 'reserved'],
    ['a block at level 1 of the 64K granule', k64, 0, 0x0068000000000701n, 'reserved'],
    ['the same with LPA', { ...k64, outputBits: 52 }, 0, 0x0068000000000701n, 'leaf'],
    ['the same with LPA and shorter addresses', { ...k64, lpa: true }, 0, 0x0068000000000701n, 'leaf'],
    ['bits 15:12 of a page of the 64K granule without LPA', k64, 2, 0x006800000001f703n, 'leaf'],
    ['a block at level 1 of the 16K granule', { granule: 16, vaBits: 47 }, 0, 0x701n, 'reserved'],
    ['the same with DS = 1', { granule: 16, vaBits: 47, outputBits: 52 }, 0, 0x401n, 'leaf'],
    ['nT in a block', k4, 2, 0x0068000000210701n, 'leaf'],
    ['RES0 bits below the address of a block', k4, 2, 0x00680000003fe701n, 'leaf'],
    ['bits 49:48 without DS', k4, 3, 0x006b000000001703n, 'leaf'],
    ['all ignored bits of a table entry', k4, 1, 0xf7f8000000001ffbn | 3n, 'table'],
  ];
  test.each(cases)('%s', (_, options, level, entry, kind) => {
    const format = arm64(options);
    expect(kindOf(format, level, entry)).toBe(kind);
    const inCore = classify(format.present, format.levels[level] as never, words(entry));
    expect(inCore).toBe(kind);
  });

  test.each([
    [{ granule: 4, vaBits: 48, paBits: 40 }, 0x0000008000000000n, 0x0000010000000000n],
    [{ granule: 4, vaBits: 48, paBits: 47 }, 0x0000400000000000n, 0x0000800000000000n],
    [{ granule: 16, vaBits: 47, paBits: 36 }, 0x0000000800000000n, 0x0000001000000000n],
    [{ granule: 4, vaBits: 52, paBits: 48 }, 0x0000800000000000n, 0x0001000000000000n],
    [{ granule: 4, vaBits: 52, paBits: 50 }, 0x0002000000000000n, 0x0000000000000100n],
    [{ granule: 16, vaBits: 52, paBits: 51 }, 0x0000000000000100n, 0x0000000000000200n],
    [{ granule: 64, vaBits: 52, outputBits: 52, paBits: 48 }, 0x0000800000000000n, 0x0000000000001000n],
    [{ granule: 64, vaBits: 52, lpa: true }, 0x0000800000000000n, 0x0000000000001000n],
    [{ granule: 64, vaBits: 52, lpa: true, paBits: 40 }, 0x0000008000000000n, 0x0000000000008000n],
    [{ granule: 64, vaBits: 52, outputBits: 52, paBits: 51 }, 0x0000000000004000n, 0x0000000000008000n],
  ] as [Arm64Options, bigint, bigint][])(
    '%o: an address beyond is an Address size fault',
    (options, fits, beyond) => {
      const format = arm64(options);
      const last = format.levels.length - 1;
      for (const [level, entry] of [
        [last, 0x403n],
        [last - 1, 0x401n],
        [last - 1, 0x403n],
        [0, 0x403n],
      ] as const) {
        const kind = level === last || entry === 0x401n ? 'leaf' : 'table';
        expect(kindOf(format, level, entry | fits)).toBe(kind);
        expect(kindOf(format, level, entry | beyond)).toBe('address-size');
      }
    },
  );
});

describe('formats', () => {
  test.each(['ttbr0', 'ttbr1'] as const)('table entries of %s are valid, and forbid nothing', (half) => {
    expect(hex(arm64({ granule: 4, vaBits: 48, half }).tableEntry)).toBe('0x0000000000000003');
  });

  test.each([
    [{ granule: 4, vaBits: 48 }, 'arm64-4k-48', 48],
    [{ granule: 4, vaBits: 52 }, 'arm64-4k-52', 52],
    [{ granule: 4, vaBits: 48, outputBits: 52 }, 'arm64-4k-48-oa52', 52],
    [{ granule: 64, vaBits: 52 }, 'arm64-64k-52-oa48', 48],
    [{ granule: 64, vaBits: 52, outputBits: 52 }, 'arm64-64k-52', 52],
    [{ granule: 16, vaBits: 47, half: 'ttbr0' }, 'arm64-16k-47-ttbr0', 48],
  ] as [Arm64Options, string, number][])('%o has a name and address bits', (options, name, paBits) => {
    expect(arm64(options)).toMatchObject({ name, paBits });
  });

  test('a format is frozen', () => {
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect(frozen(arm64({ granule: 4, vaBits: 52, paBits: 40 }))).toBe(true);
    expect(frozen(configurations)).toBe(true);
  });

  test.each([
    [{ granule: 8 as 4, vaBits: 48 }, 'granule is 8, expected 4, 16 or 64'],
    [{ granule: 4, vaBits: 15 }, 'vaBits is 15, expected 16 to 52'],
    [{ granule: 64, vaBits: 16 }, 'vaBits is 16, expected 17 to 52'],
    [{ granule: 4, vaBits: 53 }, 'vaBits is 53'],
    [{ granule: 4, vaBits: 40.5 }, 'vaBits is 40.5'],
    [{ granule: 16, vaBits: 49, outputBits: 48 }, 'it is 48 at most; more needs outputBits: 52 (LPA2)'],
    [{ granule: 4, vaBits: 48, outputBits: 50 as 48 }, 'outputBits is 50, expected 48 or 52'],
    [{ granule: 4, vaBits: 48, paBits: 49 }, 'paBits is 49, expected 32 to 48'],
    [{ granule: 4, vaBits: 48, paBits: 31 }, 'paBits is 31, expected 32 to 48'],
    [{ granule: 64, vaBits: 48, outputBits: 52, paBits: 53 }, 'paBits is 53, expected 32 to 52'],
    [{ granule: 4, vaBits: 48, half: 'both' as 'ttbr0' }, "half is 'both', expected ttbr0 or ttbr1"],
    [{ granule: 4, vaBits: 48, mair: 0x10n }, 'MAIR attribute 0 is 0x10'],
  ] as [Arm64Options, string][])('%o is refused', (options, message) => {
    expect(() => arm64(options)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => arm64(options)).toThrow(message);
  });
});

describe('configurations', () => {
  test('are twelve, with and without runs, all of the upper half', () => {
    expect(configurations.map(({ name }) => name)).toEqual([
      'arm64-4k-48',
      'arm64-4k-48-cont',
      'arm64-4k-52',
      'arm64-4k-52-cont',
      'arm64-16k-47',
      'arm64-16k-47-cont',
      'arm64-16k-52',
      'arm64-16k-52-cont',
      'arm64-64k-48',
      'arm64-64k-48-cont',
      'arm64-64k-52',
      'arm64-64k-52-cont',
    ]);
    expect(new Set(configurations.map(({ title }) => title)).size).toBe(12);
    for (const { name, format } of configurations) {
      expect(format.range.upper).toBe('ones');
      expect(format.levels.some(({ run }) => run !== null)).toBe(name.endsWith('-cont'));
      expect(format.paBits).toBe(name.includes('-52') ? 52 : 48);
    }
  });

  test('list a run size only if they have runs', () => {
    expect(configurations.map(({ linux }) => linux.leaves.ioremap)).toEqual([
      [12, 21, 30],
      [12, 16, 21, 30],
      [12, 21, 30],
      [12, 16, 21, 30],
      [14, 25],
      [14, 21, 25],
      [14, 25],
      [14, 21, 25],
      [16, 29],
      [16, 21, 29],
      [16, 29],
      [16, 21, 29],
    ]);
  });
});
