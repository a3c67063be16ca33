import { FrameAllocator, PageTable, PhysicalMemory, protection, VM_USERMAP, wasmLoops } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { configuration, kernelOf, RAM_FIRST } from '../support/kernel.js';

const PAGE = 4096;
const BYTES = 4096n;

/** A user's tables with a range of 4 pages. */
function user() {
  const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 2 ** 20 });
  const { format } = configuration('x86-64');
  const table = new PageTable({ format, memory, frames: new FrameAllocator(memory) });
  const all = protection({ user: true, write: true });
  return { table, start: 0x40_0000n, end: 0x40_4000n, protection: all };
}

describe('devices, users and lookups', () => {
  test('D27: remapVmallocRange is all or nothing, and EFAULT for a page that is not mapped', () => {
    const { kernel } = kernelOf('x86-64');
    const address = kernel.vmallocUser(4 * PAGE);
    const vma = user();
    vma.table.map(0x40_2000n, [7], vma.protection);
    const before = [...vma.table.leaves()];
    expect(codeOf(() => kernel.remapVmallocRange(vma, address))).toBe('EBUSY');
    expect([...vma.table.leaves()]).toEqual(before);
    vma.table.unmap(0x40_2000n, PAGE);
    kernel.vunmapRange(address + 3n * BYTES, address + 4n * BYTES);
    expect(codeOf(() => kernel.remapVmallocRange(vma, address))).toBe('EFAULT');
    expect([...vma.table.leaves()]).toEqual([]);
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
