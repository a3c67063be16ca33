import { VM_ALLOW_HUGE_VMAP } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { expect, test } from 'vitest';
import { kernelOf } from './support/kernel.js';

/** More pages than one page of pointers names: Linux maps their array in an area of its own. */
const PAGES = 1024;

test.each([0, VM_ALLOW_HUGE_VMAP])(
  'a protection is that of the memory, and not of the array of its pages (flags %i)',
  (flags) => {
    const { kernel, linux, pageBytes } = kernelOf('x86-64');
    const protection = { ...linux.protections.PAGE_KERNEL, write: false };
    const address = kernel.vmallocNodeRange({ size: PAGES * pageBytes, protection, flags });
    const array = address + BigInt((PAGES + 1) * pageBytes);
    expect(kernel.findVmArea(array)).toMatchObject({ ownedPages: 2 });
    const isWritable = (va: bigint) => kernel.table.walk(va).leaf?.protection.write;
    expect([address, address + BigInt((PAGES - 1) * pageBytes)].map(isWritable)).toEqual([false, false]);
    expect([array, array + BigInt(pageBytes)].map(isWritable)).toEqual([true, true]);
  },
);

test.each([
  [0, 0],
  [VM_ALLOW_HUGE_VMAP, 9],
])('zero clears the bytes of each page and no others (flags %i)', (flags, pageOrder) => {
  const {
    kernel,
    memory,
    frames: all,
    pageBytes,
  } = kernelOf('x86-64', { ramFrames: 0, tablePages: 4 * PAGES });
  const dirty = kernel.vmallocNodeRange({ size: PAGES * pageBytes, flags });
  const frames = [...(kernel.findVmArea(dirty)?.ownedFrames() ?? [])];
  const bytesOf = (pfn: number) => memory.bytesAt(BigInt(pfn) << 12n, pageBytes);
  for (const pfn of frames) bytesOf(pfn).fill(0xee);
  kernel.vfree(dirty);
  const size = (PAGES / 2) * pageBytes;
  const area = kernel.findVmArea(kernel.vmallocNodeRange({ size, flags, zero: true }));
  expect(area).toMatchObject({ pageOrder, ownedPages: PAGES / 2 });
  const cleared = new Set(area?.ownedFrames());
  const isZero = (pfn: number) => bytesOf(pfn).every((byte) => byte === 0);
  expect([...cleared].filter((pfn) => !isZero(pfn))).toEqual([]);
  const others = frames.filter((pfn) => !cleared.has(pfn) && !all.isAllocated(pfn));
  expect(others.filter((pfn) => bytesOf(pfn)[0] !== 0xee)).toEqual([]);
  expect(others.length).toBeGreaterThan(0);
});

test('a request purges where no free addresses fit, unless it says otherwise', () => {
  const { kernel, linux, pageBytes } = kernelOf('x86-64');
  const { start } = linux.window;
  const window = { start, end: start + BigInt(4 * pageBytes) };
  const request = { size: 3 * pageBytes, window };
  kernel.vfree(kernel.vmallocNodeRange(request));
  expect(codeOf(() => kernel.vmallocNodeRange({ ...request, mayPurge: false }))).toBe('ENOMEM');
  expect(kernel.vmallocNodeRange(request)).toBe(start);
});
