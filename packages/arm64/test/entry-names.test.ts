import { describeEntry } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { type Arm64Options, arm64, LINUX_PIR, LINUX_PIRE0 } from '../src/index.js';

/** The fields as the manual's tables list them, from bit 63 down. `level` counts from the last one up. */
function figure(up: number, entry: bigint, options: Arm64Options): string {
  const format = arm64(options);
  const { kind, fields } = describeEntry(format, entry, format.levels.length - 1 - up);
  const all = [...fields].reverse();
  const texts = all.map(
    ({ name, low, width }) => `${width === 1 ? '' : `${low + width - 1}:`}${low} ${name}`,
  );
  return `${kind}: ${texts.join(', ')}`;
}

const UPPER =
  '63 ignored, 62:60 POIndex, 59 ignored, 58:55 ignored, 54 UXN, 53 PXN, 52 Contiguous, 51 DBM, 50 GP';
const LOWER = '11 nG, 10 AF, 9:8 SH, 7 AP[2], 6 AP[1], 5 NS, 4:2 AttrIndx, 1 Type, 0 Valid';
const TABLE = '63 NSTable, 62 APTable[1], 61 APTable[0], 60 UXNTable, 59 PXNTable, 58:51 ignored';
const [K4, K16, K64] = [
  { granule: 4, vaBits: 48 },
  { granule: 16, vaBits: 47 },
  { granule: 64, vaBits: 48 },
] as const;
const LPA2 = { granule: 4, vaBits: 52 } as const;
const LPA = { granule: 64, vaBits: 52, outputBits: 52 } as const;
const PIE = { ...K4, pir: LINUX_PIR, pire0: LINUX_PIRE0 };

describe('the names of the bits', () => {
  test.each<[string, number, bigint, Arm64Options, string]>([
    ['a page, 4K', 0, 0x703n, K4, `leaf: ${UPPER}, 49:48 RES0, 47:12 OA[47:12], ${LOWER}`],
    ['a page, 16K', 0, 0x703n, K16, `leaf: ${UPPER}, 49:48 RES0, 47:14 OA[47:14], 13:12 RES0, ${LOWER}`],
    ['a page, 64K', 0, 0x703n, K64, `leaf: ${UPPER}, 49:48 RES0, 47:16 OA[47:16], 15:12 RES0, ${LOWER}`],
    [
      'a page, 64K with LPA',
      0,
      0x703n,
      LPA,
      `leaf: ${UPPER}, 49:48 RES0, 47:16 OA[47:16], 15:12 OA[51:48], ${LOWER}`,
    ],
    [
      'a page, 4K with LPA2',
      0,
      0x403n,
      LPA2,
      `leaf: ${UPPER}, 49:12 OA[49:12], 11 nG, 10 AF, 9:8 OA[51:50], 7 AP[2], 6 AP[1], 5 NS, 4:2 AttrIndx, 1 Type, 0 Valid`,
    ],
    [
      'a block, 4K',
      1,
      0x701n,
      K4,
      `leaf: ${UPPER}, 49:48 RES0, 47:21 OA[47:21], 20:17 RES0, 16 nT, 15:12 RES0, ${LOWER}`,
    ],
    [
      'a block, 64K with LPA',
      1,
      0x701n,
      LPA,
      `leaf: ${UPPER}, 49:48 RES0, 47:29 OA[47:29], 28:17 RES0, 16 nT, 15:12 OA[51:48], ${LOWER}`,
    ],
    [
      'a block of a level without runs',
      2,
      0x701n,
      LPA,
      `leaf: ${UPPER.replace('Contiguous', 'RES0')}, 49:48 RES0, 47:42 OA[47:42], 41:17 RES0, 16 nT, 15:12 OA[51:48], ${LOWER}`,
    ],
    [
      'a table, 4K',
      1,
      0x1003n,
      K4,
      `table: ${TABLE}, 50:48 RES0, 47:12 NLTA[47:12], 11:2 ignored, 1 Type, 0 Valid`,
    ],
    [
      'a table, 16K',
      1,
      0x4003n,
      K16,
      `table: ${TABLE}, 50:48 RES0, 47:14 NLTA[47:14], 13:12 RES0, 11:2 ignored, 1 Type, 0 Valid`,
    ],
    [
      'a table, 64K with LPA',
      1,
      0x10003n,
      LPA,
      `table: ${TABLE}, 50:48 RES0, 47:16 NLTA[47:16], 15:12 NLTA[51:48], 11:2 ignored, 1 Type, 0 Valid`,
    ],
    [
      'a table, 4K with LPA2',
      1,
      0x1003n,
      LPA2,
      `table: ${TABLE}, 50 RES0, 49:12 NLTA[49:12], 11:10 ignored, 9:8 NLTA[51:50], 7:2 ignored, 1 Type, 0 Valid`,
    ],
    [
      'a page with indirect permissions',
      0,
      0x703n,
      PIE,
      'leaf: 63 ignored, 62:60 POIndex, 59 ignored, 58:55 ignored, 54 PIIndex[3], 53 PIIndex[2], 52 Contiguous, 51 PIIndex[1], 50 GP, 49:48 RES0, 47:12 OA[47:12], 11 nG, 10 AF, 9:8 SH, 7 nDirty, 6 PIIndex[0], 5 NS, 4:2 AttrIndx, 1 Type, 0 Valid',
    ],
    [
      'a table with indirect permissions',
      1,
      0x1003n,
      PIE,
      'table: 63 NSTable, 62:51 ignored, 50:48 RES0, 47:12 NLTA[47:12], 11:2 ignored, 1 Type, 0 Valid',
    ],
    ['an entry that is not valid', 0, 0x1230n, K4, 'absent: 63:1 ignored, 0 Valid'],
    ['a reserved entry', 0, 0x1001n, K4, 'reserved: 63:2 reserved, 1 Type, 0 Valid'],
  ])('are those of the manual in %s', (_what, up, entry, options, expected) => {
    expect(figure(up, entry, options)).toBe(expected);
  });

  test('show the address bits beyond the size that TCR selects', () => {
    const short = { granule: 64, vaBits: 48, lpa: true, paBits: 40 } as const;
    const { kind, fields } = describeEntry(arm64(short), 0x1703n, 2);
    expect(kind).toBe('reserved');
    expect(fields.find(({ low }) => low === 12)).toMatchObject({ name: 'OA[51:48]', width: 4, value: 1n });
  });

  test('say the memory type of an index', () => {
    const { fields } = describeEntry(arm64(K4), 0x70fn, 3);
    expect(fields.find(({ name }) => name === 'AttrIndx')).toMatchObject({
      value: 3n,
      meaning: 'MAIR entry 3: uncached',
    });
  });
});
