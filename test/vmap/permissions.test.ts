import { type Process, VM_ALLOC, VM_DMA_COHERENT, VM_MAP } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { configuration, framesFrom, kernelOf, RAM_FIRST, regionOf } from './support/kernel.js';

const PAGE = 4096;
/** The base of the direct map, in which RAM_FIRST has ALIAS. */
const DIRECT = 0xffff_8880_0000_0000n;
const ALIAS = DIRECT + (BigInt(RAM_FIRST) << 12n);

describe('setMemoryRo, Rw, X and Nx', () => {
  test('change the given pages, and flush what was freed before', () => {
    const { kernel, flushes } = kernelOf('x86-64');
    const address = kernel.vmalloc(4 * PAGE);
    kernel.vfree(kernel.vmalloc(PAGE));
    const writes = () =>
      [0, 1, 2, 3].map((i) => kernel.table.walk(address + BigInt(i * PAGE)).leaf?.protection.write);
    kernel.setMemoryRo(address + 4096n, 2);
    expect(writes()).toEqual([true, false, false, true]);
    expect(flushes).toHaveLength(2);
    kernel.setMemoryRw(address, 4);
    expect(writes()).toEqual([true, true, true, true]);
    kernel.setMemoryX(address, 1);
    expect(kernel.table.walk(address).leaf?.protection.execute).toBe(true);
    kernel.setMemoryNx(address, 4);
    expect(kernel.table.walk(address).leaf?.protection.execute).toBe(false);
    kernel.setMemoryRo(address, 0);
    expect(writes()[0]).toBe(true);
  });

  test('split a huge leaf on x86-64 and riscv64, and refuse one on arm64', () => {
    for (const name of ['x86-64', 'riscv64-sv48']) {
      const { kernel } = kernelOf(name);
      const address = kernel.vmallocHuge(2 << 20);
      kernel.setMemoryRo(address + 4096n, 1);
      expect(kernel.findVmArea(address)?.populated().leaves).toEqual([{ bytes: 4096, count: 512 }]);
      expect(kernel.table.walk(address).leaf?.protection.write).toBe(true);
      expect(kernel.table.walk(address + 4096n).leaf?.protection.write).toBe(false);
    }
    const { kernel } = kernelOf('arm64-4k-48');
    expect(codeOf(() => kernel.setMemoryRo(kernel.vmallocHuge(2 << 20), 1))).toBe('EINVAL');
    expect(codeOf(() => kernel.setMemoryRo(kernel.vmap([1], VM_MAP), 1))).toBe('EINVAL');
    expect(codeOf(() => kernel.setMemoryRo(kernel.vmalloc(1), 1))).toBe('none');
  });

  test('split nothing where nothing changes', () => {
    const { kernel, frames } = kernelOf('x86-64', { directMap: { base: DIRECT } });
    const address = kernel.vmallocHuge(2 << 20);
    const before = [...kernel.table.leaves()];
    frames.allocateMany(frames.stats().free);
    kernel.setMemoryNx(address + 4096n, 1);
    kernel.setMemoryRw(address + 4096n, 3);
    expect([...kernel.table.leaves()]).toEqual(before);
    expect(codeOf(() => kernel.setMemoryRo(address + 4096n, 1))).toBe('ENOMEM');
  });

  test('refuse a lazy area', () => {
    const { kernel } = kernelOf('x86-64');
    const { area } = kernel.getLazyArea(PAGE);
    kernel.handleFault(area.addr);
    expect(codeOf(() => kernel.setMemoryRo(area.addr, 1))).toBe('EINVAL');
  });

  test('split no leaf on arm64, whichever call mapped it', () => {
    const { kernel, linux } = kernelOf('arm64-4k-48-cont');
    const area = kernel.getVmAreaNode({ size: 4 << 20, flags: VM_ALLOC, align: 1n << 21n });
    kernel.vmapPagesRange(
      area.addr,
      area.addr + (2n << 20n),
      linux.protections.PAGE_KERNEL,
      framesFrom(512, 512),
      21,
    );
    const runs = kernel.getVmAreaNode({ size: 16 * PAGE, flags: VM_ALLOC, align: 1n << 16n });
    const end = runs.addr + runs.bytes;
    kernel.vmapPagesRange(runs.addr, end, linux.protections.PAGE_KERNEL, framesFrom(16, 16), 16);
    const before = [...kernel.table.leaves()];
    for (const one of [area, runs]) {
      expect(codeOf(() => kernel.setMemoryRo(one.addr, 1))).toBe('EINVAL');
      expect(codeOf(() => kernel.setMemoryRo(one.addr + 4096n, 2))).toBe('EINVAL');
    }
    expect([...kernel.table.leaves()]).toEqual(before);
    // Whole leaves are changed in place.
    kernel.setMemoryRo(area.addr, 512);
    kernel.setMemoryRo(runs.addr, 16);
    expect(area.populated().leaves).toEqual([{ bytes: 2 ** 21, count: 1 }]);
    expect(runs.populated().leaves).toEqual([{ bytes: 65536, count: 1 }]);
    expect(kernel.table.walk(runs.addr).leaf?.protection.write).toBe(false);
  });

  test.each([
    ['an address outside of areas', 'EINVAL', -(1n << 30n), 1],
    ['an address inside a page', 'EINVAL', 8n, 1],
    ['NaN pages', 'EINVAL', 0n, Number.NaN],
    ['a negative number of pages', 'EINVAL', 0n, -1],
    ['pages after the area', 'ERANGE', 0n, 5],
    ['a page that is not mapped', 'EFAULT', 0n, 4],
  ])('refuse %s, and change nothing', (_, code, offset, pages) => {
    const { kernel, linux } = kernelOf('x86-64');
    const area = kernel.getVmArea(4 * PAGE);
    area.map(0, [1, 2, 3]);
    const before = [...kernel.table.leaves()];
    const address = offset < 0n ? linux.window.end - 4097n : area.addr + offset;
    expect(codeOf(() => kernel.setMemoryRo(address - (address % 8n), pages))).toBe(code);
    expect([...kernel.table.leaves()]).toEqual(before);
  });

  test('change the alias in the direct map for write, not for execute', () => {
    const { kernel } = kernelOf('x86-64', { directMap: { base: DIRECT } });
    const address = kernel.vmalloc(2 * PAGE);
    const alias = (page: number) => kernel.table.walk(ALIAS + BigInt(page * PAGE)).leaf;
    expect(alias(0)?.pa).toBe(BigInt(RAM_FIRST) << 12n);
    kernel.setMemoryRo(address + 4096n, 1);
    expect([alias(0), alias(1), alias(2)].map((leaf) => leaf?.protection.write)).toEqual([true, false, true]);
    kernel.setMemoryX(address, 1);
    expect(alias(0)?.protection.execute).toBe(false);
    kernel.setMemoryRw(address, 2);
    expect(alias(1)?.protection.write).toBe(true);
  });

  test('change once the alias of a frame that is mapped twice', () => {
    const { kernel, ram } = kernelOf('x86-64', { directMap: { base: DIRECT } });
    const frame = ram.allocate();
    const address = kernel.vmap([frame, 5, frame]);
    kernel.setMemoryRo(address, 3);
    expect(kernel.table.walk(ALIAS).leaf?.protection.write).toBe(false);
    expect(kernel.table.walk(address + 8192n).leaf?.protection.write).toBe(false);
  });

  test('undo the change of the area when the alias cannot be changed', () => {
    const { kernel, frames } = kernelOf('x86-64', { directMap: { base: DIRECT }, tablePages: 16 });
    const address = kernel.vmalloc(2 * PAGE);
    for (let pfn = frames.tryAllocate(); pfn >= 0; pfn = frames.tryAllocate());
    const before = [...kernel.table.leaves()];
    expect(codeOf(() => kernel.setMemoryRo(address, 1))).toBe('ENOMEM');
    expect([...kernel.table.leaves()]).toEqual(before);
  });
});

describe('the direct map', () => {
  test('takes no areas', () => {
    const { kernel } = kernelOf('x86-64', { directMap: { base: DIRECT } });
    const window = { start: ALIAS, end: ALIAS + (1n << 30n) };
    expect(codeOf(() => kernel.getVmAreaNode({ size: PAGE, window }))).toBe('EINVAL');
    const over = configuration('x86-64').linux.window.start - (BigInt(RAM_FIRST) << 12n);
    expect(codeOf(() => kernelOf('x86-64', { directMap: { base: over } }))).toBe('EINVAL');
  });

  test('uses the largest leaves', () => {
    const { kernel } = kernelOf('x86-64', { directMap: { base: DIRECT } });
    expect(
      [...kernel.table.leaves(undefined, undefined, { complete: true })].map(({ count, leafShift }) => [
        count,
        leafShift,
      ]),
    ).toEqual([[1, 30]]);
  });
});

describe('VM_FLUSH_RESET_PERMS', () => {
  test('removes the aliases, flushes once over everything, and restores them before the frames are freed', () => {
    const seen: unknown[] = [];
    const made = kernelOf('x86-64', {
      directMap: { base: DIRECT },
      onFlush: () =>
        seen.push([
          made?.kernel.table.translate(ALIAS),
          made?.ram.stats().allocated,
          made?.kernel.stats().areas,
        ]),
    });
    const { kernel, ram, flushes } = made;
    const address = kernel.vmalloc(2 * PAGE);
    kernel.setMemoryRo(address, 2);
    kernel.setVmFlushResetPerms(address + 4096n);
    flushes.length = 0;
    seen.length = 0;
    kernel.vfree(address);
    // At the flush the aliases and the area are gone and the frames still allocated: nobody can reach them once they are free.
    expect(seen).toEqual([[null, 2, 0]]);
    expect(flushes[0]?.va).toBe(ALIAS);
    expect((flushes[0]?.va ?? 0n) + (flushes[0]?.bytes ?? 0n)).toBe(address + 3n * 4096n);
    expect(kernel.table.walk(ALIAS).leaf?.protection.write).toBe(true);
    expect(ram.stats().allocated).toBe(0);
  });

  test('is refused for an address outside of areas', () => {
    const { kernel, at } = kernelOf('x86-64');
    expect(codeOf(() => kernel.setVmFlushResetPerms(at(0)))).toBe('EINVAL');
  });
});

describe('remapVmallocRange', () => {
  /** Whether a process has pages of its own half. */
  const leavesOf = (user: Process) => [...user.table.leaves(0n, 1n << 46n, { complete: true })];

  test('maps the pages of an area into a region of a process', () => {
    const { kernel } = kernelOf('x86-64');
    const address = kernel.vmallocUser(4 * PAGE);
    const { user, region } = regionOf(kernel, 'x86-64', 3 * PAGE);
    kernel.remapVmallocRange(region, address, 1);
    expect([0, 1, 2].map((i) => user.table.translateWords(0, 0x40_0000 + i * PAGE))).toEqual(
      [1n, 2n, 3n].map((i) => kernel.vmallocToPfn(address + i * 4096n)),
    );
    expect(user.table.walk(0x40_0000n, { kind: 'write', user: true }).fault).toBeNull();
    // Huge leaves are mapped page by page.
    const huge = kernel.vmallocNodeRange({ size: 2 << 20, flags: 0x408 });
    const other = regionOf(kernel, 'x86-64', 3 * PAGE);
    kernel.remapVmallocRangePartial(other.region, 0x40_1000n, huge, 7, 100);
    expect(other.user.table.translateWords(0, 0x40_1000)).toBe(kernel.vmallocToPfn(huge) + 7);
  });

  test('refuses a range that leaves the region at either end', () => {
    const { kernel } = kernelOf('x86-64');
    const { user, region } = regionOf(kernel, 'x86-64', 3 * PAGE);
    const address = kernel.vmallocUser(4 * PAGE);
    for (const [at, pages] of [
      [0x3f_f000n, 1],
      [0x40_2000n, 2],
      [0x40_0000n, 4],
    ] as const)
      expect(codeOf(() => kernel.remapVmallocRangePartial(region, at, address, 0, pages * PAGE))).toBe(
        'EFAULT',
      );
    expect(leavesOf(user)).toEqual([]);
    kernel.remapVmallocRangePartial(region, 0x40_1000n, address, 0, 2 * PAGE);
    expect(leavesOf(user).reduce((sum, { count }) => sum + count, 0)).toBe(2);
  });

  test('refuses more pages than one call maps, before it builds a list of them', () => {
    const { kernel, linux } = kernelOf('x86-64');
    const bytes = (2n ** 26n + 1n) * 4096n;
    const area = kernel.getVmArea(bytes, VM_DMA_COHERENT);
    kernel.vmapPageRange(area.addr, area.addr + area.bytes, 1n << 40n, linux.protections.PAGE_KERNEL);
    const { user, region } = regionOf(kernel, 'x86-64', bytes);
    expect(codeOf(() => kernel.remapVmallocRange(region, area.addr))).toBe('E2BIG');
    expect(leavesOf(user)).toEqual([]);
  });

  test('refuses memory that is not for users, ranges that do not fit, and regions of others', () => {
    const { kernel, at } = kernelOf('x86-64');
    const { user, region } = regionOf(kernel, 'x86-64', 3 * PAGE);
    const plain = kernel.vmalloc(4 * PAGE);
    const address = kernel.vmallocUser(4 * PAGE);
    const gone = regionOf(kernel, 'x86-64', 3 * PAGE);
    gone.user.munmap(0x40_0000n, PAGE * 3);
    const codes = [
      () => kernel.remapVmallocRange(region, plain),
      () => kernel.remapVmallocRange(region, at(1000)),
      () => kernel.remapVmallocRange(region, address, 2),
      () => kernel.remapVmallocRange(region, address, -1),
      () => kernel.remapVmallocRange(region, address + 1n),
      () => kernel.remapVmallocRangePartial(region, 0x40_0001n, address, 0, PAGE),
      () => kernel.remapVmallocRange(null as never, address),
      () => kernel.remapVmallocRange({ ...region } as never, address),
      () => kernel.remapVmallocRange(gone.region, address),
      () => kernelOf('x86-64').kernel.remapVmallocRange(region, address),
    ].map(codeOf);
    expect(codes).toEqual(Array(10).fill('EINVAL'));
    kernel.vunmapRange(address + 4096n, address + 8192n);
    expect(codeOf(() => kernel.remapVmallocRange(region, address))).toBe('EFAULT');
    expect(leavesOf(user)).toEqual([]);
  });
});

describe('vread', () => {
  test('reads mapped memory, and zeros for holes, guards, devices and sparse areas', () => {
    const { kernel, memory, at } = kernelOf('x86-64', { ramFrames: 0 });
    const plain = kernel.vmalloc(2 * PAGE);
    const frame = kernel.vmallocToPfn(plain);
    memory.bytesAt(BigInt(frame) << 12n, PAGE).fill(1);
    memory.bytesAt(BigInt(kernel.vmallocToPfn(at(1))) << 12n, PAGE).fill(2);
    kernel.getVmArea(PAGE, 0x1000).map(0, frame);
    const ram = kernel.vmMapRam([frame]);
    const into = new Uint8Array(5 * PAGE + 10).fill(9);
    expect(kernel.vread(plain + 4090n, into)).toBe(into.length);
    expect([...into.subarray(0, 8)]).toEqual([1, 1, 1, 1, 1, 1, 2, 2]);
    expect(new Set(into.subarray(PAGE + 6))).toEqual(new Set([0]));
    expect(into[PAGE + 5]).toBe(2);
    expect(kernel.vread(ram, into.subarray(0, 3))).toBe(3);
    expect([...into.subarray(0, 3)]).toEqual([1, 1, 1]);
    // A read ends at the last of all addresses.
    expect(kernel.vread((1n << 64n) - 5n, into)).toBe(5);
    expect(codeOf(() => kernel.vread(-1n, into))).toBe('ERANGE');
    expect(codeOf(() => kernel.vread(plain, [] as never))).toBe('EINVAL');
  });
});

describe('vmallocToPage', () => {
  test('finds a page inside a larger leaf; vmallocToPfn refuses an unmapped address', () => {
    const { kernel, at, linux } = kernelOf('x86-64');
    const address = kernel.vmallocHuge(2 << 20);
    expect(kernel.vmallocToPage(address + 0x12345n)).toBe(kernel.vmallocToPfn(address) + 0x12);
    expect(codeOf(() => kernel.vmallocToPfn(at(512)))).toBe('EFAULT');
    expect(kernel.vmallocToPage(0n)).toBeNull();
    expect(
      [linux.window.start - 1n, linux.window.start, linux.window.end - 1n, linux.window.end].map((a) =>
        kernel.isVmallocAddr(a),
      ),
    ).toEqual([false, true, true, false]);
    expect(codeOf(() => kernel.vmallocToPage(7 as never))).toBe('EINVAL');
  });
});
