import {
  AddressSpace,
  attachFrames,
  FrameAllocator,
  PageTable,
  PhysicalMemory,
  restoreSnapshot,
  takeSnapshot,
  VM_MAP,
  VM_MAP_PUT_PAGES,
} from '@vmarea/core';
import { codeOf, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { configuration, kernelOf } from './support/kernel.js';

const PAGE = 4096;
const PUT = VM_MAP | VM_MAP_PUT_PAGES;

describe('two allocators over one state are one', () => {
  test('a frame of a lazy area is not handed over to vmap', () => {
    const { kernel, ram } = kernelOf('x86-64');
    const lazy = kernel.getLazyArea(16 * PAGE, { frames: attachFrames(ram.state) });
    lazy.touch(0);
    const pfn = lazy.area.frameAt(0);
    expect(codeOf(() => kernel.vmap([pfn], PUT))).toBe('EINVAL');
    lazy.prepare(1, 1);
    expect(codeOf(() => kernel.vmap([pfn + 1], PUT))).toBe('EINVAL');
    // The area gives it back: then it is as any other frame.
    expect(lazy.shrink()).toBe(1);
    expect(ram.allocate()).toBe(pfn);
    kernel.vfree(kernel.vmap([pfn], PUT));
    expect(ram.stats().allocated).toBe(0);
  });

  test('a frame of a lazy area is not handed over in another space', () => {
    const { kernel, ram } = kernelOf('x86-64');
    const other = kernelOf('x86-64', { ramFrames: 0 });
    const lazy = other.kernel.getLazyArea(16 * PAGE, { frames: attachFrames(ram.state) });
    lazy.touch(0);
    const pfn = lazy.area.frameAt(0);
    expect(codeOf(() => kernel.vmap([pfn], PUT))).toBe('EINVAL');
    other.kernel.vfree(lazy.area.addr);
    expect(ram.allocate()).toBe(pfn);
    kernel.vfree(kernel.vmap([pfn], PUT));
  });

  test('an area frees what it was given through another allocator', () => {
    const { format, linux } = configuration('x86-64');
    const memory = PhysicalMemory.create({ bytes: 64 * PAGE });
    const frames = new FrameAllocator(memory);
    const same = attachFrames(frames.state);
    const kernel = new AddressSpace({ format, linux, memory, frames, ram: same });
    kernel.vfree(kernel.vmalloc(3 * PAGE));
    const given = frames.allocate();
    const address = kernel.vmap([given], PUT);
    expect(codeOf(() => kernel.vmap([given], PUT))).toBe('EINVAL');
    kernel.vfree(address);
    expect(frames.isAllocated(given)).toBe(false);
    const table = Number(kernel.table.root) / PAGE;
    expect(codeOf(() => kernel.vmap([table], PUT))).toBe('EINVAL');
  });
});

describe('a snapshot does not take back the frames of areas', () => {
  const REFUSED = /^EINVAL: areas of an address space use frames that a restore would take back/;

  /** A page table of a process, and a snapshot of it. */
  function process() {
    const { format, linux } = configuration('x86-64');
    const memory = PhysicalMemory.create({ bytes: 64 * PAGE });
    const frames = new FrameAllocator(memory);
    const table = new PageTable({ format, memory, frames });
    return { format, linux, memory, frames, table, snapshot: takeSnapshot(table) };
  }

  test('of a space in the same memory', () => {
    const { format, linux, memory, frames, table, snapshot } = process();
    const kernel = new AddressSpace({ format, linux, memory, frames });
    const address = kernel.vmalloc(3 * PAGE);
    const pfn = kernel.vmallocToPfn(address);
    expect(thrown(() => restoreSnapshot(table, snapshot))).toMatch(REFUSED);
    expect(thrown(() => takeSnapshot(table))).toMatch(REFUSED);
    expect([frames.isAllocated(pfn), kernel.vmallocToPfn(address)]).toEqual([true, pfn]);
    kernel.destroy();
    restoreSnapshot(table, snapshot);
    expect(frames.stats().allocated).toBe(1);
  });

  test('of a space in another memory with pages from the allocator of the tables', () => {
    const { format, linux, frames, table, snapshot } = process();
    const memory = PhysicalMemory.create({ bytes: 64 * PAGE, base: 1n << 30n });
    const own = new FrameAllocator(memory);
    const kernel = new AddressSpace({
      ...{ format, linux, memory, frames: own },
      ram: attachFrames(frames.state),
    });
    const pfn = kernel.vmallocToPfn(kernel.vmalloc(PAGE));
    expect(thrown(() => restoreSnapshot(table, snapshot))).toMatch(REFUSED);
    expect(frames.isAllocated(pfn)).toBe(true);
  });

  test('of a lazy area with frames from the allocator of the tables', () => {
    const { format, linux, frames, table, snapshot } = process();
    const memory = PhysicalMemory.create({ bytes: 64 * PAGE, base: 1n << 30n });
    const own = new FrameAllocator(memory);
    const space = new AddressSpace({ format, linux, memory, frames: own });
    const lazy = space.getLazyArea(PAGE, { frames });
    lazy.touch(0);
    expect(thrown(() => restoreSnapshot(table, snapshot))).toMatch(REFUSED);
    expect(frames.isAllocated(lazy.area.frameAt(0))).toBe(true);
    space.destroy();
    restoreSnapshot(table, snapshot);
  });
});
