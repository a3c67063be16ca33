import {
  FrameAllocator,
  PhysicalMemory,
  VM_ALLOW_HUGE_VMAP,
  VM_IOREMAP,
  VM_USERMAP,
  type VmArea,
  wasmLoops,
} from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { kernelOf, RAM_FIRST } from './support/kernel.js';

const PAGE = 4096;

describe('vmalloc', () => {
  test('takes a second area for the array of more than 512 pages', () => {
    const { kernel, ram, at } = kernelOf('x86-64');
    kernel.vmalloc(2 ** 21 + 1);
    // 513 pages and the guard, then an array of 4104 bytes.
    expect(kernel.vmallocinfo()).toBe(
      `0x${at(0).toString(16)}-0x${at(514).toString(16)} 2105344 pages=513 vmalloc vpages N0=513\n` +
        `0x${at(514).toString(16)}-0x${at(517).toString(16)}   12288 pages=2 vmalloc N0=2\n`,
    );
    expect(ram.stats().allocated).toBe(515);
    // The array is freed with its area, and cannot be freed before.
    expect(codeOf(() => kernel.vfree(at(514)))).toBe('EINVAL');
    expect(codeOf(() => kernel.vunmapRange(at(514), at(515)))).toBe('EINVAL');
    expect(codeOf(() => kernel.removeVmArea(at(514)))).toBe('EINVAL');
    expect(codeOf(() => (kernel.findVmArea(at(514)) as VmArea).unmap(0))).toBe('EINVAL');
    kernel.vfree(at(0));
    expect(ram.stats().allocated).toBe(0);
    expect(kernel.stats().areas).toBe(0);
  });

  test('takes a third area for the array of the array', () => {
    const { kernel, ram } = kernelOf('x86-64', { ramFrames: 2 ** 19, tablePages: 4096 });
    const address = kernel.vmalloc((2 ** 18 + 1) * PAGE);
    expect(kernel.vmallocinfo().match(/pages=\d+/g)).toEqual(['pages=262145', 'pages=513', 'pages=2']);
    kernel.vfree(address);
    expect(ram.stats().allocated).toBe(0);
  });

  test.each([
    ['0 bytes', 'EINVAL', 0],
    ['negative bytes', 'EINVAL', -4096],
    ['NaN', 'EINVAL', Number.NaN],
    ['a size as text', 'EINVAL', '1' as never],
    ['more than the machine has', 'E2BIG', 2n ** 63n],
    ['more than is free', 'ENOMEM', 2 ** 30],
  ])('refuses %s and leaves nothing behind', (_, code, size) => {
    const { kernel, ram, frames, at } = kernelOf('x86-64');
    const before = [ram.stats(), frames.stats(), kernel.vmallocinfo()];
    if (code === 'ENOMEM') ram.allocate();
    const taken = ram.stats();
    expect(codeOf(() => kernel.vmalloc(size))).toBe(code);
    expect([ram.stats(), frames.stats(), kernel.vmallocinfo()]).toEqual([taken, before[1], before[2]]);
    expect(kernel.vmalloc(1)).toBe(at(0));
  });

  test('undoes everything, whichever table finds no frame', () => {
    for (let tablePages = 1; tablePages < 8; tablePages++) {
      const { kernel, ram, frames, at } = kernelOf('x86-64', { tablePages });
      const code = codeOf(() => kernel.vmalloc(1500 * PAGE));
      expect(code).toBe(tablePages < 6 ? 'ENOMEM' : 'none');
      if (code === 'none') continue;
      expect([ram.stats().allocated, frames.stats().allocated, kernel.stats().areas]).toEqual([0, 1, 0]);
      expect(kernel.getVmArea(1).addr).toBe(at(0));
    }
  });

  test('gives memory that vfree frees by its first address alone; vfree(0) does nothing', () => {
    const { kernel, at } = kernelOf('x86-64');
    const address = kernel.vmalloc(3 * PAGE);
    for (const wrong of [at(1), at(3), address + 1n, address - 4096n])
      expect(codeOf(() => kernel.vfree(wrong))).toBe('EINVAL');
    for (const wrong of [-1n, 1n << 64n]) expect(codeOf(() => kernel.vfree(wrong))).toBe('ERANGE');
    expect(codeOf(() => kernel.vfree(null as never))).toBe('EINVAL');
    kernel.vfree(0n);
    kernel.vfree(address);
    expect(codeOf(() => kernel.vfree(address))).toBe('EINVAL');
  });

  test('gives addresses that are flushed at the next purge, after the frames are free', () => {
    const { kernel, ram, flushes, at } = kernelOf('x86-64');
    kernel.vfree(kernel.vmalloc(PAGE));
    expect([ram.stats().allocated, flushes.length]).toEqual([0, 0]);
    expect(kernel.vmallocinfo()).toContain(' unpurged vm_area\n');
    kernel.vmUnmapAliases();
    expect(flushes).toEqual([{ va: at(0), bytes: 8192n }]);
    expect(kernel.counters.flushes).toBe(1);
  });

  test('is followed by a purge when more pages wait than may', () => {
    const { kernel, flushes } = kernelOf('x86-64');
    for (let i = 0; i < 33; i++) kernel.vfree(kernel.vmalloc(255 * PAGE));
    expect(flushes).toHaveLength(1);
  });

  test('leaves memory as it was; vzalloc and vmallocUser zero it', () => {
    const { kernel, memory, frames } = kernelOf('x86-64', { ramFrames: 0 });
    const dirty = frames.allocateMany(20);
    for (const pfn of dirty) memory.bytesAt(BigInt(pfn) << 12n, PAGE).fill(0xaa);
    frames.freeMany(dirty);
    const read = (address: bigint) => {
      const bytes = new Uint8Array(8192);
      kernel.vread(address, bytes);
      return [...new Set(bytes)];
    };
    expect(read(kernel.vmalloc(8192))).toEqual([0xaa]);
    expect(read(kernel.vzalloc(8192))).toEqual([0]);
    const user = kernel.vmallocUser(8192);
    expect(read(user)).toEqual([0]);
    expect(kernel.findVmArea(user)?.flags).toBe(0x2 | VM_USERMAP);
  });

  test('has a variant, vmallocNodeRange, with window, alignment and protection', () => {
    const { kernel, linux } = kernelOf('x86-64');
    const start = linux.window.start + (1n << 40n);
    const address = kernel.vmallocNodeRange({
      size: PAGE,
      align: 1n << 21n,
      window: { start: start + 1n * 4096n, end: start + (1n << 30n) },
      protection: linux.protections.PAGE_KERNEL_EXEC,
    });
    expect(address).toBe(start + (1n << 21n));
    expect(kernel.table.walk(address).leaf?.protection.execute).toBe(true);
    expect(codeOf(() => kernel.vmallocNodeRange({ size: 1, flags: VM_IOREMAP }))).toBe('EINVAL');
  });
});

describe('vmallocHuge', () => {
  test('rounds 3 MiB up to 4 MiB, aligned to 2 MiB', () => {
    const { kernel, ram } = kernelOf('x86-64');
    kernel.vmalloc(1);
    const area = kernel.findVmArea(kernel.vmallocHuge(3 << 20)) as VmArea;
    expect([area.addr % (2n << 20n), area.bytes, area.size]).toEqual([0n, 4n << 20n, (4n << 20n) + 4096n]);
    expect(area.populated().leaves).toEqual([{ bytes: 2 << 20, count: 2 }]);
    expect(ram.stats().allocated).toBe(1025 + 2);
  });

  test.each([
    ['arm64-4k-48-cont', 100 << 10, [{ bytes: 65536, count: 2 }]],
    ['arm64-4k-48', 100 << 10, [{ bytes: 4096, count: 25 }]],
    // riscv64 uses runs only for sizes that are multiples of one.
    ['riscv64-sv48-napot', 100 << 10, [{ bytes: 4096, count: 25 }]],
    ['riscv64-sv48-napot', 128 << 10, [{ bytes: 65536, count: 2 }]],
    ['arm64-16k-47-cont', 3 << 20, [{ bytes: 2 << 20, count: 2 }]],
  ])('on %s maps %i bytes with the leaves of its policy', (name, size, leaves) => {
    const { kernel } = kernelOf(name);
    expect((kernel.findVmArea(kernel.vmallocHuge(size)) as VmArea).populated().leaves).toEqual(leaves);
  });

  test('falls back to base pages, while the addresses of its first attempt wait', () => {
    const { kernel, ram } = kernelOf('x86-64', { ramFrames: 2048 });
    const taken = Array.from({ length: 4 }, (_, i) => RAM_FIRST + 512 * i);
    const all = ram.allocateMany(2048);
    ram.freeMany(all.filter((pfn) => !taken.includes(pfn)));
    const address = kernel.vmallocHuge(2 << 20);
    const area = kernel.findVmArea(address) as VmArea;
    expect(area.populated().leaves).toEqual([{ bytes: 4096, count: 512 }]);
    // The first attempt was at the first multiple of 2 MiB, which waits for a purge now.
    expect(kernel.vmallocinfo()).toMatch(/2101248 unpurged vm_area/);
    expect(area.pageOrder).toBe(0);
    kernel.vfree(address);
    expect(ram.stats().allocated).toBe(4);
  });

  test('undoes both attempts when neither succeeds', () => {
    const { kernel, ram, at } = kernelOf('x86-64', { ramFrames: 600 });
    ram.allocateMany(100);
    expect(codeOf(() => kernel.vmallocHuge(2 << 20))).toBe('ENOMEM');
    expect([ram.stats().allocated, kernel.vmallocinfo()]).toEqual([100, '']);
    expect(kernel.vmalloc(1)).toBe(at(0));
  });

  test('frees its blocks as blocks', () => {
    const { kernel, ram } = kernelOf('x86-64');
    const before = ram.stats();
    const address = kernel.vmallocNodeRange({ size: 8 << 20, flags: VM_ALLOW_HUGE_VMAP });
    expect(kernel.isVmAreaHugepages(address + 4096n)).toBe(true);
    const small = kernel.vmalloc(8 << 20);
    expect(kernel.isVmAreaHugepages(small)).toBe(false);
    kernel.vfree(address);
    kernel.vfree(small);
    expect(ram.stats()).toEqual(before);
  });
});

describe('vrealloc', () => {
  const setUp = (release: '6.12' | '2026') => {
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 2 ** 20 });
    const frames = new FrameAllocator(memory);
    const made = kernelOf('x86-64', { memory, frames, ram: frames, release });
    const fill = (address: bigint, byte: number) =>
      memory.bytesAt(BigInt(made.kernel.vmallocToPfn(address)) << 12n, PAGE).fill(byte);
    const first = (address: bigint, length: number) => {
      const bytes = new Uint8Array(length);
      made.kernel.vread(address, bytes);
      return [...bytes];
    };
    return { ...made, frames, fill, first };
  };

  test.each(['6.12', '2026'] as const)(
    'of %s moves to grow and keeps the bytes; it never extends in place',
    (release) => {
      const { kernel, frames, fill, first } = setUp(release);
      const before = frames.stats().allocated;
      const a = kernel.vrealloc(0n, PAGE);
      fill(a, 7);
      const b = kernel.vrealloc(a, 4 * PAGE);
      expect(b).not.toBe(a);
      expect(first(b, 2)).toEqual([7, 7]);
      expect(codeOf(() => kernel.vfree(a))).toBe('EINVAL');
      expect(kernel.vrealloc(b, 1)).toBe(b);
      const pages = kernel.findVmArea(b)?.ownedPages;
      // Before 2026 only the size was noted.
      expect(pages).toBe(release === '2026' ? 1 : 4);
      expect(kernel.findVmArea(b)?.bytes).toBe(4n * 4096n);
      expect(kernel.vmallocToPage(b + 4096n) === null).toBe(release === '2026');
      expect(kernel.vrealloc(b, PAGE)).toBe(b);
      const c = kernel.vrealloc(b, 2 * PAGE);
      expect(c === b).toBe(release === '6.12');
      expect(first(c, 2)).toEqual([7, 7]);
      expect(kernel.vrealloc(c, 0)).toBe(0n);
      expect(kernel.stats().areas).toBe(0);
      // Tables stay when they are emptied.
      expect(frames.stats().allocated).toBe(before + 3);
    },
  );

  test('frees no tail of user memory, of huge blocks, or of memory with VM_FLUSH_RESET_PERMS', () => {
    const { kernel } = setUp('2026');
    const user = kernel.vmallocUser(4 * PAGE);
    kernel.vrealloc(user, 1);
    expect(kernel.findVmArea(user)?.ownedPages).toBe(4);
    const reset = kernel.vmalloc(4 * PAGE);
    kernel.setVmFlushResetPerms(reset);
    kernel.vrealloc(reset, 1);
    expect(kernel.findVmArea(reset)?.ownedPages).toBe(4);
  });

  test('zeroes new bytes with zero: true', () => {
    const { kernel, fill, first } = setUp('6.12');
    const a = kernel.vmalloc(100);
    fill(a, 9);
    kernel.vrealloc(a, 200, { zero: true });
    expect(first(a, 201).slice(98)).toEqual([9, 9, ...Array(100).fill(0), 9]);
  });

  test.each(['6.12', '2026'] as const)(
    'of %s copies no bytes beyond the requested size, with zero: true',
    (release) => {
      const { kernel, fill, first } = setUp(release);
      const a = kernel.vmalloc(PAGE);
      fill(a, 0xff);
      kernel.vrealloc(a, 100, { zero: true });
      const b = kernel.vrealloc(a, 2 * PAGE, { zero: true });
      expect([first(b, 101)[99], first(b, 101)[100]]).toEqual([0xff, 0]);
    },
  );

  test('refuses an alignment that the memory lacks, and memory that is not from vmalloc', () => {
    const { kernel } = setUp('6.12');
    kernel.vmalloc(1);
    const a = kernel.vmalloc(1);
    expect(codeOf(() => kernel.vrealloc(a, 2, { align: 1n << 20n }))).toBe('EINVAL');
    expect(codeOf(() => kernel.vrealloc(a + 4096n, 2))).toBe('EINVAL');
    expect(codeOf(() => kernel.vrealloc(kernel.vmap([1]), 2))).toBe('EINVAL');
    expect(codeOf(() => kernel.vrealloc(a, -1))).toBe('EINVAL');
    expect(codeOf(() => kernel.vrealloc(a, 2 ** 40))).toBe('E2BIG');
    expect(kernel.findVmArea(a)?.isLive).toBe(true);
  });
});
