import { VM_SPARSE, VM_USERMAP } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import {
  type AllocationKind,
  type ArenaOptions,
  BPF_F_MMAPABLE,
  BPF_F_NO_USER_CONV,
  BPF_F_SEGV_ON_FAULT,
  createArena,
} from '../../src/index.js';
import { MACHINES, machine, startOf } from '../support/machine.js';

/** An attribute that is wrong in every way, from the last check to the first. */
const WRONG: readonly (readonly [code: string, wrong: object])[] = [
  ['ERANGE', { mapExtra: (1n << 44n) - 0x10000n, maxEntries: 64 }],
  ['E2BIG', { maxEntries: 2 ** 21 }],
  ['EINVAL', { mapExtra: 0x10001n }],
  ['EINVAL', { flags: BPF_F_MMAPABLE | 1 }],
  ['EINVAL', { flags: BPF_F_SEGV_ON_FAULT }],
  ['EINVAL', { maxEntries: 0 }],
  ['EINVAL', { valueSize: 8 }],
  ['EINVAL', { keySize: 4 }],
  ['EOPNOTSUPP', { jitSupportsArena: false }],
];

describe.each(MACHINES)('createArena on %s', (name) => {
  test('checks in the order of Linux: of two mistakes, the earlier one is named', () => {
    const { kernel } = machine(name, { pages: 8 });
    let options = { maxEntries: 1 } as ArenaOptions;
    const codes: string[] = [];
    for (const [, wrong] of WRONG) {
      options = { ...options, ...wrong };
      codes.push(codeOf(() => createArena(kernel, options)) as string);
    }
    expect(codes).toEqual(WRONG.map(([code]) => code));
    expect(kernel.vmallocinfo()).toBe('');
  });

  test('reserves 4 GiB and two guards, and finds low half 0 after the lower one', () => {
    const { kernel, page } = machine(name, { pages: 8 });
    const arena = createArena(kernel, { maxEntries: 1 });
    const guard = page === 65536 ? 0x20000 : 0x10000;
    const area = kernel.findVmArea(arena.kernVmStart);
    expect(area?.bytes).toBe(BigInt(2 ** 32 + guard));
    expect(area?.flags).toBe(VM_SPARSE | VM_USERMAP);
    expect(arena.kernVmStart).toBe((area?.addr ?? 0n) + BigInt(guard / 2));
    expect(kernel.vmallocinfo()).toContain('arena_map_alloc');
    expect(kernel.vmallocinfo()).toContain('sparse user');
  });

  test.each([
    ['6.12', 0],
    ['6.14', 0],
    ['7.1', 1],
    ['7.2', 2],
    ['7.3', 2],
    ['three-state', 2],
  ] as const)('of release %s makes its tables as Linux does', (release, how) => {
    const { kernel, tables, ram, page } = machine(name, { pages: 8 });
    const [before, pages] = [tables.stats().allocated, ram.stats().allocated];
    createArena(kernel, { maxEntries: 1, release });
    const made = tables.stats().allocated - before;
    // A table of the last level has page / 8 entries. The window begins inside one, so it touches one more.
    const least = 2 ** 32 / page / (page / 8);
    if (how === 0) expect(made).toBe(0);
    else expect(made).toBeGreaterThanOrEqual(least + 1);
    expect(made).toBeLessThan(least + 20);
    expect(ram.stats().allocated - pages).toBe(how === 2 ? 1 : 0);
  });

  test('the highest address that is used ends at a multiple of 4 GiB', () => {
    const { kernel, page } = machine(name, { pages: 8 });
    const mapExtra = startOf(name) + 2n ** 32n - BigInt(3 * page);
    expect(codeOf(() => createArena(kernel, { maxEntries: 4, mapExtra }))).toBe('ERANGE');
    const arena = createArena(kernel, { maxEntries: 3, mapExtra });
    expect(arena.userVmEnd % 2n ** 32n).toBe(0n);
    expect(arena.allocPages(null, 3)).toBe(mapExtra);
    expect(createArena(kernel, { maxEntries: 2 ** 32 / page }).maxEntries).toBe(2 ** 32 / page);
  });

  test.each(['arena', 'page', 'node'] as const)(
    'leaves nothing behind when there is no memory for: %s',
    (kind) => {
      const { kernel, tables, ram } = machine(name, { pages: 8 });
      const before = [kernel.vmallocinfo(), tables.stats().free, ram.stats().free];
      const allocFailure = (asked: AllocationKind) => asked === kind;
      expect(codeOf(() => createArena(kernel, { maxEntries: 4, allocFailure }))).toBe('ENOMEM');
      expect([kernel.vmallocinfo(), tables.stats().free, ram.stats().free]).toEqual(before);
      expect(createArena(kernel, { maxEntries: 4 }).maxEntries).toBe(4);
    },
  );

  test('leaves nothing behind when there are too few frames for tables', () => {
    const { kernel, tables, ram } = machine(name, { pages: 8 });
    const taken = tables.allocateMany(tables.stats().free - 4);
    const before = [kernel.vmallocinfo(), tables.stats().free, ram.stats().free];
    expect(codeOf(() => createArena(kernel, { maxEntries: 4 }))).toBe('ENOMEM');
    expect([kernel.vmallocinfo(), tables.stats().free, ram.stats().free]).toEqual(before);
    tables.freeMany(taken);
  });
});

describe('createArena', () => {
  test('refuses unknown options, and values of another type', () => {
    const { kernel } = machine('x86-64', { pages: 8 });
    for (const wrong of [
      { maxEntrys: 1 },
      { maxEntries: '1' },
      { maxEntries: 1.5 },
      { maxEntries: 1, mapExtra: 4096 },
      { maxEntries: 1, release: '6.9' },
      { maxEntries: 1, report: 1 },
      { maxEntries: 1, interleave: 'x' },
      { maxEntries: 1, allocFailure: {} },
      { maxEntries: 1, nodes: 0 },
      { maxEntries: 1, reserveNull: -1 },
    ])
      expect(codeOf(() => createArena(kernel, wrong as unknown as ArenaOptions))).toBe('EINVAL');
    expect(codeOf(() => createArena({} as never, { maxEntries: 1 }))).toBe('EINVAL');
  });

  test('casts as the JIT does', () => {
    const { kernel } = machine('x86-64', { pages: 8 });
    const start = 0x7f7d_2620_0000n;
    const arena = createArena(kernel, { maxEntries: 16, mapExtra: start });
    expect(arena.castToKernel(start + 0x123n)).toBe(0x2620_0123n);
    expect(arena.castToUser(0x2620_0123n)).toBe(start + 0x123n);
    expect(arena.castToUser(0xdead_0000_0005n << 16n)).toBe((start & ~0xffffffffn) | 0x0005_0000n);
    // A low half of 0 is NULL.
    expect(arena.castToUser(1n << 40n)).toBe(0n);
    const plain = createArena(kernel, {
      ...{ maxEntries: 16, mapExtra: start },
      flags: BPF_F_MMAPABLE | BPF_F_NO_USER_CONV,
    });
    expect(plain.castToUser(start + 0x123n)).toBe(0x2620_0123n);
  });
});
