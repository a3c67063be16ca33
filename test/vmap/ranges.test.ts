import { VM_FLUSH_RESET_PERMS, VM_IOREMAP, VM_MAP, VM_NO_GUARD, VM_SPARSE } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { framesFrom, kernelOf } from './support/kernel.js';

const PAGE = 4096;

describe('vmapPagesRange', () => {
  test.each([
    ['x86-64', 12, [{ bytes: 4096, count: 1024 }]],
    ['x86-64', 21, [{ bytes: 2 ** 21, count: 2 }]],
    ['arm64-4k-48-cont', 12, [{ bytes: 4096, count: 1024 }]],
    ['arm64-4k-48-cont', 16, [{ bytes: 65536, count: 64 }]],
    ['arm64-4k-48-cont', 21, [{ bytes: 2 ** 21, count: 2 }]],
    ['riscv64-sv48-napot', 16, [{ bytes: 65536, count: 64 }]],
  ])('on %s uses leaves of page_shift %i', (name, pageShift, leaves) => {
    const { kernel, linux } = kernelOf(name);
    const area = kernel.getVmAreaNode({ size: 1024 * PAGE, align: 1n << 21n });
    const { addr, bytes } = area;
    kernel.vmapPagesRange(
      addr,
      addr + bytes,
      linux.protections.PAGE_KERNEL,
      framesFrom(0x4000, 1024),
      pageShift,
    );
    expect(area.populated()).toEqual({ pages: 1024, leaves });
  });

  test('uses leaves of 1 GiB in 6.12 and of 2 MiB in 2026, where the walkers were merged', () => {
    for (const [release, size] of [
      ['6.12', 2 ** 30],
      ['2026', 2 ** 21],
    ] as const) {
      const { kernel, linux } = kernelOf('x86-64', { release, ramFrames: 2 ** 19 });
      const area = kernel.getVmAreaNode({ size: 2 ** 30, align: 1n << 30n });
      const list = Uint32Array.from({ length: 2 ** 18 }, (_, i) => 2 ** 18 + i);
      kernel.vmapPagesRange(area.addr, area.addr + area.bytes, linux.protections.PAGE_KERNEL, list, 30);
      expect(area.populated().leaves).toEqual([{ bytes: size, count: 2 ** 30 / size }]);
    }
  });

  test.each([
    ['frames that are not adjacent in a chunk', [...framesFrom(512, 511), 9], 21],
    ['chunks that are not aligned', framesFrom(513, 512), 21],
    ['a number of frames that is no multiple of the chunk', framesFrom(1024, 512), 22],
    ['a shift below the page', framesFrom(512, 512), 11],
    ['a shift that is NaN', framesFrom(512, 512), Number.NaN],
    ['too few frames', framesFrom(512, 511), 12],
    ['a frame beyond the physical addresses', [...framesFrom(512, 511), 2 ** 40], 12],
  ])('refuses %s', (_, frames, pageShift) => {
    const { kernel, linux } = kernelOf('x86-64');
    const { addr, bytes } = kernel.getVmAreaNode({ size: 512 * PAGE, align: 1n << 21n });
    const { PAGE_KERNEL } = linux.protections;
    expect(codeOf(() => kernel.vmapPagesRange(addr, addr + bytes, PAGE_KERNEL, frames, pageShift))).toBe(
      'EINVAL',
    );
    expect([...kernel.table.leaves()]).toEqual([]);
  });

  test('stays inside one live area', () => {
    const { kernel, linux, at } = kernelOf('x86-64');
    const { PAGE_KERNEL } = linux.protections;
    const map = (from: number, to: number) => () =>
      kernel.vmapPagesRange(at(from), at(to), PAGE_KERNEL, framesFrom(1, Math.max(1, to - from)));
    kernel.getVmArea(2 * PAGE);
    kernel.getVmArea(2 * PAGE);
    expect(codeOf(map(0, 3))).toBe('ERANGE'); // the guard
    expect(codeOf(map(0, 5))).toBe('ERANGE'); // into the next area
    expect(codeOf(map(2, 3))).toBe('ERANGE'); // the guard alone
    expect(codeOf(map(6, 7))).toBe('EINVAL'); // nobody's
    expect(codeOf(map(1, 1))).toBe('EINVAL');
    expect(codeOf(map(1, 0))).toBe('EINVAL');
    expect(codeOf(() => kernel.vmapPagesRange(at(0) + 1n, at(1) + 1n, PAGE_KERNEL, [1]))).toBe('EINVAL');
    expect([...kernel.table.leaves()]).toEqual([]);
    expect(codeOf(map(3, 5))).toBe('none');
  });

  test('maps nothing when a page of the range is mapped already', () => {
    const { kernel, linux, at } = kernelOf('x86-64');
    const area = kernel.getVmArea(8 * PAGE);
    area.map(5, 99);
    expect(
      codeOf(() => kernel.vmapPagesRange(at(0), at(8), linux.protections.PAGE_KERNEL, framesFrom(1, 8))),
    ).toBe('EBUSY');
    expect(area.populated().pages).toBe(1);
    expect(area.frameAt(5)).toBe(99);
  });
});

describe('vunmapRange', () => {
  test('unmaps the range with one flush, and splits a leaf that extends beyond it', () => {
    const { kernel, linux, flushes, at } = kernelOf('x86-64');
    const area = kernel.getVmAreaNode({ size: 1024 * PAGE, align: 1n << 21n });
    const { PAGE_KERNEL } = linux.protections;
    kernel.vmapPagesRange(area.addr, area.addr + area.bytes, PAGE_KERNEL, framesFrom(512, 1024), 21);
    kernel.vunmapRange(at(1), at(3));
    expect(area.populated()).toEqual({
      pages: 1022,
      leaves: [
        { bytes: 4096, count: 510 },
        { bytes: 2 ** 21, count: 1 },
      ],
    });
    expect(flushes).toHaveLength(1);
    expect(area.frameAt(3)).toBe(515);
  });

  test('keeps the rest of a contiguous run', () => {
    const { kernel, linux, at } = kernelOf('arm64-4k-48-cont');
    const area = kernel.getVmAreaNode({ size: 32 * PAGE, align: 1n << 16n });
    kernel.vmapPagesRange(at(0), at(32), linux.protections.PAGE_KERNEL, framesFrom(64, 32), 16);
    kernel.vunmapRange(at(3), at(4));
    expect(area.populated()).toEqual({
      pages: 31,
      leaves: [
        { bytes: 4096, count: 15 },
        { bytes: 65536, count: 1 },
      ],
    });
  });
});

describe('vmAreaMapPages', () => {
  test('maps base pages with PAGE_KERNEL; unmapping flushes at once', () => {
    const { kernel, flushes, at, linux } = kernelOf('arm64-4k-48-cont');
    const area = kernel.getVmArea(64 * PAGE, VM_SPARSE);
    kernel.vmAreaMapPages(area, at(0), at(16), framesFrom(16, 16));
    expect(area.populated()).toEqual({ pages: 16, leaves: [{ bytes: 4096, count: 16 }] });
    const { read, write, execute, global } = kernel.table.walk(at(3)).leaf?.protection ?? {};
    expect({ read, write, execute, global }).toEqual({
      read: true,
      write: true,
      execute: false,
      global: linux.protections.PAGE_KERNEL.global,
    });
    kernel.vmAreaUnmapPages(area, at(0), at(8));
    expect(flushes).toEqual([{ va: at(0), bytes: BigInt(8 * PAGE) }]);
    expect(area.populated().pages).toBe(8);
  });

  test("checks in Linux's order", () => {
    const { kernel } = kernelOf('x86-64', { totalRamPages: 100 });
    const tooMany = framesFrom(1, 101);
    const codes = (flags: number, pages = 4) => {
      const area = kernel.getVmArea(pages * PAGE, flags);
      const end = (count: number) => area.addr + BigInt(count * PAGE);
      return [
        codeOf(() => kernel.vmAreaMapPages(area, area.addr, end(1), [1])),
        codeOf(() => kernel.vmAreaMapPages(area, area.addr, end(101), tooMany)),
        codeOf(() => kernel.vmAreaMapPages(area, area.addr, end(pages + 1), framesFrom(1, pages + 1))),
        codeOf(() => kernel.vmAreaMapPages(area, area.addr - BigInt(PAGE), area.addr, [1])),
        codeOf(() => kernel.vmAreaUnmapPages(area, area.addr, end(101))),
      ];
    };
    expect(codes(VM_SPARSE)).toEqual(['none', 'E2BIG', 'ERANGE', 'ERANGE', 'E2BIG']);
    for (const flags of [VM_MAP, VM_SPARSE | VM_NO_GUARD, VM_SPARSE | VM_FLUSH_RESET_PERMS])
      expect(codes(flags)).toEqual(Array(5).fill('EINVAL'));
  });
});

describe('applyToPageRange', () => {
  test('visits each slot, makes tables, and writes what the callback sets', () => {
    const { kernel, linux, at } = kernelOf('x86-64');
    const area = kernel.getVmArea(600 * PAGE, VM_SPARSE);
    let visits = 0;
    kernel.applyToPageRange(area.addr, area.bytes, (slot) => {
      visits++;
      if (slot.page % 100 === 0) slot.setLeaf(slot.page + 1, linux.protections.PAGE_KERNEL);
    });
    expect(visits).toBe(600);
    expect(area.populated().pages).toBe(6);
    const seen: number[] = [];
    kernel.applyToExistingPageRange(at(50), BigInt(500 * PAGE), (slot) => {
      seen.push(slot.pfn);
      slot.set(0, 0);
    });
    // This includes pages after a hole in the same table, which Linux missed until 6.15.
    expect(seen).toEqual([101, 201, 301, 401, 501]);
    expect(area.populated().pages).toBe(1);
  });

  test('undoes everything when the callback throws', () => {
    const { kernel, linux, frames } = kernelOf('x86-64');
    const area = kernel.getVmArea(2000 * PAGE, VM_SPARSE);
    const before = frames.stats().allocated;
    const stop = new Error('stop');
    expect(() =>
      kernel.applyToPageRange(area.addr, area.bytes, (slot) => {
        if (slot.page === 1500) throw stop;
        slot.setLeaf(slot.page + 1, linux.protections.PAGE_KERNEL);
      }),
    ).toThrow(stop);
    expect(area.populated().pages).toBe(0);
    expect(frames.stats().allocated).toBe(before);
  });

  test('stays inside one area, and refuses leaves larger than a page', () => {
    const { kernel, linux, at } = kernelOf('x86-64');
    const area = kernel.getVmAreaNode({ size: 512 * PAGE, align: 1n << 21n });
    const visit = () => undefined;
    expect(codeOf(() => kernel.applyToPageRange(at(0), 513 * PAGE, visit))).toBe('ERANGE');
    expect(codeOf(() => kernel.applyToPageRange(at(600), PAGE, visit))).toBe('EINVAL');
    expect(codeOf(() => kernel.applyToPageRange(at(0), 0, visit))).toBe('EINVAL');
    expect(codeOf(() => kernel.applyToPageRange(at(0) + 8n, PAGE, visit))).toBe('EINVAL');
    expect(codeOf(() => kernel.applyToPageRange(at(0), PAGE, null as never))).toBe('EINVAL');
    kernel.vmapPagesRange(at(0), at(512), linux.protections.PAGE_KERNEL, framesFrom(512, 512), 21);
    expect(codeOf(() => kernel.applyToPageRange(at(0), PAGE, visit))).toBe('EINVAL');
    expect(area.populated().leaves).toEqual([{ bytes: 2 ** 21, count: 1 }]);
  });
});

describe('ioremapPageRange', () => {
  test('maps the whole of an area with VM_IOREMAP, and nothing else', () => {
    const { kernel, linux } = kernelOf('x86-64');
    const { IOREMAP } = linux.protections;
    const area = kernel.getVmArea(4 * PAGE, VM_IOREMAP);
    const end = area.addr + area.bytes;
    const other = kernel.getVmArea(4 * PAGE);
    const call = (from: bigint, to: bigint) => () => kernel.ioremapPageRange(from, to, 0xfed0_0000n, IOREMAP);
    expect(codeOf(call(area.addr, end - 4096n))).toBe('ERANGE');
    expect(codeOf(call(area.addr + 4096n, end))).toBe('ERANGE');
    expect(codeOf(call(area.addr, end + 4096n))).toBe('ERANGE');
    expect(codeOf(call(other.addr, other.addr + other.bytes))).toBe('EINVAL');
    expect([...kernel.table.leaves()]).toEqual([]);
    call(area.addr, end)();
    expect(kernel.vmallocToPfn(area.addr + 4096n)).toBe(0xfed01);
    expect(codeOf(call(area.addr, end))).toBe('EBUSY');
  });

  test('has a sibling, vmapPageRange, that maps part of an area, never executable', () => {
    const { kernel, linux, at } = kernelOf('arm64-4k-48');
    kernel.getVmArea(4 * PAGE);
    kernel.vmapPageRange(at(1), at(3), 0x3eff_0000n, linux.protections.PAGE_KERNEL_EXEC);
    const { leaf } = kernel.table.walk(at(2));
    expect([leaf?.pa, leaf?.protection.execute]).toEqual([0x3eff_1000n, false]);
    expect(codeOf(() => kernel.vmapPageRange(at(3), at(5), 0n, linux.protections.PAGE_KERNEL))).toBe(
      'ERANGE',
    );
  });
});

describe('ioremap', () => {
  test('shows the physical address in vmallocinfo, and is unmapped by any address of its first page', () => {
    const { kernel } = kernelOf('x86-64');
    const address = kernel.ioremap(0xfed0_0ff0n, 0x20);
    expect(kernel.vmallocinfo()).toMatch(/ 12288 phys=0x00000000fed00000 ioremap\n/);
    expect(codeOf(() => kernel.iounmap(address + 4096n))).toBe('EINVAL');
    expect(codeOf(() => kernel.vfree(address - 0xff0n))).toBe('EINVAL');
    kernel.iounmap(address);
    expect(kernel.stats().areas).toBe(0);
    expect(codeOf(() => kernel.iounmap(address))).toBe('EINVAL');
    expect(codeOf(() => kernel.iounmap(kernel.vmalloc(1)))).toBe('EINVAL');
  });

  test('refuses to map page tables, whichever allocator they come from', () => {
    const { kernel, linux } = kernelOf('x86-64');
    const root = Number(kernel.table.root >> 12n);
    expect(codeOf(() => kernel.ioremap(kernel.table.root, PAGE))).toBe('EINVAL');
    expect(codeOf(() => kernel.ioremap(kernel.table.root + 4095n, 1))).toBe('EINVAL');
    expect(codeOf(() => kernel.vmapPfn([root], linux.protections.PAGE_KERNEL))).toBe('EINVAL');
    expect(kernel.stats().areas).toBe(0);
  });

  test.each([
    ['RAM', (2n ** 20n + 5n) << 12n, 1, 'EINVAL'],
    ['a size of 0', 0xfed0_0000n, 0, 'EINVAL'],
    ['a range beyond the physical addresses', (1n << 52n) - 4096n, 8192, 'EINVAL'],
    ['a negative address', -1n, 1, 'ERANGE'],
  ])('refuses %s', (_, physical, size, code) => {
    const { kernel } = kernelOf('x86-64');
    expect(codeOf(() => kernel.ioremap(physical, size))).toBe(code);
    expect(kernel.stats().areas).toBe(0);
  });
});
