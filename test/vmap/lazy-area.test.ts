import { FrameAllocator, type LazyAreaOptions, type VmArea } from '@vmarea/core';
import { codeOf, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { type KernelOptions, kernelOf, RAM_FIRST } from './support/kernel.js';

const PAGE = 4096;
const GiB = 1 << 30;

const lazy = (options: LazyAreaOptions = {}, more: KernelOptions = {}) => {
  const made = kernelOf('x86-64', more);
  const area = made.kernel.getLazyArea(GiB, options);
  const touch = (page: number) => made.kernel.handleFault(area.area.addr + BigInt(page * PAGE) + 8n);
  return { ...made, area, touch };
};

describe('a lazy area', () => {
  test('maps nothing at first, then each page that is touched', () => {
    const { kernel, ram, area, touch } = lazy();
    expect([ram.stats().allocated, area.area.populated().pages]).toEqual([0, 0]);
    // The second fault at page 5 has another cause.
    expect([touch(5), touch(5), touch(200_000)]).toEqual([true, false, true]);
    expect(kernel.vmallocToPfn(area.area.addr + BigInt(5 * PAGE))).toBe(RAM_FIRST);
    expect(area.stats).toEqual({
      ...{ pages: GiB / PAGE, populated: 2, prepared: 0, peak: 2, faults: 2 },
      ...{ populatedChunks: 2, releasedChunks: 0 },
    });
    expect(kernel.vmallocinfo({ detail: true })).toMatch(/ pages=2 vmalloc N0=2 populated=2\/262144 4K=2\n/);
  });

  test('grows by chunks of a leaf size', () => {
    const { area, touch, ram } = lazy({ chunkShift: 21 });
    touch(700);
    expect(area.area.populated()).toEqual({ pages: 512, leaves: [{ bytes: 2 ** 21, count: 1 }] });
    expect(area.area.frameAt(512) % 512).toBe(0);
    expect(area.shrink(512, 511)).toBe(0);
    touch(0);
    // The first chunk is partly in the range.
    expect(area.shrink(500, 600)).toBe(512);
    expect(ram.stats().allocated).toBe(512);
    expect(area.shrink(0, 512)).toBe(512);
    expect(ram.stats().allocated).toBe(0);
  });

  test('handles no fault in its guard, in other areas, or outside of areas', () => {
    const { kernel, area, at } = lazy();
    const end = area.area.addr + area.area.bytes;
    const other = kernel.getVmArea(PAGE);
    expect([end, other.addr, at(2 ** 20)].map((address) => kernel.handleFault(address))).toEqual([
      false,
      false,
      false,
    ]);
    expect(codeOf(() => kernel.handleFault(1.5 as never))).toBe('EINVAL');
    expect(area.stats.populated).toBe(0);
  });

  test('shrinks with one flush, before its frames are freed', () => {
    const seen: number[] = [];
    const { area, ram, flushes } = lazy({}, { onFlush: () => seen.push(ram.stats().allocated) });
    area.populate(0, 100);
    expect(area.shrink(10, 50)).toBe(50);
    expect(flushes).toEqual([{ va: area.area.addr + BigInt(10 * PAGE), bytes: BigInt(50 * PAGE) }]);
    expect(seen).toEqual([100]);
    expect(ram.stats().allocated).toBe(50);
    expect(area.shrink()).toBe(50);
    expect(area.shrink()).toBe(0);
    expect(area.stats).toMatchObject({ populated: 0, peak: 100, populatedChunks: 100, releasedChunks: 100 });
  });

  test('needs no memory for what was prepared', () => {
    const { area, frames, ram } = lazy();
    // Two PTE tables, a PMD table and a PUD table.
    expect(area.prepare(0, 1024)).toBe(4);
    expect([ram.stats().allocated, area.stats.prepared, area.stats.populated]).toEqual([1024, 1024, 0]);
    for (const one of [frames, ram]) for (let pfn = one.tryAllocate(); pfn >= 0; pfn = one.tryAllocate());
    area.populate(0, 1000);
    area.touch(1023);
    expect([area.stats.prepared, area.stats.populated]).toEqual([23, 1001]);
    expect(codeOf(() => area.touch(1024))).toBe('ENOMEM');
    expect(codeOf(() => area.prepare(1024, 1))).toBe('ENOMEM');
    expect(area.shrink()).toBe(1001);
    expect([area.stats.prepared, area.stats.populated, ram.stats().free]).toEqual([0, 0, 1024]);
  });

  test('prepares all or nothing, with tables for the leaves that it will map', () => {
    const { area, frames, ram } = lazy({ chunkShift: 21 });
    const before = frames.stats().allocated;
    // Blocks need a PMD table and a PUD table.
    expect(area.prepare(0, 5 * 512)).toBe(2);
    expect(ram.stats().allocated).toBe(5 * 512);
    area.touch(600);
    expect([area.area.populated().leaves, frames.stats().allocated - before]).toEqual([
      [{ bytes: 2 ** 21, count: 1 }],
      2,
    ]);
    const scarce = lazy({}, { ramFrames: 10 });
    expect(codeOf(() => scarce.area.prepare(0, 11))).toBe('ENOMEM');
    expect([scarce.ram.stats().allocated, scarce.area.stats.prepared]).toEqual([0, 0]);
  });

  test('keeps its limit, and counts what is prepared', () => {
    const { area, ram } = lazy({ limit: 4 * PAGE });
    area.populate(0, 2);
    expect(area.prepare(2, 2)).toBeGreaterThanOrEqual(0);
    for (const call of [() => area.prepare(4, 1), () => area.touch(4), () => area.populate(4, 1)])
      expect(codeOf(call)).toBe('ENOMEM');
    expect(area.touch(3)).toBe(true);
    expect([area.stats.populated, area.stats.prepared, ram.stats().allocated]).toEqual([3, 1, 4]);
  });

  test('prepares tables for the leaves of the policy, and for pages where the caller gives the frames', () => {
    // vmalloc uses no leaf of 1 GiB: blocks of 2 MiB.
    const large = lazy({ chunkShift: 30 }, { ramFrames: 2 ** 18 });
    expect(large.area.prepare(0, 1)).toBe(2);
    large.frames.allocateMany(large.frames.stats().free);
    expect(large.area.touch(0)).toBe(true);
    const scattered = lazy({
      chunkShift: 21,
      populate: (page, pages) => Array.from({ length: pages }, (_, i) => 2 * (page + i) + 1),
    });
    expect(scattered.area.prepare(0, 512)).toBe(3);
    scattered.frames.allocateMany(scattered.frames.stats().free);
    expect(scattered.area.touch(0)).toBe(true);
  });

  test('needs a complete protection', () => {
    const { kernel } = kernelOf('x86-64');
    expect(codeOf(() => kernel.getLazyArea(GiB, { protection: { write: false } as never }))).toBe('EINVAL');
    expect(kernel.stats().areas).toBe(0);
  });

  test('takes frames from an allocator of the caller', () => {
    const own = new FrameAllocator(null, { first: 0x40000, frames: 64 });
    const { kernel, area, touch, ram } = lazy({ frames: own, chunkShift: 13 });
    touch(0);
    expect([area.area.frameAt(1), own.stats().allocated, ram.stats().allocated]).toEqual([0x40001, 2, 0]);
    own.free(0x40000, 1);
    expect(codeOf(() => kernel.vfree(area.area.addr))).toBe('EINVAL');
    expect(codeOf(() => area.shrink())).toBe('EINVAL');
    expect([area.area.isLive, area.area.frameAt(1)]).toEqual([true, 0x40001]);
    expect(own.allocate(1)).toBe(0x40000);
    kernel.vfree(area.area.addr);
    expect(own.stats().allocated).toBe(0);
    const tables = new FrameAllocator(null, { first: 0, frames: 8 });
    const others = new FrameAllocator(null, { first: 0x40000, frames: 8, pageShift: 14 });
    for (const frames of [7 as never, others, tables])
      expect(codeOf(() => kernel.getLazyArea(GiB, { frames }))).toBe('EINVAL');
  });

  test('populates all of a range or nothing', () => {
    const { area, ram } = lazy({}, { ramFrames: 100 });
    expect(codeOf(() => area.populate(0, 101))).toBe('ENOMEM');
    expect([ram.stats().allocated, area.stats.populated]).toEqual([0, 0]);
    area.populate(50, 100);
    expect(codeOf(() => area.touch(0))).toBe('ENOMEM');
    const limited = lazy({ limit: 10 * PAGE }).area;
    limited.populate(0, 10);
    expect(codeOf(() => limited.touch(10))).toBe('ENOMEM');
    limited.touch(9);
  });

  test('keeps what was prepared when it cannot be filled', () => {
    const { area, ram } = lazy({}, { ramFrames: 8 });
    ram.allocateMany(5);
    area.prepare(0, 2);
    // One more is free, two are missing.
    expect(codeOf(() => area.populate(0, 4))).toBe('ENOMEM');
    expect([area.stats.prepared, ram.stats().allocated]).toEqual([2, 7]);
    area.populate(0, 2);
    expect([area.area.populated().pages, ram.stats().allocated]).toEqual([2, 7]);
  });

  test('refuses more pages from a callback than the machine has, before it asks for one', () => {
    let asked = 0;
    const populate = (page: number) => {
      asked++;
      return [page];
    };
    const { kernel } = kernelOf('x86-64', { ramFrames: 16 });
    const area = kernel.getLazyArea(1n << 40n, { populate });
    expect(codeOf(() => area.populate(0, 2 ** 26))).toBe('ENOMEM');
    expect(codeOf(() => area.populate(0, 17))).toBe('ENOMEM');
    expect([asked, area.stats.populated]).toEqual([0, 0]);
    area.populate(0, 16);
    expect([asked, area.stats.populated]).toEqual([16, 16]);
  });

  test('refuses more chunks than one call takes, before it takes one', () => {
    const own = new FrameAllocator(null, { first: 2 ** 24, frames: 2 ** 22 });
    const { kernel } = kernelOf('x86-64');
    const area = kernel.getLazyArea(1n << 40n, { frames: own });
    for (const call of [() => area.populate(0, 2 ** 20 + 1), () => area.prepare(0, 2 ** 21)])
      expect(thrown(call)).toMatch(/^ENOMEM.*chunks are more than one call takes: 1048576/);
    expect([own.stats().allocated, area.stats.prepared]).toEqual([0, 0]);
  });

  test('takes frames from a callback, and hands them back to another', () => {
    const back: unknown[] = [];
    const { kernel, area, touch, ram } = lazy({
      chunkShift: 13,
      populate: (page, pages) => Array.from({ length: pages }, (_, i) => 0x5000 + page + i),
      release: (frames, page) => back.push([[...frames], page]),
    });
    touch(7);
    expect([area.area.frameAt(6), area.area.frameAt(7)]).toEqual([0x5006, 0x5007]);
    expect(ram.stats().allocated).toBe(0);
    kernel.vfree(area.area.addr);
    expect(back).toEqual([[[0x5006, 0x5007], 6]]);
  });

  test('stays as it was when a callback throws, returns wrong frames, or changes the space', () => {
    const stop = new Error('stop');
    let answer: () => readonly number[] = () => {
      throw stop;
    };
    const { kernel, area, touch } = lazy({ populate: () => answer() });
    expect(() => touch(0)).toThrow(stop);
    answer = () => [1, 2];
    expect(codeOf(() => touch(0))).toBe('EINVAL');
    answer = () => [-1];
    expect(codeOf(() => touch(0))).toBe('EINVAL');
    answer = () => {
      kernel.vmalloc(1);
      return [1];
    };
    expect(codeOf(() => touch(0))).toBe('EBUSY');
    expect(area.stats).toMatchObject({ populated: 0, faults: 0 });
    answer = () => [1];
    expect(touch(0)).toBe(true);
  });

  test('refuses other calls that map it, and is freed with all its frames', () => {
    const { kernel, area, ram, linux, touch } = lazy();
    touch(1);
    const { addr } = area.area;
    const { PAGE_KERNEL } = linux.protections;
    expect(codeOf(() => area.area.map(0, 1))).toBe('EINVAL');
    expect(codeOf(() => area.area.unmap(1))).toBe('EINVAL');
    expect(codeOf(() => kernel.vunmapRange(addr, addr + 4096n))).toBe('EINVAL');
    expect(codeOf(() => kernel.vmapPagesRange(addr, addr + 4096n, PAGE_KERNEL, [1]))).toBe('EINVAL');
    expect(codeOf(() => kernel.applyToPageRange(addr, PAGE, () => undefined))).toBe('EINVAL');
    expect(ram.stats().allocated).toBe(1);
    kernel.vfree(addr);
    expect(ram.stats().allocated).toBe(0);
    for (const call of [
      () => area.touch(0),
      () => area.populate(),
      () => area.shrink(),
      () => area.prepare(),
    ])
      expect(codeOf(call)).toBe('EINVAL');
    expect(kernel.handleFault(addr)).toBe(false);
  });

  test.each([
    [{ chunkShift: 11 }],
    [{ chunkShift: 12.5 }],
    [{ chunkShift: 31 }],
    [{ limit: 0 }],
    [{ populate: 7 as never }],
    [{ release: 'no' as never }],
  ])('refuses %j', (options) => {
    const { kernel } = kernelOf('x86-64');
    expect(codeOf(() => kernel.getLazyArea(GiB, options))).toBe('EINVAL');
    expect(kernel.stats().areas).toBe(0);
  });

  test('refuses wrong page numbers', () => {
    const { area } = lazy();
    for (const page of [GiB / PAGE, -1]) expect(codeOf(() => area.touch(page))).toBe('ERANGE');
    for (const page of [0.5, Number.NaN, '0' as never]) expect(codeOf(() => area.touch(page))).toBe('EINVAL');
  });

  test('frees its frames when the space is destroyed', () => {
    const { kernel, ram, touch, area } = lazy();
    touch(1);
    kernel.destroy();
    expect(ram.stats().allocated).toBe(0);
    expect((area.area as VmArea).isLive).toBe(false);
  });
});
