import { VM_SPARSE, type VmArea } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { framesFrom, kernelOf } from './support/kernel.js';

const PAGE = 4096;

const sparse = (pages: number) => {
  const made = kernelOf('x86-64');
  return { ...made, area: made.kernel.getVmArea(pages * PAGE, VM_SPARSE) };
};

/** Values that are no page of an area of 8 pages, and the code that they are refused with. */
const NO_PAGES: readonly (readonly [value: unknown, code: string])[] = [
  [-1, 'EINVAL'],
  [0.5, 'EINVAL'],
  [Number.NaN, 'EINVAL'],
  [Number.POSITIVE_INFINITY, 'EINVAL'],
  ['1', 'EINVAL'],
  [1n, 'EINVAL'],
  [null, 'EINVAL'],
  [8, 'ERANGE'],
  [2 ** 40, 'ERANGE'],
  [Number.MAX_SAFE_INTEGER, 'ERANGE'],
];

describe('a VmArea', () => {
  test.each(NO_PAGES)('refuses %s as a page in every call', (value, code) => {
    const { kernel, area } = sparse(8);
    area.map(1, 5);
    const page = value as number;
    const expected = page === -1 ? /EINVAL|ERANGE/ : code;
    for (const call of [
      () => area.map(page, 1),
      () => area.map(page, [1]),
      () => area.unmap(page),
      () => area.unmap(page, 1),
      () => area.unmapNoflush(page, 1),
      () => area.flush(page, 1),
      () => area.protect(page, 1, { write: false }),
      () => area.frameAt(page),
      () => area.prepare(page, 1),
    ])
      expect(codeOf(call)).toMatch(expected);
    expect(
      [...kernel.table.leaves(undefined, undefined, { complete: true })].map(({ pfn, count }) => [
        pfn,
        count,
      ]),
    ).toEqual([[5, 1]]);
  });

  test.each([0, -1, 1.5, Number.NaN, '2', 9])('refuses %s as a number of pages', (count) => {
    const { area } = sparse(8);
    const codes = [
      () => area.unmap(0, count as number),
      () => area.protect(0, count as number, { write: false }),
      () => area.prepare(0, count as number),
    ].map(codeOf);
    expect(codes).toEqual(Array(3).fill(count === 9 ? 'ERANGE' : 'EINVAL'));
  });

  test.each([-1, 0.5, Number.NaN, 2 ** 53, 2 ** 40])('refuses %s as a frame', (frame) => {
    const { area } = sparse(8);
    expect(codeOf(() => area.map(0, frame))).toBe('EINVAL');
    expect(codeOf(() => area.map(0, [1, frame]))).toBe('EINVAL');
    expect(area.populated().pages).toBe(0);
  });

  test('maps one page and a list alike', () => {
    const { area, linux } = sparse(2000);
    area.map(511, framesFrom(100, 3), linux.protections.PAGE_KERNEL_RO);
    area.map(600, 7, linux.protections.PAGE_KERNEL_RO);
    expect([510, 511, 512, 513, 514, 600].map((page) => area.frameAt(page))).toEqual([
      -1, 100, 101, 102, -1, 7,
    ]);
    area.unmap(512);
    expect(area.populated().pages).toBe(3);
    area.unmap(0, 2000);
    expect(area.populated()).toEqual({ pages: 0, leaves: [] });
  });

  test('reaches pages beyond 4 GiB from its start', () => {
    const { area, kernel } = sparse(2 ** 21);
    for (const page of [2 ** 20 - 1, 2 ** 20, 2 ** 21 - 1]) {
      area.map(page, page);
      expect(kernel.vmallocToPfn(area.addr + BigInt(page) * 4096n)).toBe(page);
    }
  });

  test('of one space is refused by another, whose pages at the same addresses stay', () => {
    const a = sparse(8);
    const b = sparse(8);
    a.area.map(0, 1);
    b.area.map(0, 2);
    expect(b.area.addr).toBe(a.area.addr);
    const start = b.area.addr;
    const codes = [
      () => a.kernel.freeVmArea(b.area),
      () => a.kernel.vmAreaMapPages(b.area, start, start + 4096n, [3]),
      () => a.kernel.vmAreaUnmapPages(b.area, start, start + 4096n),
      () => a.kernel.getVmAreaSize(b.area),
      () => a.kernel.pcpuFreeVmAreas([b.area]),
    ].map(codeOf);
    expect(codes).toEqual(Array(5).fill('EINVAL'));
    expect([a.area.frameAt(0), b.area.frameAt(0), a.area.isLive, b.area.isLive]).toEqual([1, 2, true, true]);
  });

  test('cannot be forged', () => {
    const { kernel, area } = sparse(8);
    const forged = Object.create(Object.getPrototypeOf(area)) as VmArea;
    expect(codeOf(() => kernel.freeVmArea(forged))).toBe('EINVAL');
    expect(codeOf(() => kernel.freeVmArea({ ...area } as VmArea))).toBe('EINVAL');
    expect(codeOf(() => kernel.freeVmArea(undefined as never))).toBe('EINVAL');
  });

  test('prepares tables, and needs no memory to map after that', () => {
    const { area, frames } = sparse(2048);
    const tables = area.prepare();
    // Four PTE tables, a PMD table and a PUD table.
    expect(tables).toBe(6);
    for (let pfn = frames.tryAllocate(); pfn >= 0; pfn = frames.tryAllocate());
    for (const page of [0, 511, 512, 2047]) area.map(page, 1);
    expect(area.populated().pages).toBe(4);
  });

  test('protects mapped pages with one flush', () => {
    const { area, flushes, kernel } = sparse(8);
    area.map(2, [1, 2]);
    area.protect(0, 8, { write: false });
    expect(flushes).toHaveLength(1);
    expect(kernel.table.walk(area.addr + 0x2000n).leaf?.protection.write).toBe(false);
    area.protect(0, 8, { write: false });
    expect(flushes).toHaveLength(1);
    expect(codeOf(() => area.protect(0, 8, { wrte: false } as never))).toBe('EINVAL');
  });

  test.each(['x86-64-la57', 'riscv64-sv57'])(
    'of 2^53 bytes and more takes every call on all of it on %s',
    (name) => {
      const { kernel } = kernelOf(name);
      const area = kernel.getVmArea(2n ** 53n + 8192n, VM_SPARSE);
      const last = area.pages - 1;
      expect(area.pages).toBe(2 ** 41 + 2);
      area.map(0, 5);
      area.map(last - 1, [6, 7]);
      expect([area.frameAt(0), area.frameAt(last - 1), area.frameAt(last)]).toEqual([5, 6, 7]);
      area.protect(0, area.pages, { write: false });
      const writes = [0n, area.bytes - 4096n].map(
        (offset) => kernel.table.walk(area.addr + offset).leaf?.protection.write,
      );
      expect(writes).toEqual([false, false]);
      area.unmap(1, last);
      expect(area.populated().pages).toBe(1);
      area.unmap(0, area.pages);
      expect(area.populated().pages).toBe(0);
      expect(codeOf(() => area.unmap(1, area.pages))).toBe('ERANGE');
    },
  );
});
