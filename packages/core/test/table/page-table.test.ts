import type { PageTableFormat } from '@vmarea/core';
import { FrameAllocator, PageTable, PhysicalMemory, protection, wasmLoops } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../formats/arm64.js';
import { wideRoot } from '../formats/index.js';
import { riscv64 } from '../formats/riscv64.js';
import { fingerprint } from '../support/digest.js';

const WRITE = protection({ write: true, global: true });
const MiB = 1024 * 1024;
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;

describe('counters', () => {
  test('count a map, an unmap and a walk exactly', () => {
    const { table, frames } = machine(arm);
    table.resetCounters();
    table.mapRange(BASE, 0n, 4 * MiB, WRITE, { maxLeafShift: 12 });
    // PGD, PUD, PMD and two PTE tables. Entries read: one each in PGD and PUD, two in the PMD, none in new PTE tables.
    expect(table.counters).toEqual({
      tablesRead: 5,
      entriesRead: 4,
      entriesWritten: 1024 + 4,
      tablesAllocated: 4,
      // Those of pages are filled.
      tablesZeroed: 2,
      tablesFreed: 0,
      flushes: 0,
    });
    table.resetCounters();
    table.unmap(BASE, 4 * MiB);
    // The same five tables, and four entries above the last level: a table that is cleared whole is not read.
    expect(table.counters).toEqual({
      tablesRead: 5,
      entriesRead: 4,
      entriesWritten: 1024,
      tablesAllocated: 0,
      tablesZeroed: 0,
      tablesFreed: 0,
      flushes: 1,
    });
    table.resetCounters();
    table.walk(BASE);
    expect(table.counters).toMatchObject({ tablesRead: 4, entriesRead: 4, entriesWritten: 0 });
    expect(frames.stats().allocated).toBe(5);
  });

  test('show one visit per table: as many for 1 page as for 512', () => {
    const one = machine(arm).table;
    const many = machine(arm).table;
    one.resetCounters();
    many.resetCounters();
    one.map(BASE, [1], WRITE);
    many.map(
      BASE,
      Uint32Array.from({ length: 512 }, (_, i) => 2 * i),
      WRITE,
    );
    expect(many.counters.tablesRead).toBe(one.counters.tablesRead);
    expect(many.counters.entriesRead).toBe(one.counters.entriesRead);
    expect(many.counters.entriesWritten - one.counters.entriesWritten).toBe(511);
  });
});

describe('blocks', () => {
  test('are as large as address, frames and cap allow', () => {
    const shifts = (format: PageTableFormat, va: bigint, pa: bigint, bytes: number, cap?: number): string => {
      const { table } = machine(format, 128);
      table.mapRange(va, pa, bytes, WRITE, cap === undefined ? {} : { maxLeafShift: cap });
      return [...table.leaves()].map((run) => `${run.count}x${run.leafShift}`).join(' ');
    };
    const GiB = 1024 * MiB;
    expect(shifts(arm, BASE, 0n, GiB)).toBe('1x30');
    expect(shifts(arm, BASE, 0n, GiB, 21)).toBe('512x21');
    expect(shifts(arm, BASE, 0n, GiB, 29)).toBe('512x21');
    expect(shifts(arm, BASE, 0x1000n, 4 * MiB)).toBe('1024x12');
    expect(shifts(arm, BASE + 0x1000n, 0x1000n, 4 * MiB)).toBe('15x12 496x12 1x21 1x12');
    expect(shifts(arm, BASE, BigInt(2 * MiB), GiB + 2 * MiB)).toBe('513x21');
    expect(shifts(arm64({ granule: 16, vaBits: 47 }), 0xffff800000000000n, 0n, 64 * MiB)).toBe('2x25');
    expect(shifts(arm64({ granule: 64, vaBits: 48 }), BASE, 0n, 512 * MiB)).toBe('1x29');
    expect(shifts(riscv64(3), 0n, 0n, 3 * GiB)).toBe('3x30');
  });

  test('are made of listed frames that are adjacent and aligned', () => {
    const { table } = machine(arm);
    const list = Uint32Array.from({ length: 1024 }, (_, i) => 0x400 + i);
    list[1023] = 0x9999;
    table.map(BASE, list, WRITE);
    expect([...table.leaves()].map((run) => `${run.count}x${run.leafShift}`)).toEqual([
      '1x21',
      '496x12',
      '15x12',
      '1x12',
    ]);
  });

  test('replace an empty table: break, flush, make, then free its frame', () => {
    const { table, frames, flushes, memory } = machine(arm);
    table.map(BASE, [1], WRITE);
    table.unmap(BASE, 4096);
    flushes.length = 0;
    const { allocated } = frames.stats();
    table.mapRange(BASE, 0n, 2 * MiB, WRITE);
    expect([...table.leaves()].map((run) => run.leafShift)).toEqual([21]);
    expect(frames.stats().allocated).toBe(allocated - 1);
    expect(flushes).toHaveLength(1);
    expect(flushes[0]).toMatchObject({ va: BASE, bytes: BigInt(2 * MiB) });
    expect(flushes[0]?.tablesFreed).toHaveLength(1);
    expect(memory.banks).toHaveLength(1);
    // An empty subtree is replaced in the same way.
    table.unmap(BASE, 2 * MiB);
    table.map(BASE + BigInt(4 * MiB), [3], WRITE);
    table.unmap(BASE + BigInt(4 * MiB), 4096);
    table.mapRange(BASE, 0n, 1024 * MiB, WRITE);
    expect([...table.leaves()].map((run) => run.leafShift)).toEqual([30]);
    expect(frames.stats().allocated).toBe(2);
  });

  test('are undone when the call fails: the entry of the replaced table comes back', () => {
    const { table, frames, memory } = machine(arm);
    table.map(BASE, [1], WRITE);
    table.unmap(BASE, 4096);
    table.map(BASE + BigInt(2 * MiB), [2], WRITE);
    const before = fingerprint({ memory, frames });
    expect(thrown(() => table.mapRange(BASE, 0n, 4 * MiB, WRITE, { maxLeafShift: 21 }))).toMatch(
      /^EBUSY at 0xffff000000200000/,
    );
    expect(fingerprint({ memory, frames })).toBe(before);
    table.map(BASE, [9], WRITE);
    expect(table.translate(BASE)).toBe(0x9000n);
  });

  test('do not replace a table that maps something: the call is EBUSY', () => {
    const { table } = machine(arm);
    table.map(BASE + BigInt(MiB), [1], WRITE);
    table.unmap(BASE + BigInt(MiB), 4096);
    table.map(BASE + BigInt(MiB), [1], WRITE);
    expect(thrown(() => table.mapRange(BASE, 0n, 2 * MiB, WRITE))).toBe(
      'EBUSY at 0xffff000000100000: the PTE slot holds a leaf entry 0x0068000000001703; unmap the range first',
    );
  });

  test('are not unmapped in part when split is false', () => {
    const { table, memory, frames, flushes } = machine(arm);
    table.mapRange(BASE, 0n, 4 * MiB, WRITE);
    const before = fingerprint({ memory, frames });
    const part =
      /^EINVAL at 0xffff0000002.*: the range ends inside a PMD entry of 0x200000 bytes; name all of it: it starts at 0xffff000000200000$/;
    expect(thrown(() => table.unmap(BASE, 2 * MiB + 4096, { split: false }))).toMatch(part);
    expect(thrown(() => table.unmap(BASE + BigInt(2 * MiB + 4096), 4096, { split: false }))).toMatch(part);
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(flushes).toHaveLength(0);
    table.unmap(BASE + BigInt(2 * MiB), 2 * MiB);
    expect([...table.leaves()]).toMatchObject([{ va: BASE, count: 1 }]);
    expect(flushes).toEqual([
      { va: BASE + BigInt(2 * MiB), bytes: BigInt(2 * MiB), leafShift: 21, tablesFreed: [] },
    ]);
  });
});

describe('unmap', () => {
  test('flushes once the part of the range that was mapped, and not at all when nothing was', () => {
    const { table, flushes } = machine(arm);
    table.map(BASE + 0x5000n, [1], WRITE);
    table.map(BASE + 0x9000n, [2], WRITE);
    // The second table of the range maps nothing: the flush ends where the first table does.
    table.unmap(BASE, 3 * MiB);
    table.unmap(BASE, 3 * MiB);
    expect(flushes).toEqual([{ va: BASE, bytes: BigInt(2 * MiB), leafShift: 12, tablesFreed: [] }]);
  });

  test('frees emptied tables with reclaim, after the flush that names them', () => {
    const during: number[] = [];
    const frames = { current: null as FrameAllocator | null };
    const { table, frames: allocator } = machine(arm, 64, 0n, {
      flush: (_va, _bytes, _leafShift, freed) => {
        during.push(freed.length, frames.current?.stats().allocated ?? -1);
      },
    });
    frames.current = allocator;
    table.mapRange(BASE, 0n, 4 * MiB, WRITE, { maxLeafShift: 12 });
    table.unmap(BASE, 4 * MiB, { reclaim: true });
    // PUD, PMD and two PTE tables, all still allocated while the sink runs.
    expect(during).toEqual([4, 5]);
    expect(allocator.stats().allocated).toBe(1);
    expect(table.counters.tablesFreed).toBe(4);
    table.map(BASE, [4], WRITE);
    expect(table.translate(BASE)).toBe(0x4000n);
  });

  test('keeps tables that still map something', () => {
    const { table, frames } = machine(arm);
    table.map(BASE, [1, 2], WRITE);
    table.unmap(BASE, 4096, { reclaim: true });
    expect(frames.stats().allocated).toBe(4);
    expect(table.translate(BASE + 4096n)).toBe(0x2000n);
  });
});

describe('destroy', () => {
  test('frees every table after one flush that names them; later calls are refused', () => {
    const { table, frames, flushes } = machine(arm);
    table.mapRange(BASE, 0n, 4 * MiB, WRITE, { maxLeafShift: 12 });
    table.map(0xfffffffffffff000n, [1], WRITE);
    table.destroy();
    expect(frames.stats().allocated).toBe(0);
    expect(flushes).toHaveLength(1);
    expect(flushes[0]?.tablesFreed).toHaveLength(8);
    for (const call of [
      () => table.map(BASE, [1], WRITE),
      () => table.translate(BASE),
      () => table.translateWords(0, 0),
      () => table.walk(BASE),
      () => table.leaves(),
      () => table.destroy(),
    ]) {
      expect(thrown(call)).toBe('EINVAL: this page table was destroyed');
    }
  });

  test('frees a root of several frames as a whole', () => {
    const { table, frames } = machine(wideRoot());
    expect(frames.stats().allocated).toBe(16);
    const last = (1n << 43n) - 4096n;
    table.map(last, [3], WRITE);
    expect(table.translate(last)).toBe(0x3000n);
    expect(table.walk(last).steps[0]?.index).toBe(8191);
    table.destroy();
    expect(frames.stats().allocated).toBe(0);
  });
});

describe('the constructor', () => {
  const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: MiB });

  test('refuses a memory, allocator and format that do not fit together', () => {
    const frames = new FrameAllocator(memory);
    const coarse = new FrameAllocator(memory, { pageShift: 16 });
    const unbacked = new FrameAllocator(null, { first: 0x1000, frames: 16 });
    expect(thrown(() => new PageTable({ format: arm, memory, frames: coarse }))).toMatch(
      /^EINVAL: the allocator has pages of 65536 bytes, but arm64-4k-48 has 4096; make one with pageShift 12$/,
    );
    expect(thrown(() => new PageTable({ format: arm, memory, frames: unbacked }))).toMatch(
      /^EINVAL: frames 0x1000 to 0x100f do not all have bytes in one writable bank/,
    );
    const none = new FrameAllocator(memory, { reserved: [{ pfn: 0, frames: 256 }] });
    expect(thrown(() => new PageTable({ format: arm, memory, frames: none }))).toMatch(
      /^ENOMEM.*: no frame for a PGD table/,
    );
    expect(new PageTable({ format: arm, memory, frames }).root).toBe(0n);
  });
});

describe('a root that checkRoot closes to an access', () => {
  const format: PageTableFormat = {
    ...arm,
    checkRoot: ({ user }) => (user ? { kind: 'address', level: 0 } : null),
  };

  test('is not read for it, whatever is mapped', () => {
    const { table } = machine(format);
    table.mapRange(BASE, 0n, 4096, WRITE);
    table.resetCounters();
    for (const va of [BASE, BASE + 4096n]) {
      expect(table.walk(va, { kind: 'read', user: true })).toMatchObject({
        steps: [],
        pa: null,
        fault: { kind: 'address', level: 0 },
      });
    }
    expect(table.counters.entriesRead).toBe(0);
    expect(table.walk(BASE, { kind: 'read', user: false }).fault).toBeNull();
    expect(table.walk(BASE).pa).toBe(0n);
  });
});
