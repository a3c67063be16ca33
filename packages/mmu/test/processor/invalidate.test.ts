import { ARM64_INVALIDATIONS, arm64 } from '@vmarea/arm64';
import { type Invalidation, PageTable, type PageTableFormat } from '@vmarea/core';
import type { Mmu } from '@vmarea/mmu';
import { RISCV64_INVALIDATIONS, riscv64 } from '@vmarea/riscv64';
import { X8664_INVALIDATIONS, x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { GLOBAL_RW, RW, smallMachine, split, USER_RW } from './support/small-machine.js';

interface Case {
  readonly format: PageTableFormat;
  readonly invalidations: readonly Invalidation[];
  /** A first address of the format's range, aligned to a GiB. */
  readonly base: bigint;
}

const X86: Case = { format: x8664(), invalidations: X8664_INVALIDATIONS, base: 0xffff_8000_0000_0000n };
const ARM64: Case = {
  ...{ format: arm64({ granule: 4, vaBits: 48 }), invalidations: ARM64_INVALIDATIONS },
  base: 0xffff_0000_0000_0000n,
};
const RISCV64: Case = {
  ...{ format: riscv64({ mode: 'sv39' }), invalidations: RISCV64_INVALIDATIONS },
  base: 0xffff_ffc0_0000_0000n,
};

/** What two address spaces have in a TLB: pages at the same addresses, one of them global. */
const PAGE = 0x1000n;
const OTHER = 0x5000n;
const SHARED = 0x9000n;

/**
 * Fills the TLB with `PAGE`, `OTHER` and the global `SHARED` of ASIDs 1 and 2, takes everything out of the tables behind its back,
 * does something, and tells what is still served: `page1`, `other1`, `global`, `page2`, `other2`.
 */
function survivors(
  { format, invalidations, base }: Case,
  change: (mmu: Mmu, base: bigint) => void,
): string[] {
  const { memory, frames, table, mmu } = smallMachine(format, {}, undefined, invalidations);
  const second = new PageTable({ format, memory, frames });
  const addresses = [PAGE, OTHER, SHARED].map((offset) => base + offset);
  for (const one of [table, second]) {
    for (const va of addresses) one.map(va, [700], va === base + SHARED ? GLOBAL_RW : USER_RW);
  }
  const served = (): boolean[] =>
    addresses.map((va) => mmu.translate(...split(va), 'read', va !== base + SHARED) === 700);
  mmu.switchRoot(second.root, 2);
  expect(served()).toEqual([true, true, true]);
  mmu.switchRoot(table.root, 1);
  expect(served()).toEqual([true, true, true]);
  for (const one of [table, second]) for (const va of addresses) one.unmap(va, 4096);
  change(mmu, base);
  // ASID 1 is the current one again, whatever the change did.
  mmu.switchRoot(table.root, 1);
  const [page1, other1, global] = served();
  mmu.switchRoot(second.root, 2);
  const [page2, other2, global2] = served();
  expect(global2).toBe(global);
  return Object.entries({ page1, other1, global, page2, other2 }).flatMap(([name, is]) => (is ? [name] : []));
}

const ALL = ['page1', 'other1', 'global', 'page2', 'other2'];
const without = (...gone: string[]): string[] => ALL.filter((one) => !gone.includes(one));

describe('an invalidation forgets what the manual says, and keeps the rest', () => {
  test.each<[string, Case, (mmu: Mmu, base: bigint) => void, string[]]>([
    ['nothing', X86, () => {}, ALL],
    ['INVLPG', X86, (mmu, base) => mmu.invalidate('INVLPG', base + PAGE), without('page1')],
    [
      'INVLPG of a global page',
      X86,
      (mmu, base) => mmu.invalidate('INVLPG', base + SHARED),
      without('global'),
    ],
    ['INVPCID 0', X86, (mmu, base) => mmu.invalidate('INVPCID 0', base + PAGE + 5n, 2), without('page2')],
    ['INVPCID 0 of a global page', X86, (mmu, base) => mmu.invalidate('INVPCID 0', base + SHARED, 1), ALL],
    ['INVPCID 1', X86, (mmu) => mmu.invalidate('INVPCID 1', 2), without('page2', 'other2')],
    ['INVPCID 2', X86, (mmu) => mmu.invalidate('INVPCID 2'), []],
    ['INVPCID 3', X86, (mmu) => mmu.invalidate('INVPCID 3'), ['global']],
    ['MOV CR3', X86, (mmu) => mmu.invalidate('MOV CR3'), without('page1', 'other1')],
    ['MOV CR4.PGE', X86, (mmu) => mmu.invalidate('MOV CR4.PGE'), []],
    ['TLBI VAE1', ARM64, (mmu, base) => mmu.invalidate('TLBI VAE1', base + PAGE, 1), without('page1')],
    [
      'TLBI VAE1 of a global page',
      ARM64,
      (mmu, base) => mmu.invalidate('TLBI VAE1', base + SHARED, 7),
      without('global'),
    ],
    ['TLBI VALE1IS', ARM64, (mmu, base) => mmu.invalidate('TLBI VALE1IS', base + PAGE, 2), without('page2')],
    [
      'TLBI VAAE1',
      ARM64,
      (mmu, base) => mmu.invalidate('TLBI VAAE1', base + PAGE),
      without('page1', 'page2'),
    ],
    ['TLBI ASIDE1', ARM64, (mmu) => mmu.invalidate('TLBI ASIDE1', 1), without('page1', 'other1')],
    ['TLBI VMALLE1', ARM64, (mmu) => mmu.invalidate('TLBI VMALLE1'), []],
    [
      'TLBI RVAE1',
      ARM64,
      (mmu, base) => mmu.invalidate('TLBI RVAE1', base, 0x6000, 2),
      without('page2', 'other2'),
    ],
    [
      'TLBI RVAAE1OS',
      ARM64,
      (mmu, base) => mmu.invalidate('TLBI RVAAE1OS', base + OTHER, 0x5000n),
      ['page1', 'page2'],
    ],
    ['SFENCE.VMA', RISCV64, (mmu) => mmu.invalidate('SFENCE.VMA'), []],
    [
      'SFENCE.VMA va',
      RISCV64,
      (mmu, base) => mmu.invalidate('SFENCE.VMA va', base + PAGE),
      without('page1', 'page2'),
    ],
    [
      'SFENCE.VMA va of a global page',
      RISCV64,
      (mmu, base) => mmu.invalidate('SFENCE.VMA va', base + SHARED),
      without('global'),
    ],
    ['SFENCE.VMA asid', RISCV64, (mmu) => mmu.invalidate('SFENCE.VMA asid', 2), without('page2', 'other2')],
    [
      'SFENCE.VMA va, asid',
      RISCV64,
      (mmu, base) => mmu.invalidate('SFENCE.VMA va, asid', base + OTHER, 1),
      without('other1'),
    ],
    [
      'SFENCE.VMA va, asid of a global page',
      RISCV64,
      (mmu, base) => mmu.invalidate('SFENCE.VMA va, asid', base + SHARED, 1),
      ALL,
    ],
    [
      'SINVAL.VMA va, asid',
      RISCV64,
      (mmu, base) => mmu.invalidate('SINVAL.VMA va, asid', base + OTHER, 1),
      without('other1'),
    ],
    [
      'a flush of the sink',
      X86,
      (mmu, base) => mmu.sink.flush(base, 0x6000n, 12, [], 2),
      without('page2', 'other2'),
    ],
    [
      'a flush of the sink over a global page',
      X86,
      (mmu, base) => mmu.sink.flush(base + SHARED, 0x1000n, 12, [], 9),
      without('global'),
    ],
    // Beyond the number of lines, everything of the ASID goes, and what all share.
    [
      'a flush of tebibytes',
      X86,
      (mmu, base) => mmu.sink.flush(base, 1n << 42n, 12, [], 1),
      ['page2', 'other2'],
    ],
    ['a switch of roots', X86, (mmu) => mmu.switchRoot(0x5000n, 1), without('page1', 'other1')],
  ])('%s', (_, one, change, expected) => {
    expect(survivors(one, change)).toEqual(expected);
  });

  test('it takes 300 address spaces without mixing them up', () => {
    const expected = survivors(X86, (mmu) => {
      for (let asid = 3; asid < 303; asid++) mmu.switchRoot(0x5000n, asid);
    });
    // There are 255 numbers. When they are used up, everything may go: what stays must be right.
    expect(ALL).toEqual(expect.arrayContaining(expected));
    expect(expected).toEqual([]);
  });
});

describe.each([
  ['x86-64', X86, 'INVLPG', []],
  ['arm64', ARM64, 'TLBI VAE1', [0]],
  ['riscv64', RISCV64, 'SFENCE.VMA va', []],
] as const)(
  'on %s, an invalidation of one page inside a larger leaf',
  (_, { format, invalidations, base }, name, asid) => {
    test.each([
      ['2 MiB', 2 << 20],
      ['1 GiB', 2 ** 30],
    ])('forgets the whole leaf of %s', (_name, bytes) => {
      const { table, mmu } = smallMachine(format, { entries: 64 }, undefined, invalidations);
      table.mapRange(base, 0x4000_0000n, bytes, RW);
      // A small page beside it, which stays.
      table.map(base + 0x8000_0000n, [700], RW);
      const inside = [0x0n, 0x3000n, 0x1f_f000n, BigInt(bytes) - 4096n];
      for (const offset of [...inside, 0x8000_0000n]) {
        expect(mmu.translate(...split(base + offset), 'read', false)).toBeGreaterThan(0);
      }
      table.unmap(base, bytes);
      table.unmap(base + 0x8000_0000n, 4096);
      const other = 0x10_1000n;
      mmu.invalidate(name, base + other, ...asid);
      for (const offset of inside) expect(mmu.translate(...split(base + offset), 'read', false)).toBe(-1);
      expect(mmu.translate(...split(base + 0x8000_0000n), 'read', false)).toBe(700);
    });

    test('forgets a leaf that a range reaches with its first or last page only', () => {
      for (const [from, bytes] of [
        [-0x3000n, 0x4000n],
        [0x1f_f000n, 0x4000n],
      ] as const) {
        const { table, mmu } = smallMachine(format, {}, undefined, invalidations);
        const va = base + 0x4000_0000n;
        table.mapRange(va, 0x4000_0000n, 2 << 20, RW);
        expect(mmu.translate(...split(va + 0x7000n), 'write', false)).toBe(0x40007);
        table.unmap(va, 2 << 20);
        mmu.sink.flush(va + from, bytes, 12, [], 0);
        expect(mmu.translate(...split(va + 0x7000n), 'write', false)).toBe(-1);
      }
    });
  },
);

describe('an invalidation of one page', () => {
  test.each([
    ['a contiguous run of arm64', arm64({ granule: 4, vaBits: 48 }), 'TLBI VAAE1', ARM64, 64 << 10],
    ['a NAPOT run of riscv64', riscv64({ mode: 'sv39' }), 'SFENCE.VMA va', RISCV64, 64 << 10],
    ['a page of 64 KiB', arm64({ granule: 64, vaBits: 48 }), 'TLBI VAAE1', ARM64, 64 << 10],
  ])('forgets all of %s', (_, format, name, { invalidations, base }, bytes) => {
    const { table, mmu } = smallMachine(format, {}, undefined, invalidations);
    table.mapRange(base, 0x4000_0000n, bytes, RW);
    expect(mmu.translate(...split(base + 0x9000n), 'read', false)).toBe(0x40009);
    table.unmap(base, bytes);
    mmu.invalidate(name, base + 0x1000n);
    expect(mmu.translate(...split(base + 0x9000n), 'read', false)).toBe(-1);
  });
});

describe('what invalidate is given', () => {
  const { mmu } = smallMachine(X86.format, {}, undefined, X8664_INVALIDATIONS);
  test.each<[string, () => void, string]>([
    [
      'a name that is not there',
      () => mmu.invalidate('INVPLG', 0n),
      "no invalidation 'INVPLG'; did you mean 'INVLPG'?",
    ],
    ['no operands', () => mmu.invalidate('INVLPG'), 'INVLPG has 0 operands; pass the address'],
    ['too many', () => mmu.invalidate('INVPCID 2', 0n), 'INVPCID 2 has 1 operands; it takes none'],
    [
      'an ASID as the address',
      () => mmu.invalidate('INVPCID 0', 1, 0n),
      'the address is 1, expected a bigint',
    ],
    ['an ASID of 17 bits', () => mmu.invalidate('INVPCID 1', 65536), 'asid is 65536, expected 0 to 65535'],
    ['an address of 65 bits', () => mmu.invalidate('INVLPG', 1n << 64n), 'ERANGE'],
  ])('%s is refused', (_, call, message) => {
    expect(call).toThrow(message);
  });

  const arm = smallMachine(ARM64.format, {}, undefined, ARM64_INVALIDATIONS).mmu;
  test.each<[string, unknown, string]>([
    ['undefined', undefined, 'EINVAL'],
    ['a fraction', 1.5, 'EINVAL'],
    ['NaN', Number.NaN, 'EINVAL'],
    ['text', '4096', 'EINVAL'],
    ['beyond 64 bits', 1n << 64n, 'ERANGE'],
  ])('a range whose length is %s is refused', (_, bytes, code) => {
    expect(() => arm.invalidate('TLBI RVAE1', 0x1000n, bytes as bigint, 0)).toThrow(
      `${code} at 0x0000000000001000: TLBI RVAE1: the`,
    );
  });

  test('an empty range is refused, and a list is needed', () => {
    expect(() => arm.invalidate('TLBI RVAE1', 0n, 0n, 0)).toThrow('the range is empty');
    expect(() => smallMachine(X86.format).mmu.invalidate('INVLPG', 0n)).toThrow(
      'give the list of its format',
    );
  });
});

test.each([
  ['one page', 0x1000n],
  ['more pages than the TLB has lines', 64n << 20n],
])("a flush of %s for another ASID forgets global translations, and keeps the current ASID's", (_, bytes) => {
  const { format, base } = X86;
  const { table, mmu } = smallMachine(format);
  const served = (va: bigint, user: boolean): number => mmu.translate(...split(va), 'read', user);
  table.map(base, [700], GLOBAL_RW);
  table.map(base + 0x1000n, [702], RW);
  table.map(0x1000n, [701], USER_RW);
  mmu.switchRoot(table.root, 5);
  expect([served(base, false), served(base + 0x1000n, false), served(0x1000n, true)]).toEqual([
    700, 702, 701,
  ]);
  for (const va of [base, base + 0x1000n, 0x1000n]) table.unmap(va, 4096);
  // As a kernel's purge does: its own ASID, whatever process runs.
  mmu.sink.flush(base, bytes, 12, [], 0);
  expect([served(base, false), served(base + 0x1000n, false), served(0x1000n, true)]).toEqual([-1, 702, 701]);
});

test('a user page of one ASID is not served to another', () => {
  const { format } = X86;
  const { memory, frames, table, mmu } = smallMachine(format);
  const second = new PageTable({ format, memory, frames });
  table.map(0x1000n, [700], USER_RW);
  second.map(0x1000n, [701], USER_RW);
  for (let round = 0; round < 3; round++) {
    mmu.switchRoot(table.root, 1);
    expect(mmu.translate(0, 0x1000, 'write', true)).toBe(700);
    mmu.switchRoot(second.root, 2);
    expect(mmu.translate(0, 0x1000, 'write', true)).toBe(701);
  }
  // Each was walked once.
  expect(mmu.counters.walks).toBe(2);
});

test('global translations survive a switch without a walk, unless CR4.PGE is off', () => {
  const { format, base } = X86;
  const { memory, frames, table, mmu } = smallMachine(format);
  const second = new PageTable({ format, memory, frames });
  for (const one of [table, second]) one.map(base, [700], GLOBAL_RW);
  for (const [pge, walks] of [
    [true, 1],
    [false, 4],
  ] as const) {
    mmu.setControls({ pge });
    for (const [root, asid] of [
      [table.root, 1],
      [second.root, 2],
      [table.root, 1],
    ] as const) {
      mmu.switchRoot(root, asid);
      expect(mmu.translate(...split(base), 'read', false)).toBe(700);
    }
    expect(mmu.counters.walks).toBe(walks);
  }
});

test("riscv64's G in a table makes all below it global", () => {
  const { format, base } = RISCV64;
  const { memory, table, mmu } = smallMachine(format);
  table.map(base, [700], RW);
  const [root] = table.walk(base).steps;
  if (root === undefined) throw new Error('no walk');
  memory.write64(root.address, root.entry | 0x20n);
  for (const asid of [1, 2, 3]) {
    mmu.switchRoot(table.root, asid);
    expect(mmu.translate(...split(base), 'read', false)).toBe(700);
  }
  expect(mmu.counters.walks).toBe(1);
});
