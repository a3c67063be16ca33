import { describeEntry, protection, toBigint } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { type X8664Options, x8664 } from '../src/index.js';

const [PGD, PUD, PMD, PTE] = [0, 1, 2, 3] as const;

/** The fields as the manual's figures show them, from bit 63 down. */
function figure(level: number, entry: bigint, options?: X8664Options): string {
  const { kind, fields } = describeEntry(x8664(options), entry, level);
  const all = [...fields].reverse();
  const texts = all.map(
    ({ name, low, width }) => `${width === 1 ? '' : `${low + width - 1}:`}${low} ${name}`,
  );
  return `${kind}: ${texts.join(', ')}`;
}

/** What the manual's figure "Formats of CR3 and Paging-Structure Entries with 4-Level Paging" has, with all 52 address bits. */
const SMALL =
  'leaf: 63 XD, 62:59 Protection key, 58:52 ignored, 51:12 Address, 11:9 ignored, 8 G, 7 PAT, 6 D, 5 A, 4 PCD, 3 PWT, 2 U/S, 1 R/W, 0 P';
const TABLE = (upper: string, ps: string) =>
  `table: ${upper}, 51:12 Address, 11:8 ignored, ${ps}, 6 ignored, 5 A, 4 PCD, 3 PWT, 2 U/S, 1 R/W, 0 P`;

describe('the names of the bits', () => {
  test.each<[string, number, bigint, string, X8664Options?]>([
    ['a PGD table', PGD, 0x1067n, TABLE('63 XD, 62:52 ignored', '7 reserved')],
    ['a PUD table', PUD, 0x1067n, TABLE('63 XD, 62:52 ignored', '7 PS')],
    ['a PMD table without NXE', PMD, 0x1067n, TABLE('63 reserved, 62:52 ignored', '7 PS'), { nxe: false }],
    [
      'a PUD table without 1 GiB leaves',
      PUD,
      0x1067n,
      TABLE('63 XD, 62:52 ignored', '7 reserved'),
      { page1g: false },
    ],
    ['a 4 KiB leaf', PTE, 0x1163n, SMALL],
    [
      'a 2 MiB leaf',
      PMD,
      0x2011e3n,
      'leaf: 63 XD, 62:59 Protection key, 58:52 ignored, 51:21 Address, 20:13 reserved, 12 PAT, 11:9 ignored, 8 G, 7 PS, 6 D, 5 A, 4 PCD, 3 PWT, 2 U/S, 1 R/W, 0 P',
    ],
    [
      'a 1 GiB leaf of a processor with 46 address bits',
      PUD,
      0x400001e3n,
      'leaf: 63 XD, 62:59 Protection key, 58:52 ignored, 51:46 reserved, 45:30 Address, 29:13 reserved, 12 PAT, 11:9 ignored, 8 G, 7 PS, 6 D, 5 A, 4 PCD, 3 PWT, 2 U/S, 1 R/W, 0 P',
      { paBits: 46 },
    ],
    [
      'a 4 KiB leaf with an encryption bit',
      PTE,
      0x8000_0000_1163n,
      'leaf: 63 XD, 62:59 Protection key, 58:52 ignored, 51:48 reserved, 47 C, 46:12 Address, 11:9 ignored, 8 G, 7 PAT, 6 D, 5 A, 4 PCD, 3 PWT, 2 U/S, 1 R/W, 0 P',
      { encryptionBit: 47 },
    ],
    [
      'a PGD table on AMD',
      PGD,
      0x1067n,
      'table: 63 XD, 62:52 ignored, 51:12 Address, 11:9 ignored, 8:7 reserved, 6 ignored, 5 A, 4 PCD, 3 PWT, 2 U/S, 1 R/W, 0 P',
      { vendor: 'amd' },
    ],
    ['an entry that is not present', PTE, 0x7ffffffffffd5200n, 'absent: 63:1 ignored, 0 P'],
    ['an empty entry', PGD, 0n, 'none: 63:1 ignored, 0 P'],
  ])('are those of the manual in %s', (_what, level, entry, expected, options) => {
    expect(figure(level, entry, options)).toBe(expected);
  });

  test('show which reserved bit makes a walk fault', () => {
    const { kind, fields } = describeEntry(x8664(), 0x10e7n, PGD);
    expect(kind).toBe('reserved');
    expect(fields.filter(({ name, value }) => name === 'reserved' && value !== 0n)).toEqual([
      { name: 'reserved', low: 7, width: 1, value: 1n, meaning: 'must be 0', tells: [], paBit: null },
    ]);
  });

  test('say what a leaf means', () => {
    const format = x8664();
    const leaf = toBigint(format.encode(protection({ write: true, user: true, extra: 5n << 59n }), PTE));
    const { fields } = describeEntry(format, leaf | 0x1234000n, PTE);
    const said = Object.fromEntries(fields.map(({ name, value, meaning }) => [name, [value, meaning]]));
    expect(said).toMatchObject({
      'R/W': [1n, 'writable'],
      'U/S': [1n, 'user'],
      XD: [1n, 'not executable'],
      'Protection key': [5n, 'key 5'],
      Address: [0x1234n, 'physical 0x0000000001234000'],
    });
  });
});
