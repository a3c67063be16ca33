import { firstAddress } from '@vmarea/conformance';
import {
  FrameAllocator,
  PageTable,
  PageTableReader,
  PhysicalMemory,
  protection,
  sparseBank,
  VmError,
  wasmLoops,
} from '@vmarea/core';
import { machine } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../formats/arm64.js';
import { formats } from '../formats/index.js';
import { riscv64 } from '../formats/riscv64.js';

const WRITE = protection({ write: true, global: true });
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;

/** The allocated frames of a machine as a read-only image: those of the root in order, the others backwards. */
function imageOf(
  { memory, frames }: { memory: PhysicalMemory; frames: FrameAllocator },
  rootFrames = 1,
): PhysicalMemory {
  const size = 2 ** frames.pageShift;
  const { allocated } = frames.stats();
  const addresses = Array.from({ length: allocated }, (_, i) =>
    BigInt((frames.first + (i < rootFrames ? i : allocated - 1 + rootFrames - i)) * size),
  );
  const bytes = new Uint8Array(allocated * size);
  addresses.forEach((pa, i) => {
    bytes.set(memory.bytesAt(pa, size), i * size);
  });
  return PhysicalMemory.of([sparseBank({ pageShift: frames.pageShift, addresses, bytes })]);
}

describe.each(formats.map((format) => [format.name, format] as const))('an image of %s', (_name, format) => {
  test('reads as the tables that it was taken from', () => {
    const made = machine(format, 64, 0x80000000n);
    const { table, pageBytes } = made;
    const start = firstAddress(format);
    const total = 2 ** (format.range.bits - format.pageShift) / (format.range.upper === 'sign' ? 2 : 1);
    const end = start + BigInt(total * pageBytes);
    table.map(start, [9, 7, 8], WRITE);
    table.mapRange(end - BigInt(2 * pageBytes), 0x40000000n, 2 * pageBytes, protection({ execute: true }));
    const block = format.levels[format.levels.length - 2];
    if (block?.leaf && total * pageBytes >= 4 * 2 ** block.shift) {
      table.mapRange(start + (1n << BigInt(block.shift)), 0n, 2 ** block.shift, WRITE);
    }
    const rootFrames = Math.max(1, 2 ** ((format.levels[0]?.bits ?? 0) + 3 - format.pageShift));
    const image = new PageTableReader({ format, memory: imageOf(made, rootFrames), root: table.root });
    expect([...image.leaves()]).toEqual([...table.leaves()]);
    for (const { va, count, leafShift } of table.leaves()) {
      for (const probe of [va, va + (BigInt(count) << BigInt(leafShift)) - 1n]) {
        expect(image.translate(probe)).toBe(table.translate(probe));
        expect(image.walk(probe)).toEqual(table.walk(probe));
      }
    }
    const hole = start + BigInt(3 * pageBytes);
    expect(image.translate(hole)).toBeNull();
    for (const change of ['map', 'mapRange', 'unmap', 'protect', 'split', 'reclaim', 'destroy'])
      expect(change in image).toBe(false);
  });
});

describe('opening existing tables', () => {
  test('walks tables in several banks, and changes them', () => {
    // The RAM of a guest, below and above a hole as in a PC. The root lies in the upper bank.
    const ram = new ArrayBuffer(0x40000);
    const memory = PhysicalMemory.of([
      { source: ram, byteOffset: 0, bytes: 0x20000, base: 0n },
      { source: ram, byteOffset: 0x20000, bytes: 0x20000, base: 0x100000000n },
    ]);
    const upper = new FrameAllocator(memory, { first: 0x100000, frames: 16 });
    const lower = new FrameAllocator(memory, { first: 0, frames: 32 });
    const first = new PageTable({ format: arm, memory, frames: upper });
    first.map(BASE, [0x11], WRITE);
    const second = new PageTable({ format: arm, memory, root: first.root, frames: lower });
    second.map(BASE + 0x40000000n, [0x22], WRITE);
    expect(first.root).toBe(0x100000000n);
    for (const table of [first, second]) {
      expect(table.translate(BASE)).toBe(0x11000n);
      expect(table.translate(BASE + 0x40000000n)).toBe(0x22000n);
      expect([...table.leaves()]).toHaveLength(2);
    }
    // Tables of the first allocator are foreign to the second: they stay when they are emptied.
    second.unmap(BASE, 0x80000000n, { reclaim: true });
    expect(lower.stats().allocated).toBe(0);
    expect(upper.stats().allocated).toBe(4);
    expect(() => second.destroy()).toThrow('EINVAL: the root was not made by this page table');
  });

  test('refuses a root that has no bytes, is misaligned or is not an address', () => {
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 0x10000 });
    const open = (root: bigint) => () => new PageTableReader({ format: arm, memory, root });
    expect(open(0x10000n)).toThrow('EFAULT at 0x0000000000010000: the memory has no bytes at the root');
    expect(open(0x1003n)).toThrow(
      'EINVAL at 0x0000000000001003: the root is not a multiple of its size 0x1000',
    );
    expect(open(-1n)).toThrow(VmError);
    expect(open(7 as unknown as bigint)).toThrow('EINVAL: the root is 7, expected a bigint');
  });

  test('takes a small root that starts inside a frame', () => {
    // 16K granule, 48 bits: two entries in the root, 64 bytes alignment.
    const format = arm64({ granule: 16, vaBits: 48 });
    const { table, memory, frames } = machine(format);
    table.map(BASE, [3], WRITE);
    const entry = memory.read64(table.root);
    memory.write64(0x8040n, entry);
    const inside = new PageTable({ format, memory, root: 0x8040n, frames });
    expect(inside.root).toBe(0x8040n);
    expect(inside.translate(BASE)).toBe(3n << 14n);
    expect(inside.walk(BASE).steps[0]?.address).toBe(0x8040n);
  });

  test('names the address of a table without bytes, and changes nothing', () => {
    const made = machine(arm);
    made.table.map(BASE, [1], WRITE);
    made.table.map(BASE + 0x40000000n, [2], WRITE);
    const { memory, table, frames } = made;
    // The second entry of the PUD points far outside the memory.
    const pud = table.walk(BASE).steps[1]?.table as bigint;
    memory.write64(pud + 8n, 0x0000_0070_0000_0403n);
    const opened = new PageTable({ format: arm, memory, root: table.root, frames });
    const missing = /^EFAULT at 0xffff000040000000: the table at physical 0x7000000000 has no bytes$/;
    const catching = (call: () => unknown): string => {
      try {
        call();
        return 'none';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(catching(() => [...opened.leaves()])).toMatch(missing);
    expect(opened.walk(BASE + 0x40000000n).fault).toMatchObject({ kind: 'external', level: 2 });
    expect(opened.translate(BASE + 0x40000000n)).toBeNull();
    expect(catching(() => opened.map(BASE + 0x40000000n, [2], WRITE))).toMatch(missing);
    const foreign = new PageTable({
      format: arm,
      memory,
      root: table.root,
      frames: new FrameAllocator(memory, { first: 60, frames: 4 }),
    });
    expect(catching(() => foreign.unmap(BASE, 0x80000000n))).toMatch(missing);
    expect(foreign.translate(BASE)).toBe(0x1000n);
  });
});

describe('an entry that does not map', () => {
  test('is absent, reserved, or breaks a rule, and the walk tells which', () => {
    const format = arm64({ granule: 4, vaBits: 48, paBits: 40 });
    const { table, memory } = machine(format);
    table.map(BASE, [1, 2, 3, 4], WRITE);
    const pte = table.walk(BASE).steps[3]?.table as bigint;
    memory.write64(pte, 0x1234_5678_9000n); // bit 0 clear: the MMU does not look
    memory.write64(pte + 8n, 0x0068_0000_0000_2701n); // type 0b01 at the last level
    memory.write64(pte + 16n, 0x0068_0100_0000_3703n); // bit 40 of the address
    expect(table.walk(BASE)).toMatchObject({
      fault: { kind: 'not-present', level: 3, code: { name: 'FSC', code: 7 } },
      leaf: null,
      pa: null,
    });
    expect(table.walk(BASE).steps[3]?.kind).toBe('absent');
    expect(table.walk(BASE + 0x1000n)).toMatchObject({ fault: { kind: 'reserved', code: { code: 7 } } });
    expect(table.walk(BASE + 0x2000n)).toMatchObject({ fault: { kind: 'address-size', code: { code: 3 } } });
    expect(table.walk(BASE + 0x4000n).steps[3]?.kind).toBe('none');
    for (let i = 0n; i < 3n; i++) expect(table.translate(BASE + i * 4096n)).toBeNull();
    expect([...table.leaves()]).toMatchObject([{ va: BASE + 0x3000n, pfn: 4, count: 1 }]);
    expect(() => table.map(BASE, [1], WRITE)).toThrow(
      'EBUSY at 0xffff000000000000: the PTE slot holds an absent entry 0x0000123456789000',
    );
    // unmap clears them: they stand in the range.
    table.unmap(BASE, 4096 * 4);
    expect(memory.read64(pte)).toBe(0n);
    expect(table.walk(0n).fault).toMatchObject({ kind: 'address', level: 0 });
    expect(table.walk(0n).steps).toEqual([]);
  });

  test('is reserved on riscv64: W without R, N with another size, a misaligned superpage, A in a pointer', () => {
    const format = riscv64(3);
    const { table, memory } = machine(format);
    table.map(0n, [0x100, 0x101, 0x102], WRITE);
    const [root, , leaf] = table.walk(0n).steps;
    const entry = leaf?.entry as bigint;
    const at = leaf?.address as bigint;
    const kindOf = (value: bigint, address = at) => {
      memory.write64(address, value);
      return table.walk(0n).steps.at(-1)?.kind;
    };
    expect(kindOf(entry)).toBe('leaf');
    expect(kindOf(entry & ~2n)).toBe('reserved');
    expect(table.translate(0n)).toBeNull();
    expect(kindOf(entry | (1n << 63n))).toBe('reserved');
    expect(kindOf((3n << 61n) | entry)).toBe('reserved');
    expect(kindOf((1n << 54n) | entry)).toBe('reserved');
    expect(kindOf(entry & ~1n)).toBe('absent');
    expect(kindOf(entry)).toBe('leaf');
    const pointer = root?.entry as bigint;
    expect(kindOf(pointer | (1n << 6n), root?.address)).toBe('reserved');
    expect(kindOf((0x40001n << 10n) | 0xefn, root?.address)).toBe('reserved');
    expect(kindOf((0x40000n << 10n) | 0xefn, root?.address)).toBe('leaf');
    expect(table.translate(0x12345678n)).toBe(0x40000000n + 0x12345678n);
    expect(kindOf(pointer, root?.address)).toBe('leaf');
  });
});

describe('a NAPOT leaf', () => {
  test('takes its low frame bits from the address, in every call that reads', () => {
    const format = riscv64(3);
    const { table, memory } = machine(format);
    const va = 0x10000n;
    table.mapRange(va, 0x50000n, 0x10000, WRITE);
    const pte = table.walk(va).steps[2]?.address as bigint;
    const plain = memory.read64(pte);
    for (let i = 0n; i < 16n; i++) memory.write64(pte + 8n * i, plain | (1n << 63n) | (8n << 10n));
    for (let i = 0n; i < 16n; i++) {
      const here = va + i * 4096n + 0x123n;
      expect(table.translate(here)).toBe(0x50000n + i * 4096n + 0x123n);
      expect(table.walk(here)).toMatchObject({
        pa: 0x50000n + i * 4096n + 0x123n,
        leaf: { pa: 0x50000n + i * 4096n, leafShift: 12, runShift: 16 },
      });
    }
    expect([...table.leaves()]).toMatchObject([{ va, count: 16, pfn: 0x50, leafShift: 12 }]);
  });
});
