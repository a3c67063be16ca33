import { VM_MAP, VM_MAP_PUT_PAGES, type VmArea } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { framesFrom, kernelOf, RAM_FIRST } from '../support/kernel.js';

const PAGE = 4096;
const BYTES = 4096n;

describe('freeing', () => {
  test.each(['vfree', 'vunmap', 'removeVmArea'] as const)(
    'D7: %s takes only the first address of an area',
    (call) => {
      const { kernel, at } = kernelOf('x86-64');
      const address = call === 'vunmap' ? kernel.vmap([1, 2, 3]) : kernel.vmalloc(3 * PAGE);
      const area = kernel.findVmArea(address) as VmArea;
      // Inside the first page, in other pages, in the guard, outside of areas.
      for (const wrong of [address + 8n, at(1), at(2), at(3), at(50)])
        expect(codeOf(() => kernel[call](wrong))).toBe('EINVAL');
      expect([area.isLive, area.populated().pages]).toEqual([true, 3]);
      kernel[call](address);
      expect(area.isLive).toBe(false);
      expect(codeOf(() => kernel[call](address))).toBe('EINVAL');
    },
  );

  test('D8: vunmap and freeVmArea refuse an area that owns pages', () => {
    const { kernel, ram } = kernelOf('x86-64');
    const addresses = [kernel.vmalloc(2 * PAGE), kernel.vmap(ram.allocateMany(2), VM_MAP | VM_MAP_PUT_PAGES)];
    for (const address of addresses) {
      expect(codeOf(() => kernel.vunmap(address))).toBe('EINVAL');
      expect(codeOf(() => kernel.freeVmArea(kernel.findVmArea(address) as VmArea))).toBe('EINVAL');
    }
    expect(ram.stats().allocated).toBe(4);
    for (const address of addresses) kernel.vfree(address);
    expect(ram.stats().allocated).toBe(0);
  });

  test('D9: removeVmArea refuses a range of vmMapRam, which can still be unmapped', () => {
    const { kernel } = kernelOf('x86-64');
    for (const count of [2, 100]) {
      const address = kernel.vmMapRam(framesFrom(1, count));
      expect(codeOf(() => kernel.removeVmArea(address))).toBe('EINVAL');
      expect(kernel.vmallocToPfn(address)).toBe(1);
      kernel.vmUnmapRam(address, count);
    }
  });

  test('D10: vfree refuses a device range', () => {
    const { kernel } = kernelOf('x86-64');
    const address = kernel.ioremap(0xfed0_0000n, PAGE);
    expect(codeOf(() => kernel.vfree(address))).toBe('EINVAL');
    expect(kernel.vmallocToPfn(address)).toBe(0xfed00);
    kernel.iounmap(address);
    expect(kernel.stats().areas).toBe(0);
  });

  test('D11: iounmap refuses an area that is not a device range', () => {
    const { kernel, at } = kernelOf('x86-64');
    const memory = kernel.vmalloc(PAGE);
    const mapped = kernel.vmap([1]);
    const short = kernel.vmMapRam([1]);
    for (const address of [memory, mapped, short, at(100), 0n])
      expect(codeOf(() => kernel.iounmap(address))).toBe('EINVAL');
    expect([memory, mapped, short].map((address) => kernel.vmallocToPage(address))).toEqual([
      RAM_FIRST,
      1,
      1,
    ]);
  });

  test('D21: vmUnmapRam refuses an address or count other than those of the mapping', () => {
    const { kernel } = kernelOf('x86-64');
    const address = kernel.vmMapRam(framesFrom(1, 4));
    const next = kernel.vmMapRam([9]);
    expect(
      [
        () => kernel.vmUnmapRam(address, 3),
        () => kernel.vmUnmapRam(address, 5),
        () => kernel.vmUnmapRam(address, 0),
        () => kernel.vmUnmapRam(address + BYTES, 3),
        () => kernel.vmUnmapRam(address + 1n, 4),
        () => kernel.vmUnmapRam(0n, 4),
      ].map(codeOf),
    ).toEqual(Array(6).fill('EINVAL'));
    expect([0n, 1n, 2n, 3n].map((page) => kernel.vmallocToPage(address + page * BYTES))).toEqual([
      1, 2, 3, 4,
    ]);
    kernel.vmUnmapRam(address, 4);
    expect(kernel.vmallocToPage(next)).toBe(9);
  });

  test("D35: every call refuses the array of another area's pages", () => {
    const { kernel, ram, at } = kernelOf('x86-64');
    const address = kernel.vmalloc(513 * PAGE);
    const array = kernel.findVmArea(at(514)) as VmArea;
    expect(array.pages).toBe(2);
    expect(
      [
        () => kernel.vfree(at(514)),
        () => kernel.vunmap(at(514)),
        () => kernel.removeVmArea(at(514)),
        () => kernel.freeVmArea(array),
        () => kernel.pcpuFreeVmAreas([array]),
        () => array.unmap(0),
        () => kernel.vrealloc(at(514), 1),
      ].map(codeOf),
    ).toEqual(Array(7).fill('EINVAL'));
    expect([array.isLive, ram.stats().allocated]).toEqual([true, 515]);
    kernel.vfree(address);
    expect([array.isLive, ram.stats().allocated]).toEqual([false, 0]);
  });
});
