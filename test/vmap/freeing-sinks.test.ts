import { VM_MAP, VM_MAP_PUT_PAGES } from '@vmarea/core';
import { codeOf, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { framesFrom, type KernelOptions, kernelOf } from './support/kernel.js';

const PAGE = 4096;
const FREED = /^EINVAL: frame 0x[0-9a-f]+ of the area was freed by somebody else/;

/** A kernel whose sink frees a block of an area in the next flush. */
function freeing(options: KernelOptions = {}) {
  let block: { readonly pfn: number; readonly order: number } | null = null;
  const made = kernelOf('x86-64', {
    ...options,
    onFlush: () => {
      if (block === null) return;
      const { pfn, order } = block;
      block = null;
      made.ram.free(pfn, order);
    },
  });
  return {
    ...made,
    arm: (pfn: number, order = 0) => {
      block = { pfn, order };
    },
  };
}

describe('when a sink frees a frame of an area in the flush', () => {
  test('destroy frees all other frames, also those of other areas', () => {
    const { kernel, ram, arm } = freeing();
    const address = kernel.vmalloc(8 * PAGE);
    kernel.vmalloc(600 * PAGE);
    const lazy = kernel.getLazyArea(16 * PAGE);
    lazy.populate(0, 3);
    arm(kernel.vmallocToPfn(address));
    expect(thrown(() => kernel.destroy())).toMatch(FREED);
    expect(ram.stats().allocated).toBe(0);
    expect(codeOf(() => kernel.stats())).toBe('EINVAL');
  });

  test.each([
    ['pages', 0, 5],
    ['pages with an array of pages', 0, 600],
    ['blocks', 9, 1024],
  ])('vfree with VM_FLUSH_RESET_PERMS frees all other %s', (_name, order, pages) => {
    const { kernel, ram, arm } = freeing({ directMap: { base: 0xffff_8880_0000_0000n } });
    const address = order === 0 ? kernel.vmalloc(pages * PAGE) : kernel.vmallocHuge(pages * PAGE);
    kernel.setVmFlushResetPerms(address);
    arm(kernel.vmallocToPfn(address), order);
    expect(thrown(() => kernel.vfree(address))).toMatch(FREED);
    expect([ram.stats().allocated, kernel.stats().areas, kernel.findVmArea(address)]).toEqual([0, 0, null]);
  });

  test('vrealloc to fewer pages frees the rest of the tail', () => {
    const { kernel, ram, arm } = freeing({ release: '2026' });
    const address = kernel.vmalloc(4 * PAGE);
    arm(kernel.vmallocToPfn(address + 0x2000n));
    expect(thrown(() => kernel.vrealloc(address, PAGE))).toMatch(FREED);
    const area = kernel.findVmArea(address);
    expect([ram.stats().allocated, area?.ownedPages, area?.requestedBytes]).toEqual([1, 1, BigInt(PAGE)]);
    kernel.vfree(address);
    expect(ram.stats().allocated).toBe(0);
  });

  test('no area owns the frame any more', () => {
    const { kernel, ram, arm } = freeing({ directMap: { base: 0xffff_8880_0000_0000n } });
    const address = kernel.vmalloc(PAGE);
    kernel.setVmFlushResetPerms(address);
    const pfn = kernel.vmallocToPfn(address);
    arm(pfn);
    expect(thrown(() => kernel.vfree(address))).toMatch(FREED);
    expect(ram.allocate()).toBe(pfn);
    kernel.vfree(kernel.vmap([pfn], VM_MAP | VM_MAP_PUT_PAGES));
    expect(ram.stats().allocated).toBe(0);
  });
});

describe('when somebody freed a frame of an area before the call', () => {
  test('destroy is refused, and changes nothing', () => {
    const { kernel, ram } = kernelOf('x86-64');
    const address = kernel.vmalloc(3 * PAGE);
    const frames = [...(kernel.findVmArea(address)?.ownedFrames() ?? [])];
    ram.free(frames[1] as number);
    expect(thrown(() => kernel.destroy())).toMatch(FREED);
    expect([kernel.stats().areas, kernel.vmallocToPfn(address)]).toEqual([1, frames[0]]);
    expect(ram.allocate()).toBe(frames[1]);
    kernel.destroy();
    expect(ram.stats().allocated).toBe(0);
  });

  test('shrink of a lazy area is refused for a prepared frame too, and changes nothing', () => {
    const { kernel, ram } = kernelOf('x86-64');
    const area = kernel.getLazyArea(16 * PAGE);
    area.prepare(0, 4);
    area.touch(0);
    const [, prepared] = framesFrom(area.area.frameAt(0), 2) as [number, number];
    ram.free(prepared);
    expect(codeOf(() => area.shrink())).toBe('EINVAL');
    expect([area.stats.populated, area.stats.prepared]).toEqual([1, 3]);
    expect(ram.allocate()).toBe(prepared);
    expect(area.shrink()).toBe(1);
    expect(ram.stats().allocated).toBe(0);
  });
});

test('vrealloc to 0 bytes frees the memory, also when the sink throws in the purge', () => {
  const stop = new Error('stop');
  let isBroken = false;
  const { kernel, ram } = kernelOf('x86-64', {
    onFlush: () => {
      if (isBroken) throw stop;
    },
  });
  for (let i = 0; i < 32; i++) kernel.vfree(kernel.vmalloc(255 * PAGE));
  const address = kernel.vmalloc(PAGE);
  isBroken = true;
  expect(() => kernel.vrealloc(address, 0n)).toThrow(stop);
  expect([kernel.findVmArea(address), ram.stats().allocated]).toEqual([null, 0]);
});
