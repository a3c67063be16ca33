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
