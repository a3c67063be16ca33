import { VM_SPARSE } from '@vmarea/core';
import { thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { framesFrom, kernelOf, RAM_FIRST } from './support/kernel.js';

/** The direct map of Linux on x86-64, below the vmalloc window. */
const DIRECT = 0xffff_8880_0000_0000n;
const PAGE = 4096n;
const hex = (address: bigint): string => `0x${address.toString(16)}`;

const leafAt = ({ kernel }: ReturnType<typeof kernelOf>, address: bigint): number | undefined =>
  [...kernel.table.leaves(address, PAGE)][0]?.pfn;

describe('a window of addresses', () => {
  const made = () => {
    const { kernel, ram } = kernelOf('x86-64', { directMap: { base: DIRECT } });
    const start = DIRECT + BigInt(RAM_FIRST) * PAGE;
    const end = start + BigInt(ram.frames) * PAGE;
    return { kernel, start, end };
  };

  test('may end where the direct map begins, or begin where it ends', () => {
    const { kernel, start, end } = made();
    const below = kernel.getVmAreaNode({ size: PAGE, window: { start: start - 2n * PAGE, end: start } });
    expect(below.addr).toBe(start - 2n * PAGE);
    const above = kernel.getVmAreaNode({ size: PAGE, window: { start: end, end: end + 2n * PAGE } });
    expect(above.addr).toBe(end);
  });

  test('may not reach into it by a page, from below or above', () => {
    const { kernel, start, end } = made();
    for (const window of [
      { start: start - 2n * PAGE, end: start + PAGE },
      { start: end - PAGE, end: end + 2n * PAGE },
    ])
      expect(thrown(() => kernel.getVmAreaNode({ size: PAGE, window }))).toBe(
        `EINVAL at ${hex(window.start)}: the window overlaps the direct map at ${hex(start)}`,
      );
  });
});

describe('a direct map', () => {
  const base = (first: bigint) => ({ directMap: { base: first - BigInt(RAM_FIRST) * PAGE } });
  const { linux, ram } = kernelOf('x86-64');
  const bytes = BigInt(ram.frames) * PAGE;
  // Linux's window on x86-64 lacks its last byte.
  const above = linux.window.end + 1n;

  test('may touch the vmalloc window on both sides', () => {
    for (const first of [linux.window.start - bytes, above])
      expect(leafAt(kernelOf('x86-64', base(first)), first)).toBe(RAM_FIRST);
  });

  test('may not reach into it by a page', () => {
    for (const first of [linux.window.start - bytes + PAGE, above - PAGE])
      expect(thrown(() => kernelOf('x86-64', base(first)))).toBe(
        `EINVAL at ${hex(first)}: the direct map overlaps the vmalloc window`,
      );
  });
});

test('the last page of physical memory can be a device', () => {
  const { kernel, format } = kernelOf('x86-64');
  const last = (1n << BigInt(format.paBits)) - PAGE;
  expect(kernel.vmallocToPfn(kernel.ioremap(last, PAGE))).toBe(Number(last / PAGE));
});

test('an area that owns no page has no frames of its own', () => {
  const { kernel } = kernelOf('x86-64');
  const area = kernel.getVmArea(2n * PAGE);
  area.map(0, [1, 2]);
  expect([...area.ownedFrames()]).toEqual([]);
  expect(area).toMatchObject({ ownedPages: 0, pageOrder: 0, physical: null, caller: undefined });
});

test('destroy frees tables and pages beside ranges of vmMapRam', () => {
  const { kernel, ram, frames } = kernelOf('x86-64');
  kernel.vmMapRam(framesFrom(1, 3));
  kernel.vmMapRam(framesFrom(1, 100));
  const [area] = [kernel.findVmArea(kernel.vmalloc(2n * PAGE))];
  kernel.destroy();
  expect([ram.stats().allocated, frames.stats().allocated, area?.isLive]).toEqual([0, 0, false]);
});

test('a lazy area whose pages come from a callback needs none that takes them back', () => {
  const { kernel } = kernelOf('x86-64');
  const lazy = kernel.getLazyArea(4n * PAGE, { populate: (first) => [first + 7] });
  lazy.populate();
  expect([lazy.shrink(1, 2), lazy.stats.populated]).toEqual([2, 2]);
  kernel.vfree(lazy.area.addr);
  expect(lazy.stats).toMatchObject({ populated: 0, releasedChunks: 4, populatedChunks: 4, peak: 4 });
});

test('a policy of another format is refused by both names, with the way out', () => {
  const { linux } = kernelOf('riscv64-sv39');
  expect(thrown(() => kernelOf('x86-64', { linux }))).toMatch(
    /^EINVAL: the policy `.*` is for riscv64-sv39.*, but the format is x86-64; pass the format and the policy of one package, made with the same options$/,
  );
});

test('prepare takes frames once, however often it is called', () => {
  const { kernel, ram } = kernelOf('x86-64');
  const lazy = kernel.getLazyArea(4n * PAGE, { limit: 3n * PAGE });
  lazy.prepare(0, 2);
  lazy.prepare(1, 2);
  expect([ram.stats().allocated, lazy.stats.prepared]).toEqual([3, 3]);
  expect(thrown(() => lazy.prepare(0, 4))).toMatch(/ENOMEM/);
  lazy.populate(0, 2);
  lazy.prepare(0, 3);
  expect([ram.stats().allocated, lazy.stats.prepared, lazy.stats.populated]).toEqual([3, 1, 2]);
  kernel.vfree(lazy.area.addr);
  expect(ram.stats().allocated).toBe(0);
});

test.each([
  [10, 80, [0, 99]],
  [0, 99, [99]],
  [1, 99, [0]],
  [50, 1, [0, 99]],
  [51, 49, [0, 50]],
  [0, 50, [50, 99]],
])('shrink from page %i on over %i pages leaves the pages %j', (page, count, left) => {
  const { kernel, ram } = kernelOf('x86-64');
  const lazy = kernel.getLazyArea(100n * PAGE);
  for (const one of [0, 50, 99]) lazy.touch(one);
  expect(lazy.shrink(page, count)).toBe(3 - left.length);
  expect([0, 50, 99].filter((one) => lazy.area.frameAt(one) >= 0)).toEqual(left);
  expect(ram.stats().allocated).toBe(left.length);
});

test.each([
  [16, 'cannot have 16 more pages'],
  [12, 'cannot have 12 more pages'],
  [9, 'cannot have 12 more pages'],
  [8, 'none'],
])('populate of %i pages counts whole chunks of four against a limit of eight: %s', (count, expected) => {
  const { kernel } = kernelOf('x86-64');
  const lazy = kernel.getLazyArea(16n * PAGE, { chunkShift: 14, limit: 8n * PAGE });
  expect(thrown(() => lazy.populate(0, count))).toMatch(new RegExp(`${expected}$`));
  expect(lazy.stats.populated).toBe(expected === 'none' ? 8 : 0);
});

test.each([
  [4092, 8],
  [0, 8192],
  [1, 8191],
  [4095, 2],
  [100, 50],
  [8190, 2],
])('vread at byte %i reads %i bytes, over the end of a page too', (offset, length) => {
  const { kernel, memory } = kernelOf('x86-64', { ramFrames: 0 });
  const address = kernel.vmalloc(2n * PAGE);
  const bytes = new Uint8Array(8192).map((_, i) => (i * 7 + (i >> 8)) & 0xff);
  for (const page of [0, 1]) {
    const pa = BigInt(kernel.vmallocToPfn(address + BigInt(page) * PAGE)) * PAGE;
    memory.bytesAt(pa, 4096).set(bytes.subarray(4096 * page, 4096 * page + 4096));
  }
  const into = new Uint8Array(length).fill(0xee);
  expect(kernel.vread(address + BigInt(offset), into)).toBe(length);
  expect(into).toEqual(bytes.slice(offset, offset + length));
});

test('frame 0 is a page like any other', () => {
  const { kernel } = kernelOf('x86-64');
  const address = kernel.vmap([0, 1]);
  expect([kernel.vmallocToPage(address), kernel.vmallocToPfn(address)]).toEqual([0, 0]);
  expect(kernel.vmallocToPage(address + 2n * PAGE)).toBeNull();
});

test('vmapPagesRange takes a page shift of up to 40 more than that of a page', () => {
  const { kernel, linux } = kernelOf('x86-64');
  const { addr } = kernel.getVmArea(PAGE);
  expect(thrown(() => kernel.vmapPagesRange(addr, addr + PAGE, linux.protections.PAGE_KERNEL, [1], 52))).toBe(
    `EINVAL: 1 pages are not whole chunks of ${2 ** 40}; pageShift promises frames in chunks of its size`,
  );
});

test('an area that a list of frames frees is named', () => {
  const { kernel } = kernelOf('x86-64');
  const area = kernel.getVmArea(PAGE, VM_SPARSE);
  const list = Object.defineProperty([1], 0, {
    get: () => {
      kernel.freeVmArea(area);
      return 1;
    },
  });
  expect(thrown(() => kernel.vmAreaMapPages(area, area.addr, area.addr + PAGE, list))).toBe(
    `EINVAL at ${hex(area.addr)}: the area was freed`,
  );
});
