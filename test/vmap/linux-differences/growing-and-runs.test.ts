import {
  FrameAllocator,
  PhysicalMemory,
  VM_IOREMAP,
  VM_MAP_PUT_PAGES,
  VM_SPARSE,
  type VmArea,
  wasmLoops,
} from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { framesFrom, kernelOf, RAM_FIRST } from '../support/kernel.js';

const PAGE = 4096;
const DIRECT = 0xffff_8880_0000_0000n;

describe('flags that contradict each other', () => {
  test('D36: VM_MAP_PUT_PAGES with VM_IOREMAP, vmalloc memory with VM_IOREMAP or VM_SPARSE are EINVAL', () => {
    const { kernel, ram } = kernelOf('x86-64');
    const frame = ram.allocate();
    expect(codeOf(() => kernel.vmap([frame], VM_MAP_PUT_PAGES | VM_IOREMAP))).toBe('EINVAL');
    for (const flags of [VM_IOREMAP, VM_SPARSE])
      expect(codeOf(() => kernel.vmallocNodeRange({ size: PAGE, flags }))).toBe('EINVAL');
    expect([kernel.stats().areas, ram.stats().allocated]).toEqual([0, 1]);
  });

  test('D37: vmapPfn of more than 2^30 frames is E2BIG, before the list is read', () => {
    const { kernel, linux } = kernelOf('x86-64');
    const list: number[] = [];
    list.length = 2 ** 30 + 1;
    expect(codeOf(() => kernel.vmapPfn(list, linux.protections.PAGE_KERNEL))).toBe('E2BIG');
  });

  test('D38: a window over the direct map is EINVAL, one outside the root is ERANGE', () => {
    const { kernel } = kernelOf('x86-64', { directMap: { base: DIRECT } });
    const start = DIRECT + (BigInt(RAM_FIRST) << 12n);
    for (const [window, code] of [
      [{ start, end: start + (1n << 30n) }, 'EINVAL'],
      [{ start: start - 8192n, end: start + 4096n }, 'EINVAL'],
      [{ start: 1n << 50n, end: 1n << 51n }, 'ERANGE'],
    ] as const)
      expect([
        codeOf(() => kernel.getVmAreaNode({ size: PAGE, window })),
        codeOf(() => kernel.vmallocNodeRange({ size: PAGE, window })),
      ]).toEqual([code, code]);
  });

  test('D39: a lazy area refuses VM_FLUSH_RESET_PERMS and changes of permissions', () => {
    const { kernel } = kernelOf('x86-64');
    const { area } = kernel.getLazyArea(PAGE);
    kernel.handleFault(area.addr);
    expect(codeOf(() => kernel.setMemoryRo(area.addr, 1))).toBe('EINVAL');
    expect(codeOf(() => kernel.setVmFlushResetPerms(area.addr))).toBe('EINVAL');
    expect(area.flags).toBe(2);
  });
});

describe('done differently', () => {
  test('D51: arm64 uses runs where its policy says so, in every release', () => {
    for (const release of ['6.12', '2026'] as const)
      for (const [name, leaves] of [
        ['arm64-4k-48', [{ bytes: PAGE, count: 16 }]],
        ['arm64-4k-48-cont', [{ bytes: 65536, count: 1 }]],
      ] as const) {
        const { kernel } = kernelOf(name, { release });
        expect((kernel.findVmArea(kernel.vmallocHuge(65536)) as VmArea).populated().leaves).toEqual(leaves);
      }
  });

  test('D52: vrealloc with zero zeroes all bytes that become usable, also in place', () => {
    for (const release of ['6.12', '2026'] as const) {
      const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 2 ** 20 });
      const frames = new FrameAllocator(memory);
      const { kernel } = kernelOf('x86-64', { memory, frames, ram: frames, release });
      const address = kernel.vmalloc(100);
      memory.bytesAt(BigInt(kernel.vmallocToPfn(address)) << 12n, PAGE).fill(9);
      expect(kernel.vrealloc(address, 200, { zero: true })).toBe(address);
      const bytes = new Uint8Array(201);
      kernel.vread(address, bytes);
      expect([bytes[99], bytes[100], bytes[199], bytes[200]]).toEqual([9, 0, 0, 9]);
      // One that moves copies the requested bytes; 6.12 knows only the size of the area.
      const moved = kernel.vrealloc(address, 2 * PAGE);
      kernel.vread(moved, bytes);
      expect([bytes[99], bytes[200]]).toEqual([9, release === '2026' ? 0 : 9]);
    }
  });

  test('D54: one flush covers the pages and their aliases', () => {
    const { kernel, flushes } = kernelOf('x86-64', { directMap: { base: DIRECT } });
    const address = kernel.vmalloc(PAGE);
    kernel.setMemoryRo(address, 1);
    // An earlier flush was for the split of the block in the direct map.
    const [last] = flushes.slice(-1) as [{ va: bigint; bytes: bigint }];
    expect([last.va, last.va + last.bytes]).toEqual([DIRECT + (BigInt(RAM_FIRST) << 12n), address + 4096n]);
  });

  test('D55: a change that changes nothing splits nothing, and still flushes what was freed', () => {
    const { kernel, flushes } = kernelOf('x86-64');
    const address = kernel.vmallocHuge(2 << 20);
    kernel.vfree(kernel.vmalloc(PAGE));
    kernel.setMemoryNx(address + 4096n, 1);
    expect((kernel.findVmArea(address) as VmArea).populated().leaves).toEqual([{ bytes: 2 ** 21, count: 1 }]);
    expect(flushes).toHaveLength(1);
  });

  test('D53: vmalloc takes the lowest single frames', () => {
    const { kernel, ram } = kernelOf('x86-64');
    const taken = ram.allocateMany(4);
    ram.free(taken[1] as number);
    const address = kernel.vmalloc(3 * PAGE);
    const frames = [0, 1, 2].map((page) => kernel.vmallocToPfn(address + BigInt(page * PAGE)));
    expect(frames).toEqual([RAM_FIRST + 1, ...framesFrom(RAM_FIRST + 4, 2)]);
  });
});
