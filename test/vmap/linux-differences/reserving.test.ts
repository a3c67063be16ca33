import {
  VM_FLUSH_RESET_PERMS,
  VM_MAP_PUT_PAGES,
  VM_NO_GUARD,
  VM_SPARSE,
  VM_UNINITIALIZED,
} from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { framesFrom, kernelOf, RAM_FIRST } from '../support/kernel.js';

const PAGE = 4096;

describe('reserving and allocating', () => {
  test('D12: unknown flags and VM_UNINITIALIZED are EINVAL', () => {
    const { kernel, at } = kernelOf('x86-64');
    for (const flags of [0x2000, 0x8000_0000, VM_SPARSE | 0x4000, VM_UNINITIALIZED])
      expect([
        codeOf(() => kernel.getVmArea(PAGE, flags)),
        codeOf(() => kernel.getVmAreaNode({ size: PAGE, flags })),
      ]).toEqual(['EINVAL', 'EINVAL']);
    expect(kernel.getVmArea(PAGE, 0x1fff & ~VM_UNINITIALIZED).addr).toBe(at(0));
  });

  test('D13: vmap refuses VM_NO_GUARD as it does VM_FLUSH_RESET_PERMS', () => {
    const { kernel } = kernelOf('x86-64');
    for (const flags of [VM_NO_GUARD, VM_FLUSH_RESET_PERMS])
      expect(codeOf(() => kernel.vmap([1], flags))).toBe('EINVAL');
    expect(kernel.stats().areas).toBe(0);
  });

  test('D14: VM_MAP_PUT_PAGES refuses a frame that is owned, free, a table, or given twice', () => {
    const { kernel, ram } = kernelOf('x86-64');
    const [a, b] = [ram.allocate(), ram.allocate()];
    kernel.vmap([a], VM_MAP_PUT_PAGES);
    const owned = kernel.vmallocToPfn(kernel.vmalloc(PAGE));
    const put = (frames: number[]) => () => kernel.vmap(frames, VM_MAP_PUT_PAGES);
    expect([put([a]), put([owned]), put([RAM_FIRST + 999]), put([b, b])].map(codeOf)).toEqual(
      Array(4).fill('EINVAL'),
    );
    const { kernel: shared } = kernelOf('x86-64', { ramFrames: 0 });
    expect(codeOf(() => shared.vmap([Number(shared.table.root >> 12n)], VM_MAP_PUT_PAGES))).toBe('EINVAL');
    // Refused frames stay with the caller, who can still hand them over.
    expect(codeOf(put([b]))).toBe('none');
  });

  test('D15: more pages than the machine has are E2BIG', () => {
    const { kernel } = kernelOf('x86-64', { totalRamPages: 100 });
    const area = kernel.getVmArea(200 * PAGE, VM_SPARSE);
    const frames = framesFrom(1, 101);
    expect(
      [
        () => kernel.vmalloc(101 * PAGE),
        () => kernel.vmallocHuge(101 * PAGE),
        () => kernel.vmap(frames),
        () => kernel.vmMapRam(frames),
        () => kernel.vmAreaMapPages(area, area.addr, area.addr + 101n * 4096n, frames),
      ].map(codeOf),
    ).toEqual(Array(5).fill('E2BIG'));
    expect(codeOf(() => kernel.vmap(framesFrom(1, 100)))).toBe('none');
    expect(codeOf(() => kernel.vmalloc(100 * PAGE))).toBe('none');
  });

  test('D31: overlapping parts of per-cpu areas are EINVAL', () => {
    const { kernel } = kernelOf('x86-64');
    const reserve = (offsets: number[], sizes: number[]) => () =>
      kernel.pcpuGetVmAreas(offsets, sizes, BigInt(PAGE));
    expect(
      [
        reserve([0, PAGE], [2 * PAGE, PAGE]),
        reserve([PAGE, 0], [PAGE, 2 * PAGE]),
        reserve([0, 0], [PAGE, PAGE]),
      ].map(codeOf),
    ).toEqual(Array(3).fill('EINVAL'));
    expect(kernel.stats().areas).toBe(0);
    expect(codeOf(reserve([0, 2 * PAGE], [2 * PAGE, PAGE]))).toBe('none');
  });

  test('D32: getVmAreaSize of a per-cpu area is all of its mappable bytes', () => {
    const { kernel } = kernelOf('x86-64');
    const areas = kernel.pcpuGetVmAreas([0, 8 * PAGE], [4 * PAGE, 2 * PAGE], BigInt(PAGE));
    expect(areas.map((area) => kernel.getVmAreaSize(area))).toEqual([4n * 4096n, 2n * 4096n]);
    for (const area of areas) area.map(0, framesFrom(1, Number(kernel.getVmAreaSize(area) / 4096n)));
    expect(areas.map((area) => area.populated().pages)).toEqual([4, 2]);
  });

  test('D33: vrealloc of memory that is not from vmalloc is EINVAL', () => {
    const { kernel, ram, at } = kernelOf('x86-64');
    const memory = kernel.vmalloc(2 * PAGE);
    const others = [
      kernel.vmap([1]),
      kernel.vmap([ram.allocate()], VM_MAP_PUT_PAGES),
      kernel.getVmArea(PAGE, VM_SPARSE).addr,
      kernel.ioremap(0xfed0_0000n, PAGE),
      kernel.vmMapRam([1]),
      memory + 4096n,
      at(5000),
    ];
    const before = kernel.vmallocinfo();
    for (const address of others) expect(codeOf(() => kernel.vrealloc(address, 4 * PAGE))).toBe('EINVAL');
    expect(kernel.vmallocinfo()).toBe(before);
  });
});
