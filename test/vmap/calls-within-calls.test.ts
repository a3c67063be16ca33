import { type FlushSink, FrameAllocator, VM_SPARSE } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { kernelOf } from './support/kernel.js';

const PAGE = 4096;

describe('a sink or callback', () => {
  test('may read, and may not change the space', () => {
    const codes: string[] = [];
    const made = kernelOf('x86-64', {
      onFlush: () => {
        const { kernel } = made;
        codes.push(
          codeOf(() => kernel.vmalloc(1)),
          codeOf(() => kernel.vfree(area.addr)),
          codeOf(() => kernel.freeVmArea(area)),
          codeOf(() => area.map(1, 1)),
          codeOf(() => area.unmap(0)),
          codeOf(() => area.protect(0, 1, { write: false })),
          codeOf(() => area.prepare()),
          codeOf(() => kernel.vmap([1])),
          codeOf(() => kernel.vmMapRam([1])),
          codeOf(() => kernel.vmUnmapAliases()),
          codeOf(() => kernel.destroy()),
        );
        expect(kernel.findVmArea(area.addr)).toBe(area);
        expect(area.frameAt(0)).toBe(-1);
      },
    });
    const area = made.kernel.getVmArea(4 * PAGE, VM_SPARSE);
    area.map(0, 7);
    area.unmap(0);
    expect(codes).toEqual(Array(11).fill('EBUSY'));
  });

  test('may free an area while the list for it is read; the call notices', () => {
    const { kernel } = kernelOf('x86-64');
    const area = kernel.getVmArea(4 * PAGE, VM_SPARSE);
    const list = [1, 2];
    Object.defineProperty(list, 1, {
      get: () => {
        if (area.isLive) kernel.freeVmArea(area);
        return 2;
      },
    });
    expect(codeOf(() => area.map(0, list))).toBe('EINVAL');
    const other = kernel.getVmArea(4 * PAGE, VM_SPARSE);
    const lying = new Proxy([1, 2], {
      get: (target, name) => {
        if (name === '1' && other.isLive) kernel.freeVmArea(other);
        return Reflect.get(target, name) as unknown;
      },
    });
    expect(codeOf(() => kernel.vmAreaMapPages(other, other.addr, other.addr + 8192n, lying))).toBe('EINVAL');
    expect([...kernel.table.leaves()]).toEqual([]);
  });

  test('that throws in an immediate flush undoes the call', () => {
    const stop = new Error('stop');
    let throws = false;
    const sink: FlushSink = {
      flush: () => {
        if (throws) throw stop;
      },
    };
    const { kernel } = kernelOf('x86-64', { sink });
    const area = kernel.getVmArea(4 * PAGE, VM_SPARSE);
    area.map(0, [1, 2, 3]);
    throws = true;
    expect(() => area.unmap(0)).toThrow(stop);
    expect(() => area.unmap(0, 3)).toThrow(stop);
    expect(() => kernel.vunmapRange(area.addr, area.addr + 8192n)).toThrow(stop);
    expect(() => area.protect(0, 2, { write: false })).toThrow(stop);
    expect(area.populated().pages).toBe(3);
    throws = false;
    area.unmap(0, 3);
    expect(area.populated().pages).toBe(0);
  });

  test('that throws in a purge loses no frame and no area', () => {
    const stop = new Error('stop');
    let throws = true;
    const sink: FlushSink = {
      flush: () => {
        if (throws) throw stop;
      },
    };
    const { kernel, ram } = kernelOf('x86-64', { sink });
    const addresses = Array.from({ length: 33 }, () => kernel.vmalloc(255 * PAGE));
    const errors = addresses.map((address) => {
      try {
        kernel.vfree(address);
        return null;
      } catch (error) {
        return error;
      }
    });
    expect(errors.at(-1)).toBe(stop);
    expect(errors.filter((error) => error !== null)).toHaveLength(1);
    expect([ram.stats().allocated, kernel.stats().areas]).toEqual([0, 0]);
    throws = false;
    kernel.vmUnmapAliases();
    expect(kernel.stats().lazyBytes).toBe(0n);
  });
});

describe('the tables of a space', () => {
  test('can be read by all, and changed through the space alone', () => {
    const { kernel, at } = kernelOf('x86-64');
    const area = kernel.getVmArea(PAGE);
    area.map(0, 7);
    expect(kernel.table.translate(at(0))).toBe(7n << 12n);
    for (const change of ['map', 'mapWords', 'unmap', 'protect', 'split', 'reclaim', 'destroy'])
      expect(change in kernel.table).toBe(false);
    expect(area.frameAt(0)).toBe(7);
  });

  test('can be taken over from an existing root', () => {
    const { kernel, memory, frames, format, linux, at } = kernelOf('x86-64');
    kernel.getVmArea(PAGE).map(0, 7);
    const again = kernelOf('x86-64', { memory, frames, format, linux, root: kernel.table.root }).kernel;
    expect(again.table.translate(at(0))).toBe(7n << 12n);
    expect(codeOf(() => again.getVmArea(PAGE).map(0, 8))).toBe('EBUSY');
    expect(codeOf(() => again.destroy())).toBe('EINVAL');
  });
});

describe('a space', () => {
  test('refuses a format, policy, memory and allocators that do not fit together', () => {
    const x86 = kernelOf('x86-64');
    const arm = kernelOf('arm64-16k-47');
    const codes = [
      () => kernelOf('riscv64-sv39', { linux: x86.linux }),
      () => kernelOf('x86-64', { linux: arm.linux }),
      () => kernelOf('x86-64', { linux: undefined as never }),
      () => kernelOf('x86-64', { frames: arm.frames }),
      () => kernelOf('x86-64', { ram: arm.ram }),
      // Tables would be given out as pages.
      () => kernelOf('x86-64', { ram: new FrameAllocator(null, { first: 1000, frames: 100 }) }),
      () => kernelOf('x86-64', { linux: { ...x86.linux, leaves: {} as never } }),
      () => kernelOf('x86-64', { linux: { ...x86.linux, leaves: null as never } }),
      () => kernelOf('x86-64', { release: '5.4' as never }),
      () => kernelOf('x86-64', { totalRamPages: 0 }),
      () => kernelOf('x86-64', { cpus: 200 }),
      () => kernelOf('x86-64', { root: 1n }),
      () => {
        x86.kernel.cpu = 1;
      },
    ].map(codeOf);
    expect(codes).toEqual(Array(13).fill('EINVAL'));
  });

  test('refuses every call once it is destroyed', () => {
    const { kernel, frames, ram } = kernelOf('x86-64');
    const area = kernel.getVmArea(PAGE);
    area.map(0, 7);
    kernel.vmalloc(600 * PAGE);
    kernel.vmallocHuge(2 << 20);
    kernel.destroy();
    expect([frames.stats().allocated, ram.stats().allocated]).toEqual([0, 0]);
    for (const call of [
      () => kernel.vmalloc(1),
      () => area.map(0, 1),
      () => kernel.getVmArea(1),
      () => kernel.destroy(),
    ])
      expect(codeOf(call)).toBe('EINVAL');
  });
});
