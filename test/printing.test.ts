import { inspect } from 'node:util';
import {
  AddressSpace,
  applyToExisting,
  FrameAllocator,
  flushBatch,
  PageTable,
  PageTableReader,
  PhysicalMemory,
  pathWalker,
  protection,
  type Slot,
  sparseBank,
  translationCursor,
  VM_SPARSE,
  wasmLoops,
} from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';

/** What `console.log` of Node prints for each kind of object that a caller holds. */
function objects() {
  const memory = PhysicalMemory.create({ bytes: 16 << 20, loops: wasmLoops });
  const frames = new FrameAllocator(memory);
  const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames });
  const area = kernel.getVmArea(4n << 30n, VM_SPARSE, { caller: 'arena_map_alloc+0x9c/0x250' });
  const lazy = kernel.getLazyArea(2 << 20);
  const table = new PageTable({ format: x8664(), memory, frames });
  return { memory, frames, kernel, area, lazy, table };
}

describe('console.log shows what an object is', () => {
  test('memory: its banks', () => {
    const image = sparseBank({ pageShift: 12, addresses: [1n << 32n], bytes: new Uint8Array(4096) });
    const memory = PhysicalMemory.of([
      { bytes: 1 << 20, loops: wasmLoops },
      { bytes: 4096, base: 1n << 30n },
      image,
    ]);
    expect(inspect(memory).split('\n')).toEqual([
      'PhysicalMemory of 1.0 MiB',
      '  0x0000000000000000-0x00000000000fffff writable, loops in WebAssembly',
      '  0x0000000040000000-0x0000000040000fff writable, loops in JavaScript',
      '  0x0000000100000000-0x0000000100000fff (an image with 4096 bytes) read-only',
    ]);
  });

  test('what functions over a table give: a cursor, a walker, a batch, a slot', () => {
    const { table } = objects();
    table.map(0xffffc90000000000n, [0x1234, 0x99], protection({ write: true }));
    expect(inspect(translationCursor(table))).toBe('TranslationCursor of a page table of x86-64');
    expect(inspect(pathWalker(table))).toBe('PathWalker of a page table of x86-64: 0 entries read');
    const batch = flushBatch(table);
    table.unmap(0xffffc90000001000n, 4096, { batch });
    expect(inspect(batch)).toBe('FlushBatch: 1 range to flush, 0 tables to free');
    batch.done();
    let kept: Slot | undefined;
    applyToExisting(table, 0xffffc90000000000n, 4096, (slot) => {
      kept = slot;
      expect(inspect(slot)).toMatch(/^Slot: PTE entry 0x[89a-f].*1234063 at 0xffffc90000000000$/);
    });
    expect(inspect(kept)).toBe('Slot: its call is over');
  });

  test('memory of many banks: the first of them, and how many more', () => {
    const banks = Array.from({ length: 9 }, (_, i) => ({ bytes: 4096, base: BigInt(i) << 20n }));
    expect(inspect(PhysicalMemory.of(banks)).split('\n').at(-1)).toBe('  and 6 more banks');
  });

  test('frames: the range, and what is free', () => {
    const frames = new FrameAllocator(null, {
      first: 0x100,
      frames: 64,
      reserved: [{ pfn: 0x100, frames: 4 }],
    });
    frames.allocate();
    expect(inspect(frames)).toBe(
      'FrameAllocator of 64 frames of 4 KiB: 0x100-0x13f\n  59 free, 1 allocated, 4 reserved',
    );
  });

  test('tables: class, format, root and work', () => {
    const { table, kernel, memory } = objects();
    table.map(0xffffc90000000000n, [1], kernel.linux.protections.PAGE_KERNEL);
    const root = `0x${table.root.toString(16).padStart(16, '0')}`;
    expect(inspect(table)).toBe(
      `PageTable x86-64, root ${root}\n  4 tables read, 4 entries written, 4 tables made, 0 flushes`,
    );
    const reader = new PageTableReader({ format: x8664(), memory, root: table.root });
    expect(inspect(reader)).toMatch(new RegExp(`^PageTableReader x86-64, root ${root}\n`));
    expect(inspect(kernel.table)).toMatch(/^PageTableReader x86-64, root /);
  });

  test('an address space: format, window and areas', () => {
    expect(inspect(objects().kernel)).toMatch(
      /^AddressSpace x86-64, as Linux 6\.12, root 0x[0-9a-f]{16}\n {2}vmalloc window 0xffffc90000000000-0xffffe8ffffffffff\n {2}2 areas of 4\.0 GiB, 0 bytes wait for a purge, 32\.0 TiB free in one piece$/,
    );
  });

  test('areas: addresses, size, kind and who asked', () => {
    const { area, lazy, kernel } = objects();
    expect(inspect(area)).toBe(
      'VmArea 0xffffc90000000000-0xffffc90100001000\n  4 GiB and a guard of 4 KiB, sparse\n  arena_map_alloc+0x9c/0x250',
    );
    lazy.touch(3);
    expect(inspect(lazy)).toMatch(
      /^LazyArea 0xffffc9010[0-9a-f]{7}-.*\n.*\n {2}1 of 512 pages are there, 1 fault$/,
    );
    kernel.freeVmArea(area);
    expect(inspect(area)).toContain(', freed');
  });

  test('each in one to five lines, and as text too', () => {
    for (const one of Object.values(objects())) {
      expect(inspect(one).split('\n').length).toBeLessThanOrEqual(5);
      expect(String(one)).toBe(inspect(one));
      expect(inspect({ one })).toContain(one.constructor.name);
    }
  });
});
