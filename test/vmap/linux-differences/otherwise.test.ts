import { VM_DEFER_KMEMLEAK, VM_IOREMAP, VM_KASAN, VM_SPARSE, type VmArea } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { framesFrom, kernelOf } from '../support/kernel.js';

const PAGE = 4096;

/** A kernel of 2048 frames: in each block of 512 one frame is allocated. */
function withoutBlocks() {
  const made = kernelOf('x86-64', { ramFrames: 2048 });
  const all = made.ram.allocateMany(2048);
  made.ram.freeMany(all.filter((_, i) => i % 512 !== 0));
  return made;
}

describe('done differently', () => {
  test('D40: the addresses of a failed call are free at once', () => {
    const { kernel, frames, linux, at } = kernelOf('x86-64');
    frames.allocateMany(frames.stats().free);
    for (const call of [
      () => kernel.vmalloc(PAGE),
      () => kernel.vmap([1]),
      () => kernel.vmapPfn([0x80000], linux.protections.IOREMAP),
      () => kernel.vmMapRam([1]),
      () => kernel.ioremap(0xfed0_0000n, PAGE),
      () => kernel.vmallocHuge(2 << 20),
    ]) {
      expect(codeOf(call)).toBe('ENOMEM');
      expect([kernel.stats().lazyBytes, kernel.vmallocinfo()]).toEqual([0n, '']);
    }
    expect(kernel.getVmArea(1).addr).toBe(at(0));
  });

  test('D41: the addresses of a failed huge attempt wait for a purge when base pages are used instead', () => {
    const { kernel, at } = withoutBlocks();
    const address = kernel.vmallocHuge(2 << 20);
    // The window begins at a multiple of 2 MiB: the attempt was there.
    expect(address >= at(513)).toBe(true);
    expect(kernel.findVmArea(address)?.populated().leaves).toEqual([{ bytes: PAGE, count: 512 }]);
    expect(kernel.stats().lazyBytes).toBe(513n * 4096n);
    expect(kernel.getVmArea(PAGE).addr).not.toBe(at(0));
    kernel.vmUnmapAliases();
    expect(kernel.getVmArea(PAGE).addr).toBe(at(0));
  });

  test('D42: the array of pages is reserved, backed and mapped, but not written', () => {
    const { kernel, memory, frames, at } = kernelOf('x86-64', { ramFrames: 0 });
    const dirty = frames.allocateMany(700);
    for (const pfn of dirty) memory.bytesAt(BigInt(pfn) << 12n, PAGE).fill(0xaa);
    frames.freeMany(dirty);
    kernel.vzalloc(513 * PAGE);
    const array = kernel.findVmArea(at(514)) as VmArea;
    expect([array.pages, array.ownedPages, array.populated().pages]).toEqual([2, 2, 2]);
    const bytes = new Uint8Array(2 * PAGE);
    kernel.vread(array.addr, bytes);
    expect(new Set(bytes)).toEqual(new Set([0xaa]));
  });

  test('D43: the call that crosses the threshold purges; without autoPurge vmUnmapAliases does', () => {
    for (const autoPurge of [true, false]) {
      const { kernel, flushes } = kernelOf('x86-64', { autoPurge });
      const free = () => kernel.vfree(kernel.vmalloc(255 * PAGE));
      // 8192 pages may wait.
      for (let i = 0; i < 32; i++) free();
      expect(flushes).toHaveLength(0);
      free();
      expect(flushes).toHaveLength(autoPurge ? 1 : 0);
      kernel.vmUnmapAliases();
      expect([flushes.length, kernel.stats().lazyBytes]).toEqual([1, 0n]);
    }
  });

  test('D44: all pages are of memory node 0, however many processors there are', () => {
    const { kernel } = kernelOf('x86-64', { cpus: 4 });
    for (const cpu of [0, 1, 2, 3]) {
      kernel.cpu = cpu;
      kernel.vmalloc(2 * PAGE);
    }
    expect(kernel.vmallocinfo().match(/N\d+=\d+/g)).toEqual(Array(4).fill('N0=2'));
  });

  test('D45: a leaf of 1 GiB replaces only tables that map nothing', () => {
    const { kernel, linux, frames, at } = kernelOf('x86-64');
    const { IOREMAP } = linux.protections;
    const pages = 2 ** 18;
    const area = kernel.getVmAreaNode({ size: 2 ** 30, align: 1n << 30n, flags: VM_IOREMAP });
    const map = () => kernel.ioremapPageRange(at(0), at(pages), 0x40_0000_0000n, IOREMAP);
    area.map(3, 7);
    area.map(pages - 1, 8);
    area.unmap(3);
    const before = [[...kernel.table.leaves()], frames.stats().allocated];
    expect(codeOf(map)).toBe('EBUSY');
    expect([[...kernel.table.leaves()], frames.stats().allocated]).toEqual(before);
    expect(area.frameAt(pages - 1)).toBe(8);
    area.unmap(pages - 1);
    map();
    expect(area.populated().leaves).toEqual([{ bytes: 2 ** 30, count: 1 }]);
  });

  test('D49: mayPurge: false uses no addresses that wait; the flags of KASAN and kmemleak do nothing', () => {
    const { kernel, linux, ram } = kernelOf('x86-64');
    const { start } = linux.window;
    const window = { start, end: start + 4n * 4096n };
    const allocate = (mayPurge: boolean) => kernel.vmallocNodeRange({ size: 3 * PAGE, window, mayPurge });
    kernel.vfree(allocate(false));
    expect(codeOf(() => allocate(false))).toBe('ENOMEM');
    expect(allocate(true)).toBe(start);
    kernel.vfree(start);
    kernel.vmUnmapAliases();
    kernel.vmallocNodeRange({ size: 3 * PAGE, flags: VM_KASAN | VM_DEFER_KMEMLEAK });
    expect([ram.stats().allocated, kernel.stats().areas]).toEqual([3, 1]);
  });

  test('D50: an area of getLazyArea maps only the pages that were touched', () => {
    const { kernel, ram } = kernelOf('x86-64');
    const lazy = kernel.getLazyArea(2 ** 40);
    const plain = kernel.getVmArea(PAGE, VM_SPARSE);
    expect(kernel.handleFault(plain.addr)).toBe(false);
    for (const [page, isNew] of [
      [5, true],
      [2 ** 20, true],
      [5, false],
    ] as const)
      expect(kernel.handleFault(lazy.area.addr + BigInt(page * PAGE))).toBe(isNew);
    expect([lazy.stats.populated, lazy.area.populated().pages, ram.stats().allocated]).toEqual([2, 2, 2]);
    expect(framesFrom(4, 3).map((page) => lazy.area.frameAt(page) >= 0)).toEqual([false, true, false]);
    lazy.shrink();
    expect(ram.stats().allocated).toBe(0);
  });
});
