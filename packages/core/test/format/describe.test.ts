import type { EntryNames, PageTableFormat } from '@vmarea/core';
import { describeEntry, dumpTables } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../formats/arm64.js';
import { riscv64 } from '../formats/riscv64.js';
import { KERNEL, linesOf } from '../support/dump.js';

const NAMES: EntryNames = {
  address: 'PPN',
  bits: [
    { name: 'V', low: 0, says: ['not valid', 'valid'] },
    {
      name: 'RWX',
      low: 1,
      width: 3,
      says: ['none', 'R', 'W', 'RW', 'X', 'RX'],
      tells: ['read', 'write', 'execute'],
    },
    { name: 'RSW', low: 8, width: 2, says: ['software has #'] },
    { name: 'N', low: 63, says: ['alone', 'run'] },
  ],
};

/** A format with names for all of its entries. */
function named(format: PageTableFormat, names: EntryNames = NAMES): PageTableFormat {
  const levels = format.levels.map(({ table, leaf, ...level }) => ({
    ...level,
    table: table && { ...table, names },
    leaf: leaf && { ...leaf, names },
  }));
  return { ...format, levels };
}

const sv39 = named(riscv64(3));
const [PGD, PMD, PTE] = [0, 1, 2] as const;
const short = (entry: bigint, level: number, format = sv39) =>
  describeEntry(format, entry, level).fields.map(
    ({ low, width, name, value, meaning }) => `${low}+${width} ${name} ${value} ${meaning}`,
  );

describe('describeEntry', () => {
  test('gives the named bits, the address and what is between, from bit 0 up', () => {
    expect(short((5n << 10n) | (2n << 8n) | 0xe7n, PTE)).toEqual([
      '0+1 V 1 valid',
      '1+3 RWX 3 RW',
      '4+4 ignored 14 the MMU ignores it',
      '8+2 RSW 2 software has 2',
      '10+44 PPN 5 physical 0x0000000000005000',
      '54+7 reserved 0 must be 0',
      '61+2 ignored 0 the MMU ignores it',
      '63+1 N 0 alone',
    ]);
  });

  test('says `reserved` for a value without a meaning', () => {
    expect(short(0x4dn | (1n << 54n), PTE)[1]).toBe('1+3 RWX 6 reserved');
  });

  test('begins the address of a leaf at its size, that of a table at a page', () => {
    expect(
      describeEntry(sv39, (0x200n << 10n) | 0xe7n, PMD).fields.filter(({ paBit }) => paBit !== null),
    ).toMatchObject([{ low: 19, width: 35, value: 1n, paBit: 21 }]);
    expect(describeEntry(sv39, (0x201n << 10n) | 1n, PMD)).toMatchObject({
      kind: 'table',
      fields: expect.arrayContaining([
        expect.objectContaining({ low: 10, width: 44, value: 0x201n, paBit: 12 }),
      ]),
    });
    expect(short((0x201n << 10n) | 0xe7n, PMD)).toContain('10+9 reserved 1 must be 0');
  });

  test('takes the size of a NAPOT run out of the address', () => {
    expect(short((1n << 63n) | (0x18n << 10n) | 0xe7n, PTE).slice(-4, -1)).toEqual([
      '14+40 PPN 1 physical 0x0000000000010000',
      '54+7 reserved 0 must be 0',
      '61+2 ignored 0 the MMU ignores it',
    ]);
  });

  test('names each piece of a split address by its bits', () => {
    const wide = named(arm64({ granule: 64, vaBits: 52, large: true }), {
      address: 'OA[#]',
      bits: [{ name: 'Type', low: 0, width: 2, says: ['-', 'block', '-', 'page'] }],
    });
    const fields = describeEntry(wide, 0xabcd_0000_7003n, 2).fields.filter(({ paBit }) => paBit !== null);
    expect(fields.map(({ name, value, meaning }) => [name, value, meaning])).toEqual([
      ['OA[51:48]', 7n, 'physical 0x0007000000000000'],
      ['OA[47:16]', 0xabcd0000n, 'physical 0x0000abcd00000000'],
    ]);
  });

  test('names only the bits that say so of an entry that is not present', () => {
    expect(short(0x1234n, PGD)).toEqual([
      '0+1 V 0 not valid',
      `1+63 ignored ${0x1234 >> 1} the MMU ignores it`,
    ]);
    expect(describeEntry(sv39, 0n, PTE).kind).toBe('none');
  });

  test('refuses a level and an entry that there is not, and a format without names', () => {
    expect(thrown(() => describeEntry(sv39, 1n, 3))).toBe(
      'EINVAL: level is 3, which riscv64-sv39 does not have; it has 0 to 2',
    );
    expect(thrown(() => describeEntry(sv39, 1n << 64n, 0))).toMatch(
      /^ERANGE: the entry 0x10+ is outside 64 bits/,
    );
    expect(thrown(() => describeEntry(sv39, 7 as never, 0))).toMatch(/^EINVAL: the entry is 7/);
    expect(thrown(() => describeEntry(riscv64(3), 1n, 0))).toMatch(
      /does not name the bits of its entries; each shape/,
    );
  });
});

describe('a dump with `bits`', () => {
  test('names what is set in each entry, behind the same line', () => {
    const { table, memory } = machine(sv39);
    table.mapRange(0n, 0x5000n, 0x2000n, KERNEL);
    table.map(0x4000n, [9], KERNEL);
    // Not valid, and reserved: W without R.
    const { address } = table.walk(0x4000n).steps[2] as { address: bigint };
    memory.write64(address + 8n, 0x300n);
    memory.write64(address + 16n, 0x5n);
    for (const tables of [false, true]) {
      const plain = linesOf(dumpTables(table, { tables }));
      const lines = linesOf(dumpTables(table, { tables, bits: true }));
      expect(lines.map((line) => line.replace(/ {2}bits .*$/, ''))).toEqual(plain);
      expect(lines.map((line) => / {2}bits (.*)$/.exec(line)?.[1])).toEqual(
        tables
          ? [
              undefined,
              'V',
              'V',
              'V RWX=3 ignored[7:4]=0xe',
              'V RWX=3 ignored[7:4]=0xe',
              'ignored[63:1]=0x180',
              'V RWX=2',
            ]
          : ['V RWX=3 ignored[7:4]=0xe', 'V RWX=3 ignored[7:4]=0xe'],
      );
    }
  });

  test('refuses a format without names', () => {
    const { table } = machine(riscv64(3));
    table.map(0n, [5], KERNEL);
    expect(thrown(() => dumpTables(table, { bits: true }))).toMatch(/does not name the bits/);
    expect(thrown(() => dumpTables(table, { bits: 1 } as never))).toMatch(/^EINVAL: bits is 1/);
  });
});
