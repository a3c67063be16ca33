import { VM_MAP, VM_SPARSE } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { CONFIGURATIONS, framesFrom, kernelOf, RAM_FIRST } from './support/kernel.js';

describe.each(CONFIGURATIONS.map(({ name }) => name))('a kernel on %s', (name) => {
  test('allocates memory, finds its pages, and frees everything', () => {
    const { kernel, frames, ram, pageBytes, at } = kernelOf(name);
    const before = ram.stats();
    const address = kernel.vmalloc(3 * pageBytes - 5);
    expect(address).toBe(at(0));
    expect([0, 1, 2].map((page) => kernel.vmallocToPfn(at(page)))).toEqual(framesFrom(RAM_FIRST, 3));
    expect(kernel.vmallocToPage(at(3))).toBeNull();
    expect(ram.stats().allocated).toBe(3);
    const area = kernel.findVmArea(at(3));
    expect(area?.addr).toBe(address);
    expect([area?.pages, area?.ownedPages, area?.requestedBytes]).toEqual([3, 3, BigInt(3 * pageBytes - 5)]);
    kernel.vfree(address);
    expect(kernel.vmallocToPage(at(0))).toBeNull();
    expect(ram.stats()).toEqual(before);
    expect(area?.isLive).toBe(false);
    kernel.destroy();
    expect(frames.stats().allocated).toBe(0);
  });

  test('maps pages of a sparse area, and nothing beside them', () => {
    const { kernel, pageBytes, at, flushes } = kernelOf(name);
    const area = kernel.getVmArea(64 * pageBytes, VM_SPARSE);
    area.map(62, [7, 9]);
    area.map(0, 5);
    expect([0, 1, 62, 63].map((page) => area.frameAt(page))).toEqual([5, -1, 7, 9]);
    expect(area.populated()).toEqual({ pages: 3, leaves: [{ bytes: pageBytes, count: 3 }] });
    expect(codeOf(() => area.map(63, [1, 2]))).toBe('ERANGE');
    expect(codeOf(() => area.map(62, 1))).toBe('EBUSY');
    expect(kernel.vmallocToPage(at(64))).toBeNull();
    area.unmap(62);
    expect(flushes).toEqual([{ va: at(62), bytes: BigInt(pageBytes) }]);
    expect(area.frameAt(62)).toBe(-1);
    area.protect(63, 1, { write: false });
    expect(kernel.table.walk(at(63)).leaf?.protection.write).toBe(false);
  });

  test('uses each leaf size of the policy in vmallocHuge', () => {
    const { kernel, linux, ram, pageShift } = kernelOf(name, { ramFrames: 2 ** 18 });
    for (const shift of linux.leaves.vmalloc.filter((one) => one > pageShift)) {
      const before = ram.stats();
      const address = kernel.vmallocHuge(2 ** shift);
      const area = kernel.findVmArea(address);
      expect(area?.populated().leaves).toEqual([{ bytes: 2 ** shift, count: 1 }]);
      expect(area?.pageOrder).toBe(shift - pageShift);
      expect(kernel.isVmAreaHugepages(address)).toBe(true);
      expect(address % BigInt(2 ** shift)).toBe(0n);
      kernel.vfree(address);
      expect(ram.stats()).toEqual(before);
    }
  });

  test('maps a device with the largest leaves that ioremap uses', () => {
    const { kernel, linux } = kernelOf(name);
    for (const shift of linux.leaves.ioremap) {
      const physical = 0x40_0000_0000n;
      const address = kernel.ioremap(physical + 0x10n, 2 ** shift - 0x20);
      expect(address % 0x1000n).toBe(0x10n);
      expect(kernel.findVmArea(address)?.populated().leaves).toEqual([{ bytes: 2 ** shift, count: 1 }]);
      expect(kernel.table.walk(address).leaf?.protection.execute).toBe(false);
      kernel.iounmap(address);
      expect(kernel.findVmArea(address)).toBeNull();
    }
  });

  test('prints its areas as Linux does', () => {
    const { kernel, pageBytes, at } = kernelOf(name);
    kernel.vmalloc(pageBytes, { caller: 'fork+0x1/0x2' });
    kernel.vmap([1, 2], VM_MAP);
    kernel.vmMapRam([4]);
    const hex = (page: number) => `0x${at(page).toString(16)}`;
    const lines = kernel.vmallocinfo().split('\n');
    expect(lines.slice(0, 2)).toEqual([
      `${hex(0)}-${hex(2)} ${String(2 * pageBytes).padStart(7)} fork+0x1/0x2 pages=1 vmalloc N0=1`,
      `${hex(2)}-${hex(5)} ${String(3 * pageBytes).padStart(7)} vmap`,
    ]);
    expect(lines[2]).toMatch(/ vm_map_ram$/);
    expect(kernel.vmallocinfo({ detail: true }).split('\n')[1]).toBe(
      `${lines[1]} populated=2/2 ${pageBytes / 1024}K=2`,
    );
  });
});
