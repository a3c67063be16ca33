import {
  AddressSpace,
  FrameAllocator,
  PhysicalMemory,
  type Protection,
  VM_ALLOW_HUGE_VMAP,
  VM_FLUSH_RESET_PERMS,
  VM_IOREMAP,
  VM_MAP_PUT_PAGES,
  VM_NO_GUARD,
  VM_SPARSE,
  VM_USERMAP,
  wasmLoops,
} from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { configuration, framesFrom, kernelOf, RAM_FIRST, regionOf } from './support/kernel.js';

/** Passes a wrong value to a call that TypeScript would refuse. */
const as = <T>(value: unknown): T => value as T;

describe('a list of frames', () => {
  test('is copied without calling its own slice', () => {
    const { kernel } = kernelOf('x86-64');
    const list = Object.assign(Uint32Array.of(1, 2), { slice: () => ['x'] });
    expect(kernel.vmallocToPfn(kernel.vmap(list))).toBe(1);
  });

  test.each<[string, () => unknown]>([
    ['a proxy of a typed array', () => new Proxy(Uint32Array.of(1), {})],
    ['an object that only inherits from one', () => Object.create(Uint32Array.prototype)],
    ['a detached one that claims to have bytes', () => detached()],
    ['an empty array of the greatest length', () => new Array(2 ** 32 - 1)],
  ])('is refused when it is %s', (_, list) => {
    const { kernel, pageBytes } = kernelOf('x86-64');
    const area = kernel.getVmArea(2 ** 32 * pageBytes, VM_SPARSE);
    expect(codeOf(() => area.map(0, as(list())))).toBe('EINVAL');
    expect(codeOf(() => kernel.vmap(as(list())))).toMatch(/EINVAL|E2BIG/);
  });
});

test('vread refuses a proxy, and writes only the real length of an array', () => {
  const { kernel, at } = kernelOf('x86-64');
  expect(codeOf(() => kernel.vread(at(0), new Proxy(new Uint8Array(4), {})))).toBe('EINVAL');
  expect(kernel.vread(at(0), Object.defineProperty(new Uint8Array(4), 'length', { value: 99 }))).toBe(4);
});

test('refuses an unknown option, so it cannot change the size of an area', () => {
  const { kernel, pageBytes } = kernelOf('x86-64');
  const more = as<object>({ size: pageBytes });
  const protection = kernel.linux.protections.PAGE_KERNEL;
  for (const call of [
    () => kernel.vmap(framesFrom(7, 3), 0, undefined, more),
    () => kernel.vmapPfn(framesFrom(0x80000, 3), protection, more),
    () => kernel.getVmArea(3 * pageBytes, 0, more),
    () => kernel.vmalloc(3 * pageBytes, more),
    () => kernel.vmalloc(3 * pageBytes, as<object>({ flags: VM_NO_GUARD })),
    () => kernel.getLazyArea(pageBytes, as<object>({ chunkshift: 21 })),
    () => kernel.vmallocinfo(as<object>({ details: true })),
  ])
    expect(codeOf(call)).toBe('EINVAL');
  expect(kernel.stats().areas).toBe(0);
  expect(() => kernel.getLazyArea(pageBytes, as<object>({ chunkshift: 21 }))).toThrow(
    'EINVAL: getLazyArea() has no option `chunkshift`; did you mean `chunkShift`?',
  );
});

describe('each member of a window is read once', () => {
  /** A window whose start is right only when it is read first. */
  const fickle = (start: bigint, end: bigint) => {
    let looks = 0;
    return {
      get start() {
        return looks++ === 0 ? start : 0n;
      },
      end,
    };
  };

  test('by a reservation', () => {
    const { kernel, linux, pageBytes } = kernelOf('x86-64');
    const window = fickle(linux.window.start, linux.window.end);
    expect(kernel.getVmAreaNode({ size: pageBytes, window }).addr).toBe(linux.window.start);
  });

  test('by vmalloc, which searches again with base pages where no huge page fits', () => {
    const { kernel, linux, pageBytes } = kernelOf('x86-64');
    const start = linux.window.start + BigInt(pageBytes);
    const window = fickle(start, start + BigInt(513 * pageBytes));
    expect(kernel.vmallocNodeRange({ size: 512 * pageBytes, window, flags: VM_ALLOW_HUGE_VMAP })).toBe(start);
  });
});

describe('a protection', () => {
  /** A protection whose `extra` is right only when it is read first. */
  const fickle = (whole: Protection) => {
    let looks = 0;
    return {
      ...whole,
      get extra() {
        return looks++ === 0 ? whole.extra : as<bigint>('x');
      },
    };
  };

  test('is read once', () => {
    const { kernel, linux } = kernelOf('x86-64');
    const { PAGE_KERNEL } = linux.protections;
    expect(kernel.vmallocToPfn(kernel.vmap([5], 0, fickle(PAGE_KERNEL)))).toBe(5);
  });

  test('cannot free the area that is being mapped with it', () => {
    const { kernel, linux, pageBytes } = kernelOf('x86-64');
    const area = kernel.getVmArea(pageBytes, VM_SPARSE);
    const codes: string[] = [];
    const hostile = {
      ...linux.protections.PAGE_KERNEL,
      get write() {
        codes.push(codeOf(() => kernel.freeVmArea(area)));
        return true;
      },
    };
    area.map(0, 5, hostile);
    expect(codes[0]).toBe('EBUSY');
    expect(area.frameAt(0)).toBe(5);
  });
});

describe('new AddressSpace with wrong options', () => {
  test.each<[string, object]>([
    ['early that is no list', { early: 5 }],
    ['early with null in it', { early: [null] }],
    ['a direct map without an address', { directMap: { base: 5 } }],
    ['0 pages of RAM', { totalRamPages: 0 }],
    ['blockPages that is no number', { blockPages: Symbol('x') }],
    ['cpus that is no number', { cpus: Object.create(null) }],
    ['a sink without flush', { sink: {} }],
  ])('keeps no frame: %s', (_, wrong) => {
    const { format, linux } = configuration('x86-64');
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 2 ** 20 });
    const frames = new FrameAllocator(memory);
    expect(codeOf(() => new AddressSpace({ format, linux, memory, frames, ...wrong }))).toBe('EINVAL');
    expect(frames.stats().allocated).toBe(0);
  });
});

test('lists of parts and areas are read by index, up to the first wrong element', () => {
  const { kernel, pageBytes } = kernelOf('x86-64');
  const endless = Object.assign([pageBytes], {
    [Symbol.iterator]: function* () {
      for (;;) yield 0;
    },
  });
  expect(kernel.pcpuGetVmAreas([0], endless, 4096n)).toHaveLength(1);
  expect(codeOf(() => kernel.pcpuGetVmAreas(new Array(2 ** 32 - 1), [pageBytes], 4096n))).toBe('EINVAL');
  expect(codeOf(() => kernel.pcpuFreeVmAreas(new Array(2 ** 32 - 1)))).toBe('EINVAL');
  const caller = as<string>(Symbol('x'));
  expect(codeOf(() => kernel.pcpuGetVmAreas([0], [pageBytes], 4096n, { caller }))).toBe('EINVAL');
});

test('a caller that would forge a line of vmallocinfo is refused by every call that takes one', () => {
  const { kernel, pageBytes, linux } = kernelOf('x86-64');
  const caller = 'a\n0x0000000000001000-0x0000000000003000    8192 forged vmalloc';
  for (const call of [
    () => kernel.vmalloc(pageBytes, { caller }),
    () => kernel.getVmArea(pageBytes, 0, { caller }),
    () => kernel.getVmAreaNode({ size: pageBytes, caller }),
    () => kernel.getLazyArea(pageBytes, { caller }),
    () => kernel.ioremap(0xfed00000n, pageBytes, { caller }),
    () => kernel.vmap(framesFrom(7, 3), 0, linux.protections.PAGE_KERNEL, { caller }),
    () => kernel.pcpuGetVmAreas([0], [pageBytes], 4096n, { caller }),
  ])
    expect(codeOf(call)).toBe('EINVAL');
  expect(kernel.vmallocinfo()).toBe('');
  const early = [{ address: linux.window.start, bytes: 8192n, caller }];
  expect(codeOf(() => kernelOf('x86-64', { early }))).toBe('EINVAL');
});

test('values that convert to no text and no number are refused by the name of the argument', () => {
  const { kernel, at, linux } = kernelOf('x86-64');
  const silent = as<bigint>(Object.create(null));
  expect(codeOf(() => kernel.vunmap(silent))).toBe('EINVAL');
  const huge = { size: 2 ** 22, align: silent, flags: VM_ALLOW_HUGE_VMAP };
  expect(codeOf(() => kernel.vmallocNodeRange(huge))).toBe('EINVAL');
  const { PAGE_KERNEL } = linux.protections;
  const area = kernel.getVmArea(4096);
  const lazy = kernel.getLazyArea(4096);
  for (const one of [area, lazy]) expect(codeOf(() => one.prepare(as(Symbol('x'))))).toBe('EINVAL');
  expect(codeOf(() => kernel.vmapPagesRange(at(0), at(1), PAGE_KERNEL, [1], as(Symbol('x'))))).toBe('EINVAL');
  expect(codeOf(() => kernel.remapVmallocRange(as({ start: as<bigint>(5), end: 7n }), at(0)))).toBe('EINVAL');
});

test('a range of more pages than an array can hold is refused for its unmapped pages', () => {
  const { kernel } = kernelOf('x86-64');
  const bytes = 2 ** 43 - 4096;
  const area = kernel.getVmArea(bytes, VM_USERMAP);
  expect(codeOf(() => kernel.setMemoryRo(area.addr, area.pages))).toBe('EFAULT');
  const { region } = regionOf(kernel, 'x86-64', bytes);
  expect(codeOf(() => kernel.remapVmallocRange(region, area.addr))).toBe('EFAULT');
  const lazy = kernel.getLazyArea(bytes);
  expect(codeOf(() => lazy.populate())).toBe('ENOMEM');
});

test('an error that the release callback throws is thrown after everything is freed', () => {
  const { kernel, pageBytes } = kernelOf('x86-64');
  const seen: number[] = [];
  const release = (_: unknown, page: number) => {
    seen.push(page);
    throw new Error('no');
  };
  const lazy = kernel.getLazyArea(3 * pageBytes, { populate: (page) => [page + 1], release });
  lazy.populate();
  expect(() => lazy.shrink(0, 2)).toThrow('no');
  expect(lazy.stats.populated).toBe(1);
  expect(() => kernel.vfree(lazy.area.addr)).toThrow('no');
  expect(lazy.area.isLive).toBe(false);
  expect(seen).toEqual([0, 1, 2]);
});

test('vrealloc keeps no new memory when the old one cannot be freed', () => {
  const { kernel, ram, pageBytes } = kernelOf('x86-64');
  const address = kernel.vmalloc(2 * pageBytes);
  ram.free(RAM_FIRST);
  const before = ram.stats().allocated;
  expect(codeOf(() => kernel.vrealloc(address, 9 * pageBytes))).toBe('EINVAL');
  expect(ram.stats().allocated).toBe(before);
});

test('VM_IOREMAP with VM_MAP_PUT_PAGES is refused, since nothing could free the pages', () => {
  const { kernel, ram } = kernelOf('x86-64');
  expect(codeOf(() => kernel.vmap([ram.allocate()], VM_MAP_PUT_PAGES | VM_IOREMAP))).toBe('EINVAL');
});

test('the frames of a lazy area cannot be handed to another area', () => {
  const { kernel, ram, pageBytes } = kernelOf('x86-64');
  const lazy = kernel.getLazyArea(pageBytes);
  lazy.touch(0);
  expect(codeOf(() => kernel.vmap([lazy.area.frameAt(0)], VM_MAP_PUT_PAGES))).toBe('EINVAL');
  kernel.vfree(lazy.area.addr);
  expect(ram.stats().allocated).toBe(0);
});

test('an alias in the direct map ends where RAM ends', () => {
  const { kernel, ram, pageBytes } = kernelOf('x86-64', {
    ramFrames: 512,
    directMap: { base: 0xffff_8880_0000_0000n },
  });
  const last = ram.first + ram.frames - 1;
  const address = kernel.vmap([last, last + 1, last + 2], 0);
  kernel.setMemoryRo(address, 3);
  const alias = 0xffff_8880_0000_0000n + BigInt(last * pageBytes);
  expect(kernel.table.walk(alias).leaf?.protection.write).toBe(false);
  expect(kernel.table.walk(address + 0x2000n).leaf?.protection.write).toBe(false);
});

test('a wrong protection is refused before addresses are searched', () => {
  const { kernel, pageBytes, flushes } = kernelOf('x86-64');
  const window = { start: kernel.linux.window.start, end: kernel.linux.window.start + BigInt(4 * pageBytes) };
  kernel.vfree(kernel.vmallocNodeRange({ size: 3 * pageBytes, window, flags: VM_FLUSH_RESET_PERMS }));
  kernel.freeVmArea(kernel.getVmAreaNode({ size: 3 * pageBytes, window }));
  const before = flushes.length;
  expect(codeOf(() => kernel.vmallocNodeRange({ size: pageBytes, window, protection: as({}) }))).toBe(
    'EINVAL',
  );
  expect(flushes.length).toBe(before);
});

function detached(): Uint32Array {
  const array = Uint32Array.of(1);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return Object.defineProperty(array, 'length', { value: 1 });
}
