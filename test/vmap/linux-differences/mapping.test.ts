import { VM_IOREMAP, VM_SPARSE } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { framesFrom, kernelOf } from '../support/kernel.js';

const PAGE = 4096;
const BYTES = 4096n;

/** A sparse area of 8 pages, a device range of 8 pages, and every call that maps or unmaps a range of them. */
function ranges() {
  const made = kernelOf('x86-64');
  const { kernel, linux } = made;
  const area = kernel.getVmArea(8 * PAGE, VM_SPARSE);
  const device = kernel.getVmArea(8 * PAGE, VM_IOREMAP);
  const { PAGE_KERNEL, IOREMAP } = linux.protections;
  const listFor = (from: bigint, to: bigint) => framesFrom(0x100, Math.max(1, Number((to - from) / BYTES)));
  type Range = (from: bigint, to: bigint) => unknown;
  /** Offsets are bytes from the start of the area. */
  const maps: Readonly<Record<string, Range>> = {
    vmapPagesRange: (from, to) =>
      kernel.vmapPagesRange(area.addr + from, area.addr + to, PAGE_KERNEL, listFor(from, to)),
    vmapPageRange: (from, to) =>
      kernel.vmapPageRange(area.addr + from, area.addr + to, 0xfed0_0000n, IOREMAP),
    vmAreaMapPages: (from, to) =>
      kernel.vmAreaMapPages(area, area.addr + from, area.addr + to, listFor(from, to)),
    ioremapPageRange: (from, to) =>
      kernel.ioremapPageRange(device.addr + from, device.addr + to, 0xfed0_0000n, IOREMAP),
  };
  const others: Readonly<Record<string, Range>> = {
    vunmapRange: (from, to) => kernel.vunmapRange(area.addr + from, area.addr + to),
    vmAreaUnmapPages: (from, to) => kernel.vmAreaUnmapPages(area, area.addr + from, area.addr + to),
    applyToPageRange: (from, to) => kernel.applyToPageRange(area.addr + from, to - from, () => undefined),
    applyToExistingPageRange: (from, to) =>
      kernel.applyToExistingPageRange(area.addr + from, to - from, () => undefined),
  };
  return { ...made, area, device, maps, others };
}

describe('mapping and unmapping', () => {
  test('D1: a range outside of areas is EINVAL, one that leaves its area is ERANGE, and nothing is written', () => {
    const { kernel, linux, at } = kernelOf('x86-64');
    const { PAGE_KERNEL } = linux.protections;
    const calls = [
      (from: number, to: number) =>
        kernel.vmapPagesRange(at(from), at(to), PAGE_KERNEL, framesFrom(1, to - from)),
      (from: number, to: number) => kernel.vmapPageRange(at(from), at(to), 0n, PAGE_KERNEL),
      (from: number, to: number) => kernel.vunmapRange(at(from), at(to)),
    ];
    kernel.getVmArea(2 * PAGE).map(1, 7);
    kernel.getVmArea(2 * PAGE).map(0, 8);
    const before = [...kernel.table.leaves()];
    for (const call of calls) {
      // Outside of areas, into the guard, into the next area, and the guard alone.
      expect([
        codeOf(() => call(6, 7)),
        codeOf(() => call(1, 3)),
        codeOf(() => call(1, 4)),
        codeOf(() => call(2, 3)),
      ]).toEqual(['EINVAL', 'ERANGE', 'ERANGE', 'ERANGE']);
    }
    expect([...kernel.table.leaves()]).toEqual(before);
  });

  test('D2: a call that meets a mapped page, or finds no frame for a table, maps nothing', () => {
    const { kernel, area, device, maps } = ranges();
    area.map(5, 0x99);
    device.map(5, 0x98);
    const before = [...kernel.table.leaves()];
    for (const map of Object.values(maps)) expect(codeOf(() => map(0n, 8n * BYTES))).not.toBe('none');
    expect(codeOf(() => area.map(0, framesFrom(1, 8)))).not.toBe('none');
    expect([...kernel.table.leaves()]).toEqual(before);
    const scarce = kernelOf('x86-64');
    const wide = scarce.kernel.getVmArea(1024 * PAGE, VM_SPARSE);
    wide.map(0, 1);
    scarce.frames.allocateMany(scarce.frames.stats().free);
    expect(codeOf(() => wide.map(510, framesFrom(2, 4)))).toBe('ENOMEM');
    expect(wide.populated().pages).toBe(1);
  });

  test('D3: a mapped page is EBUSY for every mapping call in both releases, and stays', () => {
    const { kernel, area, device, maps } = ranges();
    area.map(5, 0x99);
    device.map(5, 0x98);
    const before = [...kernel.table.leaves()];
    for (const map of Object.values(maps)) expect(codeOf(() => map(0n, 8n * BYTES))).toBe('EBUSY');
    expect([codeOf(() => area.map(5, 1)), codeOf(() => area.map(4, [1, 2]))]).toEqual(['EBUSY', 'EBUSY']);
    expect([...kernel.table.leaves()]).toEqual(before);
    // A root with a page mapped where the area will be.
    for (const release of ['6.12', '2026'] as const) {
      const first = kernelOf('x86-64');
      first.kernel.getVmArea(PAGE).map(0, 7);
      const { memory, frames, format, linux } = first;
      const again = kernelOf('x86-64', {
        memory,
        frames,
        format,
        linux,
        release,
        root: first.kernel.table.root,
      });
      const { IOREMAP } = linux.protections;
      expect(codeOf(() => again.kernel.vmapPfn([0x80000], IOREMAP))).toBe('EBUSY');
      expect(codeOf(() => again.kernel.ioremap(0xfed0_0000n, PAGE))).toBe('EBUSY');
      expect(codeOf(() => again.kernel.vmap([3, 4]))).toBe('EBUSY');
      expect(again.kernel.table.translate(again.at(0))).toBe(7n << 12n);
      expect(again.kernel.stats()).toMatchObject({ areas: 0, lazyBytes: 0n });
    }
  });

  test.each([
    ['x86-64', 21],
    ['arm64-4k-48-cont', 16],
    ['riscv64-sv48-napot', 16],
  ])('D4: unmapping part of a leaf or run on %s keeps the rest', (name, shift) => {
    const pages = 2 ** (shift - 12);
    const kinds = ['vunmapRange', 'vmAreaUnmapPages', 'unmap'] as const;
    for (const kind of kinds) {
      const { kernel, linux, at } = kernelOf(name);
      const { PAGE_KERNEL } = linux.protections;
      const align = 1n << BigInt(shift);
      const area = kernel.getVmAreaNode({ size: 2 * pages * PAGE, align, flags: VM_SPARSE });
      expect(area.addr).toBe(at(0));
      kernel.vmapPagesRange(at(0), at(2 * pages), PAGE_KERNEL, framesFrom(pages, 2 * pages), shift);
      if (kind === 'unmap') area.unmap(3, 2);
      else if (kind === 'vunmapRange') kernel.vunmapRange(at(3), at(5));
      else kernel.vmAreaUnmapPages(area, at(3), at(5));
      const kept = framesFrom(0, 2 * pages).map((page) => area.frameAt(page));
      expect(kept).toEqual(framesFrom(pages, 2 * pages).map((pfn, i) => (i === 3 || i === 4 ? -1 : pfn)));
    }
  });

  test('D5: an empty or reversed range is EINVAL for every call', () => {
    const { kernel, area, maps, others } = ranges();
    for (const call of Object.values({ ...maps, ...others }))
      expect([codeOf(() => call(BYTES, BYTES)), codeOf(() => call(2n * BYTES, BYTES))]).toEqual([
        'EINVAL',
        'EINVAL',
      ]);
    // Linux finds more pages than the machine has here.
    expect(codeOf(() => kernel.vmAreaUnmapPages(area, area.addr + BYTES, area.addr))).toBe('EINVAL');
    expect([...kernel.table.leaves()]).toEqual([]);
  });

  test('D6: an address inside a page is EINVAL for every call', () => {
    const { kernel, area, maps, others } = ranges();
    area.map(1, 7);
    const before = [...kernel.table.leaves()];
    for (const call of Object.values({ ...maps, ...others }))
      expect([
        codeOf(() => call(8n, BYTES)),
        codeOf(() => call(8n, BYTES + 8n)),
        codeOf(() => call(BYTES, 2n * BYTES - 1n)),
      ]).toEqual(['EINVAL', 'EINVAL', 'EINVAL']);
    expect([...kernel.table.leaves()]).toEqual(before);
  });

  test('D16: vmAreaUnmapPages throws the code of its refusal', () => {
    const { kernel } = kernelOf('x86-64', { totalRamPages: 100 });
    const area = kernel.getVmArea(200 * PAGE, VM_SPARSE);
    const plain = kernel.getVmArea(4 * PAGE);
    const unmap = (pages: number) => () =>
      kernel.vmAreaUnmapPages(area, area.addr, area.addr + BigInt(pages) * BYTES);
    expect(codeOf(unmap(101))).toBe('E2BIG');
    expect(codeOf(unmap(100))).toBe('none');
    expect(codeOf(() => kernel.vmAreaUnmapPages(area, area.addr + area.bytes, area.addr + area.size))).toBe(
      'ERANGE',
    );
    expect(codeOf(() => kernel.vmAreaUnmapPages(plain, plain.addr, plain.addr + BYTES))).toBe('EINVAL');
  });

  test.each([
    ['a chunk that is not adjacent', [...framesFrom(512, 511), 9]],
    ['a chunk that is not aligned', framesFrom(513, 512)],
    ['an incomplete chunk', framesFrom(512, 511)],
  ])('D17: %s is EINVAL, and nothing is mapped', (_, frames) => {
    const { kernel, linux, at } = kernelOf('x86-64');
    const { PAGE_KERNEL } = linux.protections;
    kernel.getVmAreaNode({ size: 1024 * PAGE, align: 1n << 21n });
    expect(codeOf(() => kernel.vmapPagesRange(at(0), at(frames.length), PAGE_KERNEL, frames, 21))).toBe(
      'EINVAL',
    );
    expect([...kernel.table.leaves()]).toEqual([]);
  });
});
