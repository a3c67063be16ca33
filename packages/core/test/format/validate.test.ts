import type { Level, PageTableFormat, Shape } from '@vmarea/core';
import { VmError, validateFormat, words, ZERO } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../formats/arm64.js';
import { riscv64 } from '../formats/riscv64.js';

const good = arm64({ granule: 4, vaBits: 48 });
const [root, pud, pmd, pte] = good.levels as [Level, Level, Level, Level];
const table = root.table as Shape;
const contiguous = words(1n << 52n);

const run = (entries: number): Level['run'] => ({ entries, style: 'consecutive', set: contiguous });
const shape = (mask: bigint, value: bigint): Shape => ({
  match: { mask: words(mask), value: words(value) },
  rules: [],
});

describe('validateFormat refuses a format', () => {
  test.each<[string, Partial<PageTableFormat>, string]>([
    ['with a page size that no allocator has', { pageShift: 13 }, 'pageShift is 13, expected 12, 14 or 16'],
    ['with physical addresses of 12 bits', { paBits: 12 }, 'paBits is 12, expected 13 to 56'],
    ['with physical addresses of 57 bits', { paBits: 57 }, 'paBits is 57'],
    ['with a fractional number of address bits', { paBits: 40.5 }, 'paBits is 40.5'],
    ['with six levels', { levels: [root, root, root, pud, pmd, pte] }, 'levels are 6, expected 1 to 5'],
    [
      'with a level below the root that fills no page',
      { levels: [root, pud, { ...pmd, bits: 8 }, pte] },
      'levels[2] (PMD) has 8 index bits, expected 9',
    ],
    [
      'when a level below the root is large',
      { levels: [root, pud, pmd, { ...pte, bits: 10 }] },
      'levels[3] (PTE) has 10 index bits, expected 9',
    ],
    [
      'with a root of one entry',
      { levels: [{ ...root, bits: 0 }, pud, pmd, pte] },
      'has 0 index bits, expected 1 to 13',
    ],
    [
      'with a root of 32 pages',
      { levels: [{ ...root, bits: 14 }, pud, pmd, pte] },
      'has 14 index bits, expected 1 to 13',
    ],
    [
      'without tables above the last level',
      { levels: [root, { ...pud, table: null }, pmd, pte] },
      'levels[1] (PUD) must have table entries unless it is the last',
    ],
    [
      'without leaves at the last level',
      { levels: [root, pud, pmd, { ...pte, leaf: null, run: null }] },
      'levels[3] (PTE) is the last and has no leaf',
    ],
    [
      'with an unknown kind of range',
      { range: { bits: 48, upper: 'both' as 'sign' } },
      "range.upper is 'both'",
    ],
    [
      'with a wrong number of address bits',
      { range: { bits: 49, upper: 'ones' } },
      'range.bits is 49, but the levels',
    ],
    [
      'with two address fields for the same bits',
      { address: [...good.address, ...good.address] },
      'two fields share a bit',
    ],
    [
      'with two entry fields for the same address bits',
      {
        address: [
          { entryBit: 12, paBit: 12, width: 20 },
          { entryBit: 32, paBit: 12, width: 20 },
        ],
      },
      'two fields share a bit',
    ],
    [
      'with no field for the highest address bit',
      { address: [{ entryBit: 12, paBit: 12, width: 35 }] },
      'address has no field for bit 47 of the physical address',
    ],
    [
      'with a table entry that is not present',
      { tableEntry: words(0x402n) },
      'tableEntry points to no table at level PGD',
    ],
    [
      'with a block for a table entry',
      { tableEntry: words(0x401n) },
      'tableEntry points to no table at level PGD',
    ],
    [
      'with a table entry that breaks a rule of one level',
      {
        levels: [
          {
            ...root,
            table: {
              ...table,
              rules: [{ mask: words(1n << 10n), value: words(1n << 10n), must: 'equal', fault: 'reserved' }],
            },
          },
          pud,
          pmd,
          pte,
        ],
      },
      'tableEntry points to no table at level PGD',
    ],
    [
      'with larger leaves than it could split',
      { levels: [root, pud, { ...pmd, leaf: null, run: null }, pte] },
      'levels[2] (PMD) has no leaf, but PUD above it has',
    ],
    [
      'with a run larger than its table',
      { levels: [root, pud, pmd, { ...pte, run: run(1024) }] },
      'levels[3] (PTE) has a run larger than its table',
    ],
    [
      'with a run of one entry',
      { levels: [root, pud, pmd, { ...pte, run: run(1) }] },
      'are not a power of two',
    ],
    [
      'with a run of no leaves',
      { levels: [{ ...root, run: run(16) }, pud, pmd, pte] },
      'has a run without a leaf',
    ],
    [
      'when every entry is present',
      { present: { mask: ZERO, value: ZERO } },
      'has a match or rule whose value lies outside its mask, or a match that 0 meets',
    ],
    [
      'when present is a value outside its mask',
      { present: { mask: words(1n), value: words(3n) } },
      'whose value lies outside its mask',
    ],
    [
      'when 0 is a leaf',
      {
        present: { mask: words(1n), value: ZERO },
        tableEntry: words(0x402n),
        levels: [root, pud, pmd]
          .map((level) => ({ ...level, table: shape(3n, 2n), leaf: null, run: null }))
          .concat([{ ...pte, leaf: shape(3n, 0n) } as never]),
      },
      'a match that 0 meets',
    ],
    [
      'when a leaf is told by other bits than present',
      { levels: [root, pud, pmd, { ...pte, leaf: shape(2n, 2n) }] },
      'that is not present',
    ],
    [
      'when a leaf is not present',
      { levels: [root, pud, pmd, { ...pte, leaf: shape(3n, 2n) }] },
      'that is not present',
    ],
    [
      'when a rule wants a value outside its mask',
      {
        levels: [
          root,
          pud,
          pmd,
          {
            ...pte,
            leaf: {
              ...shape(3n, 3n),
              rules: [{ mask: words(4n), value: words(12n), must: 'differ', fault: 'reserved' }],
            },
          },
        ],
      },
      'whose value lies outside its mask',
    ],
  ])('%s', (_what, change, message) => {
    const call = () => validateFormat({ ...good, ...change });
    expect(call).toThrow(VmError);
    expect(call).toThrow(message);
  });

  test('with sign-extended addresses of fewer than 33 bits', () => {
    const at = (vaBits: number) => () => {
      const small = arm64({ granule: 4, vaBits });
      const levels = small.levels.map((level) => ({ ...level, run: null }));
      validateFormat({ ...small, levels, range: { bits: vaBits, upper: 'sign' } });
    };
    expect(at(32)).toThrow('range of sign-extended addresses is under 33 bits');
    expect(at(25)).toThrow('under 33 bits');
    expect(at(33)).not.toThrow();
  });

  test('that translates more than 63 bits', () => {
    const coarse = arm64({ granule: 64, vaBits: 42 });
    const levels = (rootBits: number): Level[] => [
      { ...(coarse.levels[0] as Level), shift: 55, bits: rootBits, leaf: null, run: null },
      { ...(coarse.levels[0] as Level), shift: 42, leaf: null, run: null },
      ...coarse.levels,
    ];
    const at = (rootBits: number) => () =>
      validateFormat({
        ...coarse,
        levels: levels(rootBits),
        range: { bits: 55 + rootBits, upper: 'zeros' },
      });
    expect(at(9)).toThrow('range.bits is 64');
    expect(at(8)).not.toThrow();
  });
});

describe('validateFormat accepts a format', () => {
  test('with a run as large as its table, or with conditional rules', () => {
    expect(() =>
      validateFormat({ ...good, levels: [root, pud, pmd, { ...pte, run: run(512) }] }),
    ).not.toThrow();
    expect(() => validateFormat(riscv64(5))).not.toThrow();
  });

  test('with a root of 16 pages and physical addresses of 56 bits', () => {
    const sv39 = riscv64(3);
    const [first, ...rest] = sv39.levels as [Level, Level, Level];
    expect(() =>
      validateFormat({
        ...sv39,
        range: { bits: 43, upper: 'zeros' },
        levels: [{ ...first, bits: 13 }, ...rest],
      }),
    ).not.toThrow();
  });
});
