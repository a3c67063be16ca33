import { VM_USERMAP } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { kernelOf, RAM_FIRST, regionOf } from '../support/kernel.js';

const PAGE = 4096;
const BYTES = 4096n;

describe('devices, users and lookups', () => {
  test('D27: remapVmallocRange is all or nothing, and EFAULT for a page that is not mapped', () => {
    const { kernel } = kernelOf('x86-64');
    const address = kernel.vmallocUser(4 * PAGE);
    const { user, region } = regionOf(kernel, 'x86-64', 4 * PAGE);
    const leaves = () => [...user.table.leaves(0n, 1n << 46n)];
    user.insertPage(region, 0x40_2000n, 7);
    const before = leaves();
    expect(codeOf(() => kernel.remapVmallocRange(region, address))).toBe('EBUSY');
    expect(leaves()).toEqual(before);
    user.madviseDontNeed(0x40_2000n, PAGE);
    kernel.vunmapRange(address + 3n * BYTES, address + 4n * BYTES);
    expect(codeOf(() => kernel.remapVmallocRange(region, address))).toBe('EFAULT');
    expect(leaves()).toEqual([]);
    expect((kernel.findVmArea(address)?.flags ?? 0) & VM_USERMAP).toBe(VM_USERMAP);
  });

  test.each(['x86-64', 'arm64-4k-48', 'riscv64-sv48'])('D28: ioremap of RAM on %s is EINVAL', (name) => {
    const { kernel, linux, ram } = kernelOf(name);
    const first = BigInt(RAM_FIRST) << 12n;
    const end = BigInt(RAM_FIRST + ram.frames) << 12n;
    const { IOREMAP } = linux.protections;
    for (const [physical, size] of [
      [first, 1],
      [first - BYTES, 2 * PAGE],
      [end - BYTES, 2 * PAGE],
      [end - 1n, 1],
    ] as const)
      expect([
        codeOf(() => kernel.ioremap(physical, size)),
        codeOf(() => kernel.ioremapProt(physical, size, IOREMAP)),
      ]).toEqual(['EINVAL', 'EINVAL']);
    expect(kernel.stats().areas).toBe(0);
    expect([codeOf(() => kernel.ioremap(first - BYTES, PAGE)), codeOf(() => kernel.ioremap(end, 1))]).toEqual(
      ['none', 'none'],
    );
  });

  test('D29: vmallocToPage of a device range gives its frame', () => {
    const { kernel } = kernelOf('x86-64');
    const address = kernel.ioremap(0xfed0_0000n, 4 * PAGE);
    expect(kernel.vmallocToPage(address + 2n * BYTES + 8n)).toBe(0xfed02);
  });

  test('D30: vmallocToPfn where nothing is mapped is EFAULT', () => {
    const { kernel, at } = kernelOf('x86-64');
    kernel.vmalloc(PAGE);
    for (const address of [at(1), at(100), 0n]) {
      expect(kernel.vmallocToPage(address)).toBeNull();
      expect(codeOf(() => kernel.vmallocToPfn(address))).toBe('EFAULT');
    }
  });

  test('D48: vread outside of areas writes zeros and counts all bytes', () => {
    const { kernel, memory, at } = kernelOf('x86-64', { ramFrames: 0 });
    const address = kernel.vmalloc(PAGE);
    memory.bytesAt(BigInt(kernel.vmallocToPfn(address)) << 12n, PAGE).fill(7);
    const into = new Uint8Array(3 * PAGE).fill(9);
    expect(kernel.vread(address, into)).toBe(into.length);
    expect([new Set(into.subarray(0, PAGE)), new Set(into.subarray(PAGE))]).toEqual([
      new Set([7]),
      new Set([0]),
    ]);
    into.fill(9);
    expect(kernel.vread(at(1000), into)).toBe(into.length);
    expect(new Set(into)).toEqual(new Set([0]));
  });
});
