import { VM_FLUSH_RESET_PERMS, VM_MAP } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { configuration, kernelOf, RAM_FIRST } from './support/kernel.js';

/** The bases of direct maps, far from the windows. */
const DIRECT: Record<string, bigint> = {
  'x86-64': 0xffff_8880_0000_0000n,
  'arm64-4k-48-cont': 0xffff_0000_0000_0000n,
  'riscv64-sv39-napot': 0xffff_ffd6_0000_0000n,
};

describe.each(Object.keys(DIRECT))('the direct map of %s', (name) => {
  const { pageBytes } = kernelOf(name);

  test.each([1, 16, 24, 512, 600])('has its leaves and runs again after vfree of %i pages', (pages) => {
    const directMap = { base: DIRECT[name] as bigint };
    const { kernel } = kernelOf(name, { directMap, ramFrames: 2 ** 13 });
    const first = directMap.base + BigInt(RAM_FIRST * pageBytes);
    const listed = () => [...kernel.table.leaves(first, 2 ** 13 * pageBytes)];
    const size = pages * pageBytes;
    kernel.vfree(kernel.vmallocNodeRange({ size, flags: VM_FLUSH_RESET_PERMS }));
    const before = listed();
    expect(before.reduce((sum, { count, leafShift }) => sum + count * 2 ** leafShift, 0)).toBe(
      2 ** 13 * pageBytes,
    );
    kernel.vfree(kernel.vmallocNodeRange({ size, flags: VM_FLUSH_RESET_PERMS }));
    expect(listed()).toEqual(before);
  });
});

describe('vmallocHuge', () => {
  test('gives back the blocks that it has, and takes pages, where too few blocks are free', () => {
    const { kernel, ram, pageBytes } = kernelOf('x86-64', { ramFrames: 2048 });
    const all = ram.allocateMany(2048);
    const kept = [512 + 5, 1024 + 5, 1536 + 5].map((i) => RAM_FIRST + i);
    ram.freeMany(all.filter((pfn) => !kept.includes(pfn)));
    const address = kernel.vmallocHuge(1024 * pageBytes);
    expect(kernel.findVmArea(address)).toMatchObject({ pageOrder: 0, ownedPages: 1024 });
    // Two more pages hold the array of 1024 pages.
    expect(ram.stats().allocated).toBe(3 + 1024 + 2);
    kernel.vfree(address);
    expect(ram.stats().allocated).toBe(3);
  });

  test('of two blocks takes two, each by its first frame', () => {
    const { kernel, ram, pageBytes } = kernelOf('x86-64', { ramFrames: 2048 });
    const area = kernel.findVmArea(kernel.vmallocHuge(1024 * pageBytes));
    expect(area).toMatchObject({ pageOrder: 9, ownedPages: 1024, requestedBytes: BigInt(1024 * pageBytes) });
    expect([...(area?.ownedFrames() ?? [])]).toEqual(
      Array.from({ length: 1024 }, (_, i) => (area?.ownedFrames()[0] as number) + i),
    );
    expect(ram.stats().allocated).toBe(1024 + 2);
  });
});

describe('vmap of Linux 2026', () => {
  const leavesOf = (list: readonly number[]) => {
    const { kernel, pageBytes } = kernelOf('x86-64', { release: '2026' });
    const address = kernel.vmap(list, VM_MAP);
    const found = [...kernel.table.leaves(address, list.length * pageBytes)];
    expect(list.map((_, i) => kernel.vmallocToPfn(address + BigInt(i * pageBytes)))).toEqual(list);
    return found.map(({ count, leafShift }) => `${count}x${leafShift}`).join(' ');
  };
  const from = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

  test.each([
    ['512 aligned frames: a block', from(512, 512), '1x21'],
    ['512 frames that are not aligned: pages', from(513, 512), '512x12'],
    ['511 aligned frames: pages', from(512, 511), '511x12'],
    ['frame 0 on', from(0, 512), '1x21'],
    ['a block and a page', from(512, 513), '1x21 1x12'],
    ['two blocks that are adjacent', from(1024, 1024), '2x21'],
  ])('maps %s', (_, list, leaves) => {
    expect(leavesOf(list)).toBe(leaves);
  });
});

test('vrealloc names the caller of memory that it moves', () => {
  const { kernel, pageBytes } = kernelOf('x86-64');
  const caller = 'grow+0x1/0x2';
  const moved = kernel.vrealloc(kernel.vmalloc(pageBytes), 3 * pageBytes, { caller });
  expect(kernel.findVmArea(moved)?.caller).toBe(caller);
  expect(kernel.findVmArea(kernel.vrealloc(0n, pageBytes, { caller }))?.caller).toBe(caller);
  expect(configuration('x86-64').linux.window.start).toBeLessThan(moved);
});
