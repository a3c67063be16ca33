import { describeEntry } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { type Riscv64Options, riscv64 } from '../src/index.js';

const [PUD, PMD, PTE] = [1, 2, 3] as const;

/** The fields as the manual's figure shows them, from bit 63 down. */
function figure(level: number, entry: bigint, options?: Riscv64Options): string {
  const { kind, fields } = describeEntry(riscv64(options), entry, level);
  const all = [...fields].reverse();
  const texts = all.map(
    ({ name, low, width }) => `${width === 1 ? '' : `${low + width - 1}:`}${low} ${name}`,
  );
  return `${kind}: ${texts.join(', ')}`;
}

const LOW = '7 D, 6 A, 5 G, 4 U, 3 X, 2 W, 1 R, 0 V';
const OFF = { svnapot: false, svpbmt: false };

describe('the names of the bits', () => {
  test.each<[string, number, bigint, string, Riscv64Options?]>([
    ['a 4 KiB leaf', PTE, 0x4e7n, `leaf: 63 N, 62:61 PBMT, 60:54 reserved, 53:10 PPN, 9:8 RSW, ${LOW}`],
    [
      'a 4 KiB leaf of a processor without extensions',
      PTE,
      0x4e7n,
      `leaf: 63:54 reserved, 53:10 PPN, 9:8 RSW, ${LOW}`,
      OFF,
    ],
    [
      'a 2 MiB leaf',
      PMD,
      0x800e7n,
      `leaf: 63 reserved, 62:61 PBMT, 60:54 reserved, 53:19 PPN, 18:10 reserved, 9:8 RSW, ${LOW}`,
    ],
    [
      'a 1 GiB leaf',
      PUD,
      0x100000e7n,
      `leaf: 63 reserved, 62:61 PBMT, 60:54 reserved, 53:28 PPN, 27:10 reserved, 9:8 RSW, ${LOW}`,
    ],
    [
      'a leaf of a NAPOT run',
      PTE,
      (1n << 63n) | (0x1238n << 10n) | 0xe7n,
      `leaf: 63 N, 62:61 PBMT, 60:54 reserved, 53:14 PPN, 13:10 PPN, 9:8 RSW, ${LOW}`,
    ],
    [
      'a table entry',
      PMD,
      0x401n,
      'table: 63:54 reserved, 53:10 PPN, 9:8 RSW, 7:6 reserved, 5 G, 4 reserved, 3 X, 2 W, 1 R, 0 V',
    ],
    [
      'a leaf with Svrsw60t59b',
      PTE,
      0x4e7n,
      `leaf: 63 N, 62:61 PBMT, 60:59 RSW, 58:54 reserved, 53:10 PPN, 9:8 RSW, ${LOW}`,
      { svrsw60t59b: true },
    ],
    [
      'a leaf of T-Head',
      PTE,
      0x4e7n,
      `leaf: 63 SO, 62 C, 61 B, 60 SH, 59 Sec, 58:54 reserved, 53:10 PPN, 9:8 RSW, ${LOW}`,
      { thead: true },
    ],
    ['an entry that is not valid', PTE, 0x1234n, 'absent: 63:1 ignored, 0 V'],
  ])('are those of the manual in %s', (_what, level, entry, expected, options) => {
    expect(figure(level, entry, options)).toBe(expected);
  });

  test('give a leaf of a NAPOT run the frame of its run', () => {
    const { fields } = describeEntry(riscv64(), (1n << 63n) | (0x1238n << 10n) | 0xe7n, PTE);
    expect(fields.filter(({ name }) => name === 'PPN')).toMatchObject([
      { low: 10, value: 8n, paBit: null, meaning: 'one of 16 leaves of a run' },
      { low: 14, value: 0x123n, paBit: 16, meaning: 'physical 0x0000000001230000' },
    ]);
  });
});
