import {
  AddressSpace,
  applyToRange,
  collapseLeaves,
  FrameAllocator,
  PageTable,
  PageTableReader,
  PhysicalMemory,
  protection,
  splitLeaves,
} from '@vmarea/core';
import { hex, loadGuest } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import {
  ARM64_BITS,
  type Arm64Half,
  type Arm64Registers,
  arm64,
  arm64FromRegisters,
  arm64Linux,
} from '../src/index.js';

const { PXN_TABLE, UXN_TABLE, AP_TABLE_READ_ONLY, AP_TABLE_NO_USER } = ARM64_BITS;
const MiB = 1n << 20n;

/** A root of somebody else with one block of 2 MiB at 0. Its two table entries are valid and have the given bits. */
function foreign(
  half: 'ttbr0' | 'ttbr1',
  block: bigint,
  { above = 0n, tableEntry }: { above?: bigint; tableEntry?: bigint } = {},
) {
  const memory = PhysicalMemory.create({ bytes: 1 << 20 });
  const frames = new FrameAllocator(memory);
  const [l2, l1] = [frames.allocate(), frames.allocate()].map((pfn) => BigInt(pfn) << 12n) as [
    bigint,
    bigint,
  ];
  memory.write64(l1, l2 | 3n | above);
  memory.write64(l2, 0x80000000n | block);
  const format = arm64({ granule: 4, vaBits: 39, half });
  const table = new PageTable({
    ...{ format, memory, root: l1, frames },
    ...(tableEntry === undefined ? {} : { tableEntry }),
  });
  const start = half === 'ttbr0' ? 0n : 0xffffff8000000000n;
  return { memory, table, l2, at: (offset: bigint) => start + offset };
}

/** Normal memory, accessed, inner shareable: EL1 reads, writes and executes, EL0 nothing (UXN). */
const IDENTITY = 0x701n | (1n << 54n);
/** EL0 and EL1 read and execute. */
const SHARED_TEXT = 0x7c1n;

const CALLS: readonly [string, (table: PageTable, va: bigint) => void][] = [
  ['protect', (table, va) => table.protect(va, 4096, { execute: false })],
  ['unmap', (table, va) => table.unmap(va, 4096)],
  ['splitLeaves', (table, va) => splitLeaves(table, va, 4096)],
  [
    'applyToRange',
    (table, va) => void applyToRange(table, va, 4096, (slot) => slot.set(0, 0), { blocks: 'split' }),
  ],
];

describe('a block of an identity map of somebody else', () => {
  test.each(CALLS)('keeps what the kernel executes, outside a page that %s names', (_, call) => {
    for (const [half, block, user] of [
      ['ttbr0', IDENTITY, false],
      ['ttbr0', SHARED_TEXT, false],
      ['ttbr0', SHARED_TEXT, true],
      ['ttbr1', SHARED_TEXT, false],
      ['ttbr1', SHARED_TEXT, true],
    ] as const) {
      const { table, at } = foreign(half, block);
      const fetch = { kind: 'execute', user } as const;
      const before = table.walk(at(0x100000n)).permissions;
      expect([half, hex(block), table.walk(at(0x100000n), fetch).fault]).toEqual([half, hex(block), null]);
      call(table, at(0x1000n));
      expect([half, hex(block), table.walk(at(0x100000n), fetch).fault]).toEqual([half, hex(block), null]);
      expect(table.walk(at(0x100000n)).leaf?.leafShift).toBe(12);
      expect(table.walk(at(0x100000n)).permissions).toEqual(before);
      expect(table.walk(at(0n)).permissions).toEqual(before);
    }
  });

  test.each([PXN_TABLE, UXN_TABLE, AP_TABLE_READ_ONLY, AP_TABLE_NO_USER])(
    'keeps its rights below a table entry with the bit %i',
    (above) => {
      for (const block of [IDENTITY, SHARED_TEXT, 0x741n]) {
        const { table, at } = foreign('ttbr0', block, { above });
        const before = table.walk(at(0n)).permissions;
        splitLeaves(table, at(0x1000n), 4096);
        for (let page = 0n; page < 512n; page++)
          expect(table.walk(at(page << 12n)).permissions).toEqual(before);
        collapseLeaves(table, at(0n), 2n * MiB);
        expect(table.walk(at(0n)).permissions).toEqual(before);
      }
    },
  );

  test.each([
    ["Linux's kernel", 'ttbr1', SHARED_TEXT, 'tableEntry'],
    ['a process', 'ttbr0', IDENTITY, 'userTableEntry'],
  ] as const)('keeps its rights in a table with the table entries of %s', (_, half, block, name) => {
    const { [name]: tableEntry } = arm64Linux({ granule: 4, vaBits: 39 });
    const { table, at, memory, l2 } = foreign(half, block, { tableEntry });
    const before = table.walk(at(0n)).permissions;
    table.protect(at(0x1000n), 4096, { execute: false });
    expect(table.walk(at(0n)).permissions).toEqual(before);
    // The kernel's entry would take what the block allows, so this one is the format's.
    expect(hex(memory.read64(l2) & 0xfff0_0000_0000_0fffn)).toBe('0x0000000000000003');
    // A new table takes nothing from anybody.
    table.map(at(4n * MiB), [0x5], protection({ write: true, global: true }));
    expect(hex(memory.read64(l2 + 16n) & 0xfff0_0000_0000_0fffn)).toBe(hex(tableEntry));
  });

  test('loses what only some modes show, neither by a cut nor by a collapse', () => {
    // A clean page that the user may write (DBM, AP[2] set): the kernel executes it where HA is off.
    const block = 0x7c1n | (1n << 51n) | (1n << 54n);
    const { userTableEntry: tableEntry } = arm64Linux({ granule: 4, vaBits: 39 });
    const { table, at } = foreign('ttbr0', block, { tableEntry });
    const fetch = { kind: 'execute', user: false } as const;
    const off = { ha: false, hd: false };
    expect([table.walk(at(0n), fetch, off).fault, table.walk(at(0n), fetch).fault?.kind]).toEqual([
      null,
      'permission',
    ]);
    splitLeaves(table, at(0x1000n), 4096);
    expect(table.walk(at(0n), fetch, off).fault).toBeNull();
  });
});

describe('what encode takes, a page table builds', () => {
  test('in the lower half: pages that the kernel executes', () => {
    const { table, at } = foreign('ttbr0', 0n);
    table.map(at(4n * MiB), [0x5], protection({ execute: true }));
    expect(table.walk(at(4n * MiB), { kind: 'execute', user: false }).fault).toBeNull();
    table.map(at(6n * MiB), [0x5], protection({ write: true }));
    table.protect(at(6n * MiB), 4096, { write: false, execute: true });
    expect(table.walk(at(6n * MiB), { kind: 'execute', user: false }).fault).toBeNull();
  });

  test('in the upper half: pages that the user executes', () => {
    const { table, at } = foreign('ttbr1', 0n);
    table.map(at(4n * MiB), [0x5], protection({ user: true, execute: true }));
    expect(table.walk(at(4n * MiB), { kind: 'execute', user: true }).fault).toBeNull();
  });
});

describe("Linux's table entries", () => {
  test('forbid execution to the other side, and carry the access flag since 6.13', () => {
    const { tableEntry, userTableEntry } = arm64Linux({ granule: 4, vaBits: 48 });
    expect(hex(tableEntry)).toBe('0x1000000000000403');
    expect(hex(userTableEntry)).toBe('0x0800000000000403');
    const before = arm64Linux({ granule: 4, vaBits: 48, tableAccessFlag: false });
    expect(hex(before.tableEntry)).toBe('0x1000000000000003');
    expect(hex(before.userTableEntry)).toBe('0x0800000000000003');
  });

  test('are what an address space writes at every level', () => {
    const linux = arm64Linux({ granule: 4, vaBits: 48 });
    const memory = PhysicalMemory.create({ bytes: 1 << 20 });
    const frames = new FrameAllocator(memory);
    const kernel = new AddressSpace({ format: arm64({ granule: 4, vaBits: 48 }), linux, memory, frames });
    const { steps } = kernel.table.walk(kernel.vmalloc(4096));
    const flags = steps.slice(0, -1).map(({ entry }) => hex(entry & ~0xffff_ffff_f000n));
    expect(flags).toEqual([hex(linux.tableEntry), hex(linux.tableEntry), hex(linux.tableEntry)]);
  });

  test.each([
    ['linux-6.1-arm64-4k', 4, 48],
    ['linux-6.12-arm64-16k', 16, 47],
  ] as const)('of %s are these, in both halves', (name, granule, vaBits) => {
    const guest = loadGuest(name);
    const state = arm64FromRegisters(guest.machine.registers as unknown as Arm64Registers);
    const linux = arm64Linux({ granule, vaBits, tableAccessFlag: false });
    for (const [root, entry] of [
      ['ttbr1', linux.tableEntry],
      ['ttbr0', linux.userTableEntry],
    ] as const) {
      const half = state[root] as Arm64Half;
      const table = new PageTableReader({ ...half, memory: guest.memory });
      const found = new Set<string>();
      const address = half.format.pageShift === 12 ? 0xffff_ffff_f000n : 0xffff_ffff_c000n;
      // Boot makes the tables of the kernel's image and of its linear map in other ways.
      const areas = guest.vmallocinfo().filter(({ info }) => info.pages !== undefined);
      const addresses =
        root === 'ttbr0' ? guest.leaves(root).map(({ va }) => va) : areas.map(({ start }) => start);
      for (const va of addresses)
        for (const step of table.walk(va ?? 0n).steps)
          if (step.kind === 'table') found.add(hex(step.entry & ~address));
      expect([root, ...found].sort()).toEqual([root, hex(entry)].sort());
    }
  });
});

describe('the option tableEntry', () => {
  test.each([
    [0x1003n, 'EINVAL: `tableEntry` 0x0000000000001003 has the address bits 0x0000000000001000'],
    [0x401n, 'EINVAL: `tableEntry` 0x0000000000000401 points to no table at level PGD of arm64-4k-39-ttbr0'],
    [0n, 'EINVAL: `tableEntry` 0x0000000000000000 points to no table'],
    [3 as unknown as bigint, 'EINVAL: `tableEntry` is 3, expected a bigint'],
    [1n << 64n, 'ERANGE: `tableEntry` 0x10000000000000000 is outside 64 bits'],
  ])('of 0x%s is refused', (tableEntry, message) => {
    expect(() => foreign('ttbr0', 0n, { tableEntry })).toThrow(message);
  });
});
