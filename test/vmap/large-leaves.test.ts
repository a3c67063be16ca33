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
    const listed = () => [...kernel.table.leaves(first, 2 ** 13 * pageBytes, { complete: true })];
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
    const found = [...kernel.table.leaves(address, list.length * pageBytes, { complete: true })];
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

describe('rights that a large leaf has already', () => {
  const made = (name = 'x86-64', pages = 1024) => {
    const { kernel, pageBytes } = kernelOf(name);
    const address = kernel.vmallocHuge(pages * pageBytes);
    const leaves = () =>
      [...kernel.table.leaves(address, pages * pageBytes, { complete: true })].map(
        ({ va, count, leafShift }) =>
          `${count}x${leafShift}${kernel.table.walk(va).leaf?.protection.write ? 'w' : ''}`,
      );
    return { kernel, leaves, at: (page: number) => address + BigInt(page * pageBytes) };
  };

  test.each([
    [0, 1024],
    [0, 522],
    [10, 1014],
    [10, 20],
    [500, 24],
    [1023, 1],
  ])('split it for no part of it: page %i on, %i pages', (page, count) => {
    const { kernel, leaves, at } = made();
    expect(leaves()).toEqual(['2x21w']);
    kernel.setMemoryRo(at(0), 1024);
    expect(leaves()).toEqual(['2x21']);
    kernel.setMemoryRo(at(page), count);
    expect(leaves()).toEqual(['2x21']);
  });

  test.each([
    [0, 522, ['2x21']],
    [10, 512, ['10x12w', '502x12', '1x21']],
    [10, 1014, ['10x12w', '502x12', '1x21']],
    [500, 100, ['500x12w', '12x12', '1x21']],
  ])('leave it whole beside one that changes: page %i on, %i pages', (page, count, expected) => {
    const { kernel, leaves, at } = made();
    kernel.setMemoryRo(at(512), 512);
    expect(leaves()).toEqual(['1x21w', '1x21']);
    kernel.setMemoryRo(at(page), count);
    expect(leaves()).toEqual(expected);
  });

  test.each([
    [0, 8],
    [8, 8],
    [3, 30],
  ])('split no contiguous run: page %i on, %i pages', (page, count) => {
    const { kernel, at } = made('riscv64-sv39-napot', 48);
    const marks = () => [0, 16, 32].map((one) => kernel.table.walk(at(one)).steps.at(-1)?.entry);
    kernel.setMemoryRo(at(0), 48);
    const before = marks();
    kernel.setMemoryRo(at(page), count);
    expect(marks()).toEqual(before);
  });
});

test('setMemoryRo changes the direct map of the frames themselves, however far they are apart', () => {
  const base = DIRECT['x86-64'] as bigint;
  const { kernel, pageBytes } = kernelOf('x86-64', { directMap: { base } });
  const frames = [10, 11, 20, 5, 6, 40].map((one) => RAM_FIRST + one);
  kernel.setMemoryRo(kernel.vmap(frames), frames.length);
  const isRead = (one: number) =>
    kernel.table.walk(base + BigInt((RAM_FIRST + one) * pageBytes)).leaf?.protection.write === false;
  expect(Array.from({ length: 64 }, (_, i) => i).filter(isRead)).toEqual([5, 6, 10, 11, 20, 40]);
});

test('vrealloc of Linux 2026 frees the tail of pages, and of no block', () => {
  const { kernel, pageBytes } = kernelOf('x86-64', { release: '2026' });
  const [small, huge] = [kernel.vmalloc(8 * pageBytes), kernel.vmallocHuge(1024 * pageBytes)];
  for (const address of [small, huge]) expect(kernel.vrealloc(address, pageBytes)).toBe(address);
  expect(kernel.findVmArea(small)).toMatchObject({ ownedPages: 1, requestedBytes: BigInt(pageBytes) });
  expect(kernel.findVmArea(huge)).toMatchObject({ ownedPages: 1024, requestedBytes: BigInt(pageBytes) });
  expect(kernel.vmallocToPage(small + BigInt(pageBytes))).toBeNull();
  expect(kernel.vmallocToPage(huge + BigInt(pageBytes))).not.toBeNull();
});
