import { kindOf } from '@vmarea/conformance';
import { validateFormat } from '@vmarea/core';
import { hex } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { RISCV_BITS, type Riscv64Mode, type Riscv64Options, riscv64 } from '../src/index.js';

test('the bits of an entry have the positions of the manual', () => {
  const bits = Object.fromEntries(Object.entries(RISCV_BITS).map(([name, value]) => [name, hex(value)]));
  expect(bits).toEqual({
    V: '0x0000000000000001',
    R: '0x0000000000000002',
    W: '0x0000000000000004',
    X: '0x0000000000000008',
    U: '0x0000000000000010',
    G: '0x0000000000000020',
    A: '0x0000000000000040',
    D: '0x0000000000000080',
    RSW: '0x0000000000000300',
    PPN: '0x003ffffffffffc00',
    RESERVED: '0x1fc0000000000000',
    RSW_60_59: '0x1800000000000000',
    THEAD: '0xf800000000000000',
    PBMT: '0x6000000000000000',
    N: '0x8000000000000000',
  });
});

describe('geometry', () => {
  test.each<[Riscv64Mode, number, [string, number][]]>([
    [
      'sv39',
      39,
      [
        ['PGD', 30],
        ['PMD', 21],
        ['PTE', 12],
      ],
    ],
    [
      'sv48',
      48,
      [
        ['PGD', 39],
        ['PUD', 30],
        ['PMD', 21],
        ['PTE', 12],
      ],
    ],
    [
      'sv57',
      57,
      [
        ['PGD', 48],
        ['P4D', 39],
        ['PUD', 30],
        ['PMD', 21],
        ['PTE', 12],
      ],
    ],
  ])('%s', (mode, bits, levels) => {
    const format = riscv64({ mode });
    expect(format.levels.map(({ name, shift }) => [name, shift])).toEqual(levels);
    expect(format.levels.every((level) => level.bits === 9 && level.leaf !== null)).toBe(true);
    expect(format.range).toEqual({ bits, upper: 'sign' });
    expect(format.name).toBe(`riscv64-${mode}`);
    expect(() => validateFormat(format)).not.toThrow();
  });

  test('has runs of sixteen at the last level, only with Svnapot', () => {
    expect(riscv64().levels.map(({ run }) => run?.entries ?? null)).toEqual([null, null, null, 16]);
    expect(riscv64().levels[3]?.run).toMatchObject({ style: 'napot' });
    expect(riscv64({ svnapot: false }).levels.every(({ run }) => run === null)).toBe(true);
  });

  test('has frames from bit 10 on, and table entries with V only', () => {
    expect(riscv64().address).toEqual([{ entryBit: 10, paBit: 12, width: 44 }]);
    expect(hex(riscv64().tableEntry)).toBe('0x0000000000000001');
    expect([riscv64().paBits, riscv64({ paBits: 40 }).paBits]).toEqual([56, 40]);
  });

  test('a format is frozen', () => {
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    for (const svnapot of [true, false]) expect(frozen(riscv64({ svnapot }))).toBe(true);
  });
});

/** V, R, W, A and D: an ordinary leaf. */
const LEAF = 0xc7n;

describe('the kind of an entry', () => {
  test.each<[string, number, bigint, string]>([
    ['nothing', 3, 0n, 'none'],
    ['V clear: the rest is software’s', 3, 0xfffffffffffffffen, 'absent'],
    ['V alone, above the last level', 2, 0x20000401n, 'table'],
    ['V alone at the last level: there is no next', 3, 0x20000401n, 'reserved'],
    ['a global pointer', 1, 0x20000421n, 'table'],
    ['a pointer with RSW', 1, 0x20000701n, 'table'],
    ['a pointer with U', 1, 0x20000411n, 'reserved'],
    ['a pointer with A', 1, 0x20000441n, 'reserved'],
    ['a pointer with D', 1, 0x20000481n, 'reserved'],
    ['a pointer with N', 1, 0x8000000020000401n, 'reserved'],
    ['a pointer with PBMT', 1, 0x2000000020000401n, 'reserved'],
    ['a pointer with bit 54', 1, 0x0040000020000401n, 'reserved'],
    ['a pointer with bit 60', 1, 0x1000000020000401n, 'reserved'],
    ['R', 3, 0x3n, 'leaf'],
    ['X alone', 3, 0x9n, 'leaf'],
    ['R, W', 3, 0x7n, 'leaf'],
    ['W alone', 3, 0x5n, 'reserved'],
    ['W and X', 3, 0xdn, 'reserved'],
    ['all of R, W and X', 3, 0xfn, 'leaf'],
    ['bit 54', 3, (1n << 54n) | LEAF, 'reserved'],
    ['bit 60', 3, (1n << 60n) | LEAF, 'reserved'],
    ['NC', 3, (1n << 61n) | LEAF, 'leaf'],
    ['IO', 3, (2n << 61n) | LEAF, 'leaf'],
    ['PBMT 3', 3, (3n << 61n) | LEAF, 'reserved'],
    ['N with 1000', 3, (1n << 63n) | (8n << 10n) | LEAF, 'leaf'],
    ['N with 0000', 3, (1n << 63n) | LEAF, 'reserved'],
    ['N with 1100', 3, (1n << 63n) | (12n << 10n) | LEAF, 'reserved'],
    ['N with 1001', 3, (1n << 63n) | (9n << 10n) | LEAF, 'reserved'],
    ['N with 0100', 3, (1n << 63n) | (4n << 10n) | LEAF, 'reserved'],
    ['a block of 2 MiB', 2, (0x200n << 10n) | LEAF, 'leaf'],
    ['a misaligned block of 2 MiB, highest bit', 2, (0x100n << 10n) | LEAF, 'reserved'],
    ['a misaligned block of 2 MiB, lowest bit', 2, (0x1n << 10n) | LEAF, 'reserved'],
    ['a block of 2 MiB with N', 2, (1n << 63n) | (0x200n << 10n) | LEAF, 'reserved'],
    ['a block of 1 GiB', 1, (0x40000n << 10n) | LEAF, 'leaf'],
    ['a block of 1 GiB, aligned to 2 MiB only', 1, (0x20000n << 10n) | LEAF, 'reserved'],
    ['a block of 512 GiB', 0, (0x8000000n << 10n) | LEAF, 'leaf'],
    ['a block of 512 GiB, aligned to 1 GiB only', 0, (0x4000000n << 10n) | LEAF, 'reserved'],
    ['the highest frame', 3, (0xfffffffffffn << 10n) | LEAF, 'leaf'],
  ])('%s', (_what, level, entry, kind) => {
    expect(kindOf(riscv64(), level, entry)).toBe(kind);
  });

  test('N is reserved without Svnapot, PBMT without Svpbmt', () => {
    const napot = (1n << 63n) | (8n << 10n) | LEAF;
    expect(kindOf(riscv64({ svnapot: false }), 3, napot)).toBe('reserved');
    for (const type of [1n, 2n, 3n]) {
      expect(kindOf(riscv64({ svpbmt: false }), 3, (type << 61n) | LEAF)).toBe('reserved');
    }
    expect(kindOf(riscv64({ svpbmt: false }), 3, napot)).toBe('leaf');
  });
});

describe('options', () => {
  test.each<[Riscv64Options, string]>([
    [{ mode: 'sv32' as never }, "EINVAL: mode is 'sv32', expected sv39, sv48 or sv57"],
    [{ mode: 'toString' as never }, "EINVAL: mode is 'toString', expected sv39, sv48 or sv57"],
    [{ paBits: 57 }, 'EINVAL: paBits is 57, expected 32 to 56'],
    [{ paBits: 31 }, 'EINVAL: paBits is 31, expected 32 to 56'],
    [{ paBits: 40.5 }, 'EINVAL: paBits is 40.5, expected 32 to 56'],
  ])('%o', (options, message) => {
    expect(() => riscv64(options)).toThrow(message);
  });
});
