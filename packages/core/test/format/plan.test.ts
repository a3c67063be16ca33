import type { AddressField, PageTableFormat } from '@vmarea/core';
import { joinWords, VmError, validateFormat, words } from '@vmarea/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressHi, addressLo, pfnOf } from '../../src/address-codec.js';
import { classify } from '../../src/format/classify.js';
import { checkFields } from '../../src/format/compile-address.js';
import { meets, planOf, slotOf } from '../../src/format/plan.js';
import { arm64 } from '../formats/arm64.js';
import { formats } from '../formats/index.js';
import { riscv64 } from '../formats/riscv64.js';

const ONES = (1n << 64n) - 1n;

/** The same in bigint, one field at a time. */
function place(fields: readonly AddressField[], pa: bigint): bigint {
  return fields.reduce(
    (entry, f) => entry | (((pa >> BigInt(f.paBit)) & ((1n << BigInt(f.width)) - 1n)) << BigInt(f.entryBit)),
    0n,
  );
}

describe.each(formats.map((format) => [format.name, format] as const))('the plan of %s', (_name, format) => {
  const plan = planOf(format);

  test('comes from a format that passes validation', () => {
    expect(() => validateFormat(format)).not.toThrow();
  });

  test('puts each bit of a frame where the address fields say, and reads it back', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: (1n << BigInt(format.paBits - format.pageShift)) - 1n }),
        (pfn) => {
          const number = Number(pfn);
          const low = number | 0;
          const high = Math.floor(number / 2 ** 32);
          const entry = joinWords(addressLo(plan.address, low, high), addressHi(plan.address, low, high));
          expect(entry).toBe(place(format.address, pfn << BigInt(format.pageShift)));
          // Other bits of the entry make no difference.
          const noisy = words(entry | (ONES ^ place(format.address, ONES)));
          expect(pfnOf(plan.address, noisy.lo, noisy.hi)).toBe(number);
        },
      ),
    );
  });

  test('finds the slot of each level in an address', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: ONES }), (va) => {
        for (const level of plan.levels) {
          const { shift, bits } = level.level;
          const slot = Number((va >> BigInt(shift)) & ((1n << BigInt(bits)) - 1n));
          expect(slotOf(level, Number(va >> 32n) | 0, Number(va & 0xffffffffn) | 0)).toBe(slot);
        }
      }),
    );
  });

  test('classifies an entry by one compare as the rules do one by one', () => {
    // A random entry is hardly ever a table or leaf: half of the bits come from a good one.
    const good = [
      format.tableEntry,
      ...format.levels.map((_, i) =>
        format.levels[i]?.leaf ? format.encode(format.decode(words(0xffn), i), i) : format.tableEntry,
      ),
    ];
    fc.assert(
      fc.property(
        fc.nat(good.length - 1),
        fc.bigInt({ min: 0n, max: ONES }),
        fc.bigInt({ min: 0n, max: ONES }),
        (i, a, b) => {
          const base = good[i] as { lo: number; hi: number };
          const entry = words(
            joinWords(base.lo, base.hi) ^
              ((a & b & place(format.address, ONES)) | (a & b & (a >> 7n) & (b >> 9n))),
          );
          for (const level of plan.levels) {
            const kind = classify(format.present, level.level, entry);
            expect(meets(level.table, entry.lo, entry.hi)).toBe(kind === 'table');
            // The table's shape is tried first; the rest is the leaf's.
            if (kind !== 'table') expect(meets(level.leaf, entry.lo, entry.hi)).toBe(kind === 'leaf');
          }
        },
      ),
    );
  });
});

describe('validateFormat', () => {
  const good = arm64({ granule: 4, vaBits: 48 });
  const [root, pud, pmd, pte] = good.levels as [NonNullable<(typeof good.levels)[0]>, never, never, never];
  const table = root.table as NonNullable<typeof root.table>;
  test.each<[string, Partial<PageTableFormat>, string]>([
    ['a page of 2 KiB', { pageShift: 11 }, 'pageShift is 11'],
    ['physical addresses of 60 bits', { paBits: 60 }, 'paBits is 60'],
    ['no level', { levels: [] }, 'levels are 0'],
    [
      'a range that its levels do not translate',
      { range: { bits: 47, upper: 'ones' } },
      'range.bits is 47, but the levels and pageShift translate 48',
    ],
    ['a missing level', { levels: [root, pmd, pte] }, 'has shift 39, expected 30'],
    [
      'leaf table in the last level',
      { levels: [root, pud, pmd, { ...(pte as object), table } as never] },
      'unless it is the last',
    ],
    [
      'a value outside its mask',
      {
        levels: [
          { ...root, table: { match: { mask: words(1n), value: words(3n) }, rules: [] } },
          pud,
          pmd,
          pte,
        ],
      },
      'whose value lies outside its mask',
    ],
    [
      'or that is not present',
      {
        levels: [
          { ...root, table: { match: { mask: words(2n), value: words(2n) }, rules: [] } },
          pud,
          pmd,
          pte,
        ],
      },
      'or that is not present',
    ],
    [
      'a run of three',
      {
        levels: [
          root,
          pud,
          pmd,
          { ...(pte as object), run: { entries: 3, style: 'consecutive', set: words(1n << 52n) } } as never,
        ],
      },
      'not a power of two',
    ],
    ['an address with a gap', { address: [{ entryBit: 12, paBit: 12, width: 30 }] }, 'no field for bit 42'],
    ['a table entry inside the address', { tableEntry: words(0x1003n) }, 'tableEntry has the address bits'],
  ])('refuses %s', (_what, change, message) => {
    expect(() => validateFormat({ ...good, ...change })).toThrow(VmError);
    expect(() => validateFormat({ ...good, ...change })).toThrow(message);
  });

  test('refuses address fields that overlap or are scattered', () => {
    const fields =
      (...list: AddressField[]) =>
      () =>
        checkFields(list, 12);
    expect(fields({ entryBit: 12, paBit: 12, width: 20 }, { entryBit: 20, paBit: 32, width: 4 })).toThrow(
      'share a bit',
    );
    expect(fields({ entryBit: 12, paBit: 12, width: 8 }, { entryBit: 30, paBit: 20, width: 2 })).toThrow(
      'too many pieces',
    );
    expect(fields({ entryBit: 12, paBit: 12, width: 8 }, { entryBit: 40, paBit: 20, width: 8 })).toThrow(
      'two separate fields',
    );
    expect(fields({ entryBit: 60, paBit: 12, width: 8 })).toThrow('outside the entry');
  });
});

describe('the contract holds', () => {
  test('the levels, blocks, runs and address fields of each granule of arm64', () => {
    const shape = (format: PageTableFormat) =>
      format.levels.map(
        (l) => `${l.name} ${l.shift}/${l.bits}${l.leaf ? ' leaf' : ''}${l.run ? ` x${l.run.entries}` : ''}`,
      );
    expect(shape(arm64({ granule: 4, vaBits: 48 }))).toEqual([
      'PGD 39/9',
      'PUD 30/9 leaf x16',
      'PMD 21/9 leaf x16',
      'PTE 12/9 leaf x16',
    ]);
    expect(shape(arm64({ granule: 4, vaBits: 52, large: true }))).toEqual([
      'PGD 48/4',
      'P4D 39/9 leaf',
      'PUD 30/9 leaf x16',
      'PMD 21/9 leaf x16',
      'PTE 12/9 leaf x16',
    ]);
    expect(shape(arm64({ granule: 16, vaBits: 47 }))).toEqual([
      'PGD 36/11',
      'PMD 25/11 leaf x32',
      'PTE 14/11 leaf x128',
    ]);
    expect(shape(arm64({ granule: 16, vaBits: 48 }))[0]).toBe('PGD 47/1');
    expect(shape(arm64({ granule: 64, vaBits: 52, large: true }))).toEqual([
      'PGD 42/10 leaf',
      'PMD 29/13 leaf x32',
      'PTE 16/13 leaf x32',
    ]);
    expect(shape(arm64({ granule: 4, vaBits: 16, half: 'ttbr0' }))).toEqual(['PGD 12/4 leaf x16']);
  });

  test('three to five levels of riscv64, its frame field at bit 10, and NAPOT', () => {
    for (const depth of [3, 4, 5] as const) {
      const format = riscv64(depth);
      expect(format.levels).toHaveLength(depth);
      expect(format.levels.every((level) => level.leaf !== null)).toBe(true);
      expect(format.levels.at(-1)?.run).toMatchObject({ entries: 16, style: 'napot' });
    }
  });
});
