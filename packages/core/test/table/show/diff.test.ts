import type { Difference, DiffOptions, PageTableFormat, Protection, ReadableTable } from '@vmarea/core';
import { diffTables, hex, PageTableReader, protection, splitLeaves, words } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { riscv64 } from '../../formats/riscv64.js';

const KERNEL = protection({ write: true, global: true });
const TEXT = protection({ execute: true, global: true });
const MIB = 1n << 20n;

/** One difference in a line: kind, range, physical addresses. */
function shown({ kind, va, bytes, here, there }: Difference): string {
  const at = (side: typeof here) => (side === null ? '-' : `0x${side.pa.toString(16)}/${side.leafShift}`);
  return `${kind} ${hex(va)}+0x${bytes.toString(16)} ${at(here)} ${at(there)}`;
}

function diff(here: ReadableTable, there: ReadableTable, options?: DiffOptions): string[] {
  return [...diffTables(here, there, options)].map(shown);
}

function pair(format = riscv64(3), other = format) {
  return { here: machine(format, 64).table, there: machine(other, 64).table };
}

describe('diffTables', () => {
  test('gives four kinds of differences, in address order', () => {
    const { here, there } = pair();
    here.map(0x1000n, [1, 2, 3, 4], KERNEL);
    there.map(0x2000n, [2, 9, 4, 5], KERNEL);
    there.protect(0x4000n, 0x1000n, { write: false });
    expect(diff(here, there)).toEqual([
      'only-here 0x0000000000001000+0x1000 0x1000/12 -',
      'moved 0x0000000000003000+0x1000 0x3000/12 0x9000/12',
      'protection 0x0000000000004000+0x1000 0x4000/12 0x4000/12',
      'only-there 0x0000000000005000+0x1000 - 0x5000/12',
    ]);
    expect(diff(there, here)).toEqual([
      'only-there 0x0000000000001000+0x1000 - 0x1000/12',
      'moved 0x0000000000003000+0x1000 0x9000/12 0x3000/12',
      'protection 0x0000000000004000+0x1000 0x4000/12 0x4000/12',
      'only-here 0x0000000000005000+0x1000 0x5000/12 -',
    ]);
    expect(diff(here, here)).toEqual([]);
    const [, , changed] = [...diffTables(here, there)];
    expect(changed?.here?.protection).toEqual(KERNEL);
    expect(changed?.there?.protection).toMatchObject({ read: true, write: false });
  });

  test('gives no difference where only the sizes of leaves differ', () => {
    const { here, there } = pair();
    here.mapRange(0n, 0x40000000n, 6n * MIB, KERNEL);
    there.mapRange(0n, 0x40000000n, 6n * MIB, KERNEL, { maxLeafShift: 12 });
    expect(diff(here, there)).toEqual([]);
    there.unmap(0x201000n, 0x2000n);
    expect(diff(here, there)).toEqual(['only-here 0x0000000000201000+0x2000 0x40201000/21 -']);
    // One range across blocks, pages and a table boundary.
    there.unmap(0n, 6n * MIB);
    splitLeaves(here, 2n * MIB, 0x1000n);
    expect(diff(here, there)).toEqual(['only-here 0x0000000000000000+0x600000 0x40000000/21 -']);
  });

  test('ends a difference where a side stops being adjacent or changes its protection', () => {
    const { here, there } = pair();
    here.map(0n, [1, 2, 3, 4, 5], KERNEL);
    there.map(0n, [11, 12, 14, 15, 16], KERNEL);
    there.protect(0x4000n, 0x1000n, { execute: true });
    expect(diff(here, there)).toEqual([
      'moved 0x0000000000000000+0x2000 0x1000/12 0xb000/12',
      'moved 0x0000000000002000+0x2000 0x3000/12 0xe000/12',
      'moved 0x0000000000004000+0x1000 0x5000/12 0x10000/12',
    ]);
  });

  test('reaches the last of the 64-bit addresses', () => {
    const format = arm64({ granule: 64, vaBits: 48 });
    const { here, there } = pair(format);
    here.map(0xffffffffffff0000n, [7], KERNEL);
    expect(diff(here, there)).toEqual(['only-here 0xffffffffffff0000+0x10000 0x70000/16 -']);
    expect(diff(here, there, { va: 0xffffffffffff0000n, bytes: 0x10000 })).toHaveLength(1);
    there.map(0xffffffffffff0000n, [8], KERNEL);
    expect(diff(here, there)).toEqual(['moved 0xffffffffffff0000+0x10000 0x70000/16 0x80000/16']);
  });

  test('compares terabytes of blocks in a few steps', () => {
    const { here, there } = pair(riscv64(5));
    here.mapRange(0n, 0n, 1n << 48n, KERNEL);
    there.mapRange(0n, 0n, 1n << 48n, KERNEL);
    there.protect(1n << 40n, 1n << 40n, { write: false });
    expect(diff(here, there)).toEqual([
      'protection 0x0000010000000000+0x10000000000 0x10000000000/48 0x10000000000/39',
    ]);
  });

  test('reads tables only as far as differences are taken', () => {
    const { here, there } = pair();
    for (let i = 0n; i < 64n; i++) here.map(i * 0x2000n, [7], KERNEL);
    here.resetCounters();
    const all = diffTables(here, there);
    expect(here.counters.entriesRead).toBe(0);
    expect(shown((all.next().value as Difference) ?? {})).toMatch(/^only-here 0x0000000000000000/);
    expect(here.counters.entriesRead).toBeLessThan(10);
  });
});

describe('accessed and dirty bits', () => {
  const cold = { ...KERNEL, accessed: false, dirty: false };

  test('make and end no difference by default', () => {
    const { here, there } = pair();
    here.map(0n, [1], KERNEL);
    here.map(0x1000n, [2], cold);
    there.map(0n, [1, 2], KERNEL);
    expect(diff(here, there)).toEqual([]);
    there.unmap(0n, 0x2000n);
    expect(diff(here, there)).toEqual(['only-here 0x0000000000000000+0x2000 0x1000/12 -']);
  });

  test('are compared with touched: true', () => {
    const { here, there } = pair();
    here.map(0n, [1], KERNEL);
    here.map(0x1000n, [2], cold);
    there.map(0n, [1, 2], KERNEL);
    expect(diff(here, there, { touched: true })).toEqual([
      'protection 0x0000000000001000+0x1000 0x2000/12 0x2000/12',
    ]);
    there.unmap(0n, 0x2000n);
    expect(diff(here, there, { touched: true })).toHaveLength(2);
  });
});

describe('tables of two formats', () => {
  const small = riscv64(3);
  const large = arm64({ granule: 64, vaBits: 48, half: 'ttbr0' });

  test('may have pages of different sizes', () => {
    const { here, there } = pair(small, large);
    here.map(0x10000n, [0x100, 0x101, 0x102, 0x103], KERNEL);
    there.map(0x10000n, [0x10], KERNEL);
    expect(diff(here, there)).toEqual(['only-there 0x0000000000014000+0xc000 - 0x104000/16']);
    expect(diff(there, here, { va: 0x13000n, bytes: 0x3000 })).toEqual([
      'only-here 0x0000000000014000+0x2000 0x104000/16 -',
    ]);
  });

  test('may translate different addresses', () => {
    const { here, there } = pair(small, large);
    here.map(0xffffffc000000000n, [7], KERNEL);
    there.map(0x800000000000n, [8], KERNEL);
    const both = [
      'only-there 0x0000800000000000+0x10000 - 0x80000/16',
      'only-here 0xffffffc000000000+0x1000 0x7000/12 -',
    ];
    expect(diff(here, there)).toEqual(both);
    expect(diff(here, there, { va: 0x800000000000n, bytes: 0x10000 })).toEqual(both.slice(0, 1));
    expect(diff(here, there, { va: 0xffffffc000000000n, bytes: 0x1000 })).toEqual(both.slice(1));
  });

  test('are compared without extra by default, with it by extra: true', () => {
    const { here, there } = pair(riscv64(3), riscv64(4));
    here.map(0n, [1], { ...KERNEL, extra: 0x100n });
    there.map(0n, [1], KERNEL);
    expect(diff(here, there)).toEqual([]);
    expect(diff(here, there, { extra: true })).toEqual([
      'protection 0x0000000000000000+0x1000 0x1000/12 0x1000/12',
    ]);
    const alike = pair();
    alike.here.map(0n, [1], { ...KERNEL, extra: 0x100n });
    alike.there.map(0n, [1], KERNEL);
    expect(diff(alike.here, alike.there)).toHaveLength(1);
    expect(diff(alike.here, alike.there, { extra: false })).toEqual([]);
  });
});

describe('the range of a diff', () => {
  test('cuts leaves that reach beyond it', () => {
    const { here, there } = pair();
    here.mapRange(0n, 0x40000000n, 4n * MIB, KERNEL);
    there.mapRange(0n, 0x40000000n, 4n * MIB, TEXT);
    expect(diff(here, there, { va: 0x1000n, bytes: 2n * MIB })).toEqual([
      'protection 0x0000000000001000+0x200000 0x40001000/21 0x40001000/21',
    ]);
    there.unmap(0n, 4n * MIB);
    expect(diff(here, there, { va: 0x3ff000n, bytes: 0x2000n })).toEqual([
      'only-here 0x00000000003ff000+0x1000 0x403ff000/21 -',
    ]);
  });

  test('lies where at least one of the tables translates', () => {
    const { here, there } = pair(riscv64(3), riscv64(4));
    expect(diff(here, there, { va: 1n << 40n, bytes: 0x1000 })).toEqual([]);
    expect(thrown(() => diffTables(here, there, { va: 1n << 50n, bytes: 0x1000 }))).toMatch(
      /^ERANGE.*riscv64-sv39 does not translate the address/,
    );
    expect(thrown(() => diffTables(here, there, { va: 0n, bytes: 0 }))).toMatch(/^EINVAL.*the length is 0/);
    expect(thrown(() => diffTables(here, there, { va: 0x800n, bytes: 0x1000 }))).toMatch(
      /^EINVAL.*page size/,
    );
    expect(thrown(() => diffTables(here, there, { va: 0n }))).toMatch(/^EINVAL.*the length is undefined/);
    expect(thrown(() => diffTables(here, there, { bytes: 0x1000 }))).toMatch(
      /^EINVAL: the address is undefined/,
    );
  });
});

test('diffTables refuses wrong arguments at the call, before a difference is taken', () => {
  const { here, there } = pair();
  expect(thrown(() => diffTables(here, undefined as never))).toBe(
    'EINVAL: undefined is not a page table; pass a PageTable or a PageTableReader',
  );
  expect(thrown(() => diffTables(here, {} as never))).toMatch(/^EINVAL: .* is not a page table/);
  expect(thrown(() => diffTables(here, there, { touched: 1 } as never))).toBe(
    'EINVAL: touched is 1, expected true or false',
  );
  expect(thrown(() => diffTables(here, there, { extra: 'no' } as never))).toBe(
    "EINVAL: extra is 'no', expected true or false",
  );
  there.destroy();
  expect(thrown(() => diffTables(here, there))).toBe('EINVAL: this page table was destroyed');
});

describe('a member of the protection', () => {
  const format = riscv64(3);

  /** The same table, decoded with one member changed. */
  function told(
    { memory, table }: ReturnType<typeof machine>,
    member: keyof Protection,
    value: unknown,
  ): PageTableReader {
    const decode: PageTableFormat['decode'] = (leaf, level) => ({
      ...format.decode(leaf, level),
      [member]: value,
    });
    return new PageTableReader({ format: { ...format, decode }, memory, root: table.root });
  }

  test.each([
    ['read', false],
    ['write', false],
    ['execute', true],
    ['user', true],
    ['global', false],
    ['memory', 'device'],
    ['extra', 1n],
  ] as const)('makes a difference by itself: %s', (member, value) => {
    const all = machine(format);
    const { table } = all;
    table.map(0x1000n, [7, 8], KERNEL);
    expect(format.decode(words([...table.leaves()][0]?.flags ?? 0n), 2)[member]).not.toBe(value);
    const other = told(all, member, value);
    expect(diff(table, other)).toEqual(['protection 0x0000000000001000+0x2000 0x7000/12 0x7000/12']);
    expect(diff(table, told(all, member, KERNEL[member]))).toEqual([]);
  });

  test.each(['accessed', 'dirty'] as const)('makes a difference only with touched: true: %s', (member) => {
    const all = machine(format);
    const { table } = all;
    table.map(0x1000n, [7, 8], KERNEL);
    const other = told(all, member, false);
    expect(diff(table, other)).toEqual([]);
    expect(diff(table, other, { touched: true })).toHaveLength(1);
  });
});
