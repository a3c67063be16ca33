import { VM_ALLOC, VM_IOREMAP, VM_NO_GUARD, VM_SPARSE, type VmArea } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { kernelOf } from './support/kernel.js';

const PAGE = 4096;

describe('getVmArea', () => {
  test('places areas as Linux does, one after another, each with a guard', () => {
    const { kernel, at } = kernelOf('x86-64');
    expect(kernel.getVmArea(PAGE).addr).toBe(at(0));
    expect(kernel.getVmArea(3 * PAGE).addr).toBe(at(2));
    // Aligned to its own size without the guard.
    expect(kernel.getVmArea(0x10000, VM_IOREMAP).addr).toBe(at(0x10));
    expect(kernel.getVmArea(1).addr).toBe(at(6));
    const first = kernel.findVmArea(at(0)) as VmArea;
    kernel.freeVmArea(first);
    expect(kernel.getVmArea(PAGE).addr).toBe(at(8));
    kernel.vmUnmapAliases();
    expect(kernel.getVmArea(PAGE).addr).toBe(at(0));
  });

  test('touches no table', () => {
    const { kernel } = kernelOf('x86-64');
    const before = kernel.counters;
    kernel.getVmArea(1n << 40n, VM_SPARSE);
    expect(kernel.counters).toEqual(before);
  });

  test('counts the guard in size, not in bytes; with VM_NO_GUARD there is no guard', () => {
    const { kernel } = kernelOf('x86-64');
    const area = kernel.getVmArea(5000);
    expect([area.bytes, area.size, area.pages, area.requestedBytes]).toEqual([8192n, 12288n, 2, 5000n]);
    expect(kernel.getVmAreaSize(area)).toBe(8192n);
    const bare = kernel.getVmArea(PAGE, VM_NO_GUARD);
    expect([bare.bytes, bare.size]).toEqual([4096n, 4096n]);
  });

  test('has a variant, getVmAreaNode, with alignment, rounding and window', () => {
    const { kernel, linux } = kernelOf('x86-64');
    const window = { start: linux.window.start + (1n << 40n), end: linux.window.start + (2n << 40n) };
    const area = kernel.getVmAreaNode({ size: 1, shift: 21, align: 1n << 30n, window, flags: VM_SPARSE });
    expect(area.addr).toBe(window.start);
    expect(area.bytes).toBe(1n << 21n);
  });

  test.each([
    ['a size of 0', 'EINVAL', { size: 0 }],
    ['a negative size', 'EINVAL', { size: -1n }],
    ['a fractional size', 'EINVAL', { size: 1.5 }],
    ['a size as text', 'EINVAL', { size: '4096' as never }],
    ['an unknown flag', 'EINVAL', { size: 1, flags: 0x2000 }],
    ['VM_UNINITIALIZED', 'EINVAL', { size: 1, flags: 0x20 }],
    ['an alignment that is no power of two', 'EINVAL', { size: 1, align: 3n }],
    [
      'a window that the root does not translate',
      'ERANGE',
      { size: 1, window: { start: 0n, end: 1n << 60n } },
    ],
    ['a size beyond the window', 'ENOMEM', { size: 1n << 50n }],
  ])('refuses %s and reserves nothing', (_, code, request) => {
    const { kernel, at } = kernelOf('x86-64');
    expect(codeOf(() => kernel.getVmAreaNode(request))).toBe(code);
    expect(kernel.getVmArea(1).addr).toBe(at(0));
  });
});

describe('freeing an area', () => {
  test('unmaps it, and leaves its frames to their owner', () => {
    const { kernel, ram, flushes, at } = kernelOf('x86-64');
    const frame = ram.allocate();
    const area = kernel.getVmArea(2 * PAGE, VM_SPARSE);
    area.map(1, frame);
    kernel.freeVmArea(area);
    expect([...kernel.table.leaves()]).toEqual([]);
    expect(ram.isAllocated(frame)).toBe(true);
    expect(flushes).toEqual([]);
    kernel.vmUnmapAliases();
    // One flush, over the area and its guard.
    expect(flushes).toEqual([{ va: at(0), bytes: 3n * 4096n }]);
  });

  test('is refused for an area that is freed, foreign, or owns its pages', () => {
    const { kernel } = kernelOf('x86-64');
    const other = kernelOf('x86-64').kernel.getVmArea(PAGE);
    const area = kernel.getVmArea(PAGE);
    kernel.freeVmArea(area);
    expect(codeOf(() => kernel.freeVmArea(area))).toBe('EINVAL');
    expect(codeOf(() => kernel.freeVmArea(other))).toBe('EINVAL');
    expect(codeOf(() => kernel.freeVmArea({} as VmArea))).toBe('EINVAL');
    const memory = kernel.findVmArea(kernel.vmalloc(PAGE)) as VmArea;
    expect(codeOf(() => kernel.freeVmArea(memory))).toBe('EINVAL');
    expect(memory.isLive).toBe(true);
  });

  test('makes its handle dead, also when the addresses are reserved again', () => {
    const { kernel } = kernelOf('x86-64');
    const old = kernel.getVmArea(PAGE, VM_SPARSE);
    kernel.freeVmArea(old);
    kernel.vmUnmapAliases();
    const area = kernel.getVmArea(PAGE, VM_SPARSE);
    expect(area.addr).toBe(old.addr);
    expect(codeOf(() => old.map(0, 1))).toBe('EINVAL');
    expect(codeOf(() => old.frameAt(0))).toBe('EINVAL');
    expect(area.frameAt(0)).toBe(-1);
  });

  test('by removeVmArea hands over its frames, and needs its first address', () => {
    const { kernel, ram, at } = kernelOf('x86-64');
    const address = kernel.vmalloc(600 * PAGE);
    expect(codeOf(() => kernel.removeVmArea(at(1)))).toBe('EINVAL');
    const area = kernel.removeVmArea(address);
    expect(area.isLive).toBe(false);
    const frames = area.ownedFrames();
    expect(frames).toHaveLength(600);
    expect(ram.stats().allocated).toBe(600);
    ram.freeMany(frames);
    expect(ram.stats().allocated).toBe(0);
    expect([...kernel.table.leaves()]).toEqual([]);
  });
});

describe('findVmArea', () => {
  test('gives the same handle for any address inside an area or its guard', () => {
    const { kernel, at } = kernelOf('x86-64');
    const area = kernel.getVmArea(2 * PAGE);
    for (const address of [at(0), at(1) + 5n, at(2), at(3) - 1n])
      expect(kernel.findVmArea(address)).toBe(area);
    expect(kernel.findVmArea(at(3))).toBeNull();
  });

  test('gives null for a range of vmMapRam', () => {
    const { kernel } = kernelOf('x86-64');
    expect(kernel.findVmArea(kernel.vmMapRam([1]))).toBeNull();
  });

  test('finds early areas', () => {
    const { kernel, at } = kernelOf('x86-64');
    expect(kernel.findVmArea(at(0))).toBeNull();
    const early = [
      { address: at(0), bytes: 8192n, flags: VM_ALLOC, caller: 'paging_init', physical: 0x1000n },
    ];
    const again = kernelOf('x86-64', { early }).kernel;
    expect(again.findVmArea(at(1))?.flags).toBe(VM_ALLOC);
    expect(again.vmallocinfo()).toContain(' 8192 paging_init phys=0x0000000000001000 vmalloc\n');
    expect(again.getVmArea(PAGE).addr).toBe(at(2));
  });
});

describe('pcpuGetVmAreas', () => {
  test('places areas from the top of the window, without guards; pcpuFreeVmAreas frees all or none', () => {
    const { kernel, linux } = kernelOf('x86-64');
    const step = 1 << 21;
    const areas = kernel.pcpuGetVmAreas([0, 4 * step], [step, step], BigInt(step));
    const [a, b] = areas as [VmArea, VmArea];
    expect(b.addr - a.addr).toBe(BigInt(4 * step));
    expect(b.addr + b.size).toBe((linux.window.end / BigInt(step)) * BigInt(step));
    expect([a.size, a.bytes]).toEqual([BigInt(step), BigInt(step)]);
    a.map(0, 7);
    expect(codeOf(() => kernel.pcpuFreeVmAreas([a, b, a]))).toBe('EINVAL');
    expect([a.isLive, b.isLive]).toEqual([true, true]);
    kernel.pcpuFreeVmAreas(areas);
    expect([a.isLive, b.isLive]).toEqual([false, false]);
    expect([...kernel.table.leaves()]).toEqual([]);
  });

  test.each([
    ['overlap', [0, 0], [4096, 4096]],
    ['are misaligned', [0, 100], [4096, 4096]],
    ['differ in number', [0], [4096, 4096]],
  ])('refuses parts that %s', (_, offsets, sizes) => {
    const { kernel } = kernelOf('x86-64');
    expect(codeOf(() => kernel.pcpuGetVmAreas(offsets, sizes, 4096n))).toBe('EINVAL');
    expect(kernel.stats().areas).toBe(0);
  });
});

describe('several processors', () => {
  test('keep purged ranges in pools of their own, until shrinkPools', () => {
    const { kernel, at } = kernelOf('x86-64', { cpus: 2 });
    kernel.cpu = 1;
    const address = kernel.vmalloc(PAGE);
    kernel.vfree(address);
    kernel.vmUnmapAliases();
    expect(kernel.stats().pooledRanges).toBe(1);
    // Another processor does not find them in its pools.
    kernel.cpu = 0;
    expect(kernel.vmalloc(PAGE)).toBe(at(2));
    kernel.cpu = 1;
    expect(kernel.vmalloc(PAGE)).toBe(address);
    kernel.vfree(address);
    kernel.vmUnmapAliases();
    kernel.shrinkPools();
    expect(kernel.stats().pooledRanges).toBe(0);
    for (const cpu of [2, -1, 0.5, '1' as never])
      expect(
        codeOf(() => {
          kernel.cpu = cpu;
        }),
      ).toBe('EINVAL');
    expect(kernel.cpu).toBe(1);
  });

  test('that are online decide how many pages may wait', () => {
    const waits = (options: { cpus: number; onlineCpus?: number }) => {
      const { kernel, flushes } = kernelOf('x86-64', options);
      let pages = 0;
      for (; flushes.length === 0; pages += 256) kernel.vfree(kernel.vmalloc(255 * PAGE));
      return pages - 256;
    };
    expect([waits({ cpus: 1 }), waits({ cpus: 4 }), waits({ cpus: 4, onlineCpus: 1 })]).toEqual([
      8192,
      3 * 8192,
      8192,
    ]);
  });
});
