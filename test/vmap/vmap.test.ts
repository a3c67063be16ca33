import { VM_FLUSH_RESET_PERMS, VM_MAP, VM_MAP_PUT_PAGES, VM_NO_GUARD, type VmArea } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { framesFrom, kernelOf, RAM_FIRST } from './support/kernel.js';

const PAGE = 4096;

describe('vmap', () => {
  test('maps scattered frames, never executable, and leaves their ownership to the caller', () => {
    const { kernel, linux, ram } = kernelOf('x86-64');
    const frames = ram.allocateMany(3).reverse();
    const address = kernel.vmap(frames, VM_MAP, linux.protections.PAGE_KERNEL_EXEC);
    expect(kernel.vmallocToPfn(address + 4096n)).toBe(frames[1]);
    expect(kernel.table.walk(address).leaf?.protection.execute).toBe(false);
    expect(codeOf(() => kernel.vunmap(address + 4096n))).toBe('EINVAL');
    kernel.vunmap(address);
    expect(codeOf(() => kernel.vunmap(address))).toBe('EINVAL');
    expect(ram.stats().allocated).toBe(3);
    ram.freeMany(frames);
  });

  test('clears the guarded-page bit together with execution', () => {
    const { kernel, linux } = kernelOf('arm64-4k-48');
    const guarded = { ...linux.protections.PAGE_KERNEL_EXEC, extra: 1n << 50n };
    const address = kernel.vmap([1], VM_MAP, guarded);
    const { entry } = kernel.table.walk(address).steps.at(-1) ?? { entry: 0n };
    expect([(entry >> 50n) & 1n, (entry >> 53n) & 1n]).toEqual([0n, 1n]);
  });

  test('shows vmap in vmallocinfo with VM_MAP alone, and pages= with VM_MAP_PUT_PAGES alone', () => {
    const { kernel, ram } = kernelOf('x86-64');
    kernel.vmap([1]);
    kernel.vmap([1], VM_MAP);
    kernel.vmap(ram.allocateMany(2), VM_MAP | VM_MAP_PUT_PAGES);
    expect(
      kernel
        .vmallocinfo()
        .split('\n')
        .map((line) => line.slice(37)),
    ).toEqual(['    8192', '    8192 vmap', '   12288 pages=2 vmap N0=2', '']);
  });

  test.each([
    ['VM_NO_GUARD', 'EINVAL', [1], VM_NO_GUARD],
    ['VM_FLUSH_RESET_PERMS', 'EINVAL', [1], VM_FLUSH_RESET_PERMS],
    ['no frames', 'EINVAL', [], 0],
    ['null as a list', 'EINVAL', null as never, 0],
    ['more pages than the machine has', 'E2BIG', Array.from<number>({ length: 101 }).fill(1), 0],
    ['a negative frame', 'EINVAL', [1, -1], 0],
  ])('refuses %s and leaves nothing behind', (_, code, frames, flags) => {
    const { kernel, at } = kernelOf('x86-64', { totalRamPages: 100 });
    expect(codeOf(() => kernel.vmap(frames, flags))).toBe(code);
    expect(kernel.getVmArea(1).addr).toBe(at(0));
  });

  test('frees its addresses when there is no frame for a table', () => {
    const { kernel, at, frames } = kernelOf('x86-64', { tablePages: 2 });
    expect(codeOf(() => kernel.vmap([1]))).toBe('ENOMEM');
    expect(frames.stats().allocated).toBe(1);
    expect(kernel.getVmArea(1).addr).toBe(at(0));
  });
});

describe('VM_MAP_PUT_PAGES', () => {
  test('hands over the frames: vfree frees them, and vunmap, which would lose them, is refused', () => {
    const { kernel, ram } = kernelOf('x86-64');
    const address = kernel.vmap(ram.allocateMany(3), VM_MAP | VM_MAP_PUT_PAGES);
    expect(codeOf(() => kernel.vunmap(address))).toBe('EINVAL');
    kernel.vfree(address);
    expect(ram.stats().allocated).toBe(0);
    expect(codeOf(() => kernel.vfree(address))).toBe('EINVAL');
  });

  test('refuses frames that are owned, free, part of a block, given twice, or tables', () => {
    const { kernel, ram } = kernelOf('x86-64');
    const [a, b] = ram.allocateMany(2) as unknown as [number, number];
    const block = ram.allocate(1);
    const free = RAM_FIRST + 1000;
    const PUT = VM_MAP_PUT_PAGES;
    expect(codeOf(() => kernel.vmap([a, a], PUT))).toBe('EINVAL');
    expect(codeOf(() => kernel.vmap([block, block + 1], PUT))).toBe('EINVAL');
    expect(codeOf(() => kernel.vmap([a, free], PUT))).toBe('EINVAL');
    kernel.vmap([a], PUT);
    expect(codeOf(() => kernel.vmap([b, a], PUT))).toBe('EINVAL');
    const memory = kernel.vmalloc(PAGE);
    expect(codeOf(() => kernel.vmap([kernel.vmallocToPfn(memory)], PUT))).toBe('EINVAL');
    // A caller may map them without VM_MAP_PUT_PAGES.
    expect(codeOf(() => kernel.vmap([b, a, kernel.vmallocToPfn(memory)]))).toBe('none');
    const shared = kernelOf('x86-64', { ramFrames: 0 });
    const root = Number(shared.kernel.table.root >> 12n);
    expect(codeOf(() => shared.kernel.vmap([root], PUT))).toBe('EINVAL');
  });

  test('refuses frames that an area of another space with the same allocator owns', () => {
    const { kernel, ram } = kernelOf('x86-64');
    const other = kernelOf('x86-64', { ram }).kernel;
    const address = kernel.vmalloc(PAGE);
    const frame = kernel.vmallocToPfn(address);
    expect(codeOf(() => other.vmap([frame], VM_MAP_PUT_PAGES))).toBe('EINVAL');
    kernel.vfree(address);
    expect(ram.stats().allocated).toBe(0);
  });

  test('leaves the frames with the caller when the call fails', () => {
    const { kernel, ram } = kernelOf('x86-64', { tablePages: 2 });
    const list = ram.allocateMany(2);
    expect(codeOf(() => kernel.vmap(list, VM_MAP_PUT_PAGES))).toBe('ENOMEM');
    ram.freeMany(list);
    expect(ram.stats().allocated).toBe(0);
  });

  test('makes vfree refuse an area of which a frame is free already', () => {
    const { kernel, ram } = kernelOf('x86-64');
    const list = ram.allocateMany(2);
    const address = kernel.vmap(list, VM_MAP_PUT_PAGES);
    ram.free(list[1] as number);
    expect(codeOf(() => kernel.vfree(address))).toBe('EINVAL');
    expect(kernel.vmallocToPfn(address)).toBe(list[0]);
    expect(ram.allocate()).toBe(list[1]);
    kernel.vfree(address);
    expect(ram.stats().allocated).toBe(0);
  });
});

describe('vmap of adjacent frames', () => {
  const leavesOf = (name: string, release: '6.12' | '2026', frames: number[]) => {
    const { kernel } = kernelOf(name, { release });
    return (kernel.findVmArea(kernel.vmap(frames)) as VmArea).populated().leaves;
  };
  const block = framesFrom(2 ** 19, 512);

  test('uses base pages in 6.12, the largest leaves at aligned addresses in 2026', () => {
    expect(leavesOf('x86-64', '6.12', block)).toEqual([{ bytes: 4096, count: 512 }]);
    expect(leavesOf('x86-64', '2026', block)).toEqual([{ bytes: 2 ** 21, count: 1 }]);
    expect(leavesOf('arm64-4k-48-cont', '2026', framesFrom(2 ** 19, 16))).toEqual([
      { bytes: 65536, count: 1 },
    ]);
    // Adjacent, but not aligned.
    expect(leavesOf('x86-64', '2026', framesFrom(2 ** 19 + 1, 512))).toEqual([{ bytes: 4096, count: 512 }]);
  });

  test('uses base pages from the first frame that is not adjacent', () => {
    expect(leavesOf('x86-64', '2026', [...block, 7, ...framesFrom(2 ** 20, 512)])).toEqual([
      { bytes: 4096, count: 513 },
      { bytes: 2 ** 21, count: 1 },
    ]);
    // This holds although a whole block follows at an aligned address.
    const alone = framesFrom(2 ** 18, 512).map((pfn) => 2 * pfn);
    expect(leavesOf('x86-64', '2026', [...block, ...alone, ...framesFrom(2 ** 20, 512)])).toEqual([
      { bytes: 4096, count: 1024 },
      { bytes: 2 ** 21, count: 1 },
    ]);
    expect(leavesOf('arm64-4k-48-cont', '2026', [...block, ...framesFrom(2 ** 20 + 16, 16), 3])).toEqual([
      { bytes: 4096, count: 1 },
      { bytes: 65536, count: 1 },
      { bytes: 2 ** 21, count: 1 },
    ]);
  });
});

describe('vmapPfn', () => {
  test('maps device frames as special pages at an aligned address, and refuses RAM', () => {
    const { kernel, linux } = kernelOf('x86-64');
    const address = kernel.vmapPfn(framesFrom(0x80000, 5), linux.protections.PAGE_KERNEL_EXEC);
    expect(address % 0x8000n).toBe(0n);
    const { entry } = kernel.table.walk(address).steps.at(-1) ?? { entry: 0n };
    expect([(entry >> 9n) & 1n, entry >> 63n]).toEqual([1n, 1n]);
    const { PAGE_KERNEL } = linux.protections;
    expect(codeOf(() => kernel.vmapPfn([0x80000, RAM_FIRST], PAGE_KERNEL))).toBe('EINVAL');
    expect(kernel.stats().areas).toBe(1);
    kernel.vunmap(address);
  });
});

describe('vmMapRam', () => {
  test('cuts ranges from a block, without guards; each is unmapped once, as a whole', () => {
    const { kernel, at } = kernelOf('x86-64');
    const a = kernel.vmMapRam([1, 2, 3]);
    const b = kernel.vmMapRam([4]);
    // Sizes are powers of two: three pages take four.
    expect(b - a).toBe(4n * 4096n);
    expect(a).toBe(at(0));
    expect(kernel.vmallocToPfn(a + 2n * 4096n)).toBe(3);
    expect(codeOf(() => kernel.vmUnmapRam(a, 2))).toBe('EINVAL');
    expect(codeOf(() => kernel.vmUnmapRam(a + 4096n, 3))).toBe('EINVAL');
    expect(codeOf(() => kernel.vfree(a))).toBe('EINVAL');
    kernel.vmUnmapRam(a, 3);
    expect(codeOf(() => kernel.vmUnmapRam(a, 3))).toBe('EINVAL');
    expect(kernel.vmallocToPage(a)).toBeNull();
    expect(kernel.vmallocToPfn(b)).toBe(4);
  });

  test('leaves the flush to vmUnmapAliases', () => {
    const { kernel, flushes } = kernelOf('x86-64');
    const a = kernel.vmMapRam([1, 2]);
    kernel.vmUnmapRam(a, 2);
    expect(flushes).toEqual([]);
    kernel.vmUnmapAliases();
    expect(flushes).toEqual([{ va: a, bytes: 8192n }]);
    kernel.vmUnmapAliases();
    expect(flushes).toHaveLength(1);
  });

  test('gives a range that the calls for areas refuse', () => {
    const { kernel, linux } = kernelOf('x86-64');
    const a = kernel.vmMapRam(framesFrom(1, 100));
    const { PAGE_KERNEL } = linux.protections;
    expect(codeOf(() => kernel.vunmapRange(a, a + 4096n))).toBe('EINVAL');
    expect(codeOf(() => kernel.vmapPagesRange(a, a + 4096n, PAGE_KERNEL, [1]))).toBe('EINVAL');
    expect(codeOf(() => kernel.applyToPageRange(a, 4096, () => undefined))).toBe('EINVAL');
    kernel.vmUnmapRam(a, 100);
  });

  test('frees the range when there is no frame for a table', () => {
    const { kernel, frames } = kernelOf('x86-64', { tablePages: 2 });
    expect(codeOf(() => kernel.vmMapRam([1]))).toBe('ENOMEM');
    expect(frames.stats().allocated).toBe(1);
    expect(kernel.vmallocinfo()).toBe('');
  });
});
