import {
  AddressSpace,
  type AddressSpaceOptions,
  dumpTables,
  FrameAllocator,
  PhysicalMemory,
  translationCursor,
  VM_SPARSE,
  VM_USERMAP,
  wasmLoops,
} from '@vmarea/core';
import { codeOf, refusal, thrown } from '@vmarea/testkit';
import { x8664Linux } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { configuration, kernelOf, regionOf } from './support/kernel.js';

const W = 0xffffc90000000000n;
const TOP = 1n << 64n;
const PAGE = 4096n;

/** Passes a wrong value to a call that TypeScript would refuse. */
const as = <T>(value: unknown): T => value as T;

/** A kernel that takes its pages and its tables from one allocator, and that allocator. */
function bare(options: object = {}) {
  const { format, linux } = configuration('x86-64');
  const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 2 ** 20 });
  const frames = new FrameAllocator(memory);
  const make = () =>
    new AddressSpace({ format, linux, memory, frames, ...(options as Partial<AddressSpaceOptions>) });
  return { make, frames };
}

const early = (more: object): object => ({ early: [{ address: W, bytes: PAGE, ...more }] });

describe('an address outside 64 bits is ERANGE, and the message names it', () => {
  const { kernel, linux } = kernelOf('x86-64');
  const { PAGE_KERNEL } = linux.protections;
  const area = kernel.getVmArea(16 * 4096, VM_SPARSE | VM_USERMAP);
  const { region } = regionOf(kernel, 'x86-64', 1n << 20n);
  const window = { start: TOP, end: TOP + PAGE };
  test.each<[string, () => unknown, string]>([
    ['an early area', bare(early({ address: TOP })).make, 'early[0].address 0x10000000000000000'],
    ['a negative early area', bare(early({ address: -PAGE })).make, 'early[0].address -0x1000'],
    [
      'the physical address of an early area',
      bare(early({ physical: TOP })).make,
      'early[0].physical 0x10000000000000000',
    ],
    ['a direct map', bare({ directMap: { base: TOP } }).make, 'directMap.base 0x10000000000000000'],
    [
      'the window of a policy',
      () => x8664Linux({ window: { start: TOP } }),
      'window.start 0x10000000000000000',
    ],
    ['a window', () => kernel.getVmAreaNode({ size: 4096, window }), 'window.start 0x10000000000000000'],
    [
      'a window of vmalloc',
      () => kernel.vmallocNodeRange({ size: 4096, window }),
      'window.start 0x10000000000000000',
    ],
    [
      'a user address',
      () => kernel.remapVmallocRangePartial(region, TOP, area.addr, 0, 4096),
      'the user address 0x10000000000000000',
    ],
    ['an address for a user', () => kernel.remapVmallocRange(region, TOP), 'the address 0x10000000000000000'],
    ['an end', () => kernel.vunmapRange(area.addr, TOP + 1n), 'the end 0x10000000000000001'],
    [
      'an end of frames',
      () => kernel.vmapPagesRange(area.addr, TOP + PAGE, PAGE_KERNEL, [1]),
      'the end 0x10000000000001000',
    ],
    ['a negative end', () => kernel.vmAreaUnmapPages(area, area.addr, -1n), 'the end -0x1'],
    [
      'a range of entries',
      () => kernel.applyToPageRange(area.addr, TOP, () => {}),
      'the end 0x1ffffc90000000000',
    ],
    ['findVmArea', () => kernel.findVmArea(TOP), 'the address 0x10000000000000000'],
    ['vfree', () => kernel.vfree(-1n), 'the address -0x1'],
  ])('%s', (_, call, message) => {
    expect(thrown(call)).toMatch(/^ERANGE: /);
    expect(thrown(call)).toContain(`${message} is outside 64 bits`);
  });

  test('2^64 is the end of a range: it leaves the area, and the message says so', () => {
    expect(thrown(() => kernel.vunmapRange(area.addr, TOP))).toContain(
      'the range up to 0x10000000000000000 leaves',
    );
    expect(codeOf(() => kernel.vmapPagesRange(area.addr, TOP, PAGE_KERNEL, [1]))).toBe('ERANGE');
    // check_sparse_vm_area compares with the machine's pages first.
    expect(codeOf(() => kernel.vmAreaUnmapPages(area, area.addr, TOP))).toBe('E2BIG');
  });
});

describe('a size above what there is has one code for each kind of call', () => {
  const { kernel } = kernelOf('x86-64');
  const area = kernel.getVmArea(4096, VM_USERMAP);
  const { region } = regionOf(kernel, 'x86-64', 1n << 20n);
  test.each<[string, string, (size: bigint) => unknown]>([
    ['getVmArea', 'ENOMEM', (size) => kernel.getVmArea(size)],
    ['getLazyArea', 'ENOMEM', (size) => kernel.getLazyArea(size)],
    ['vmalloc', 'E2BIG', (size) => kernel.vmalloc(size)],
    ['vrealloc', 'E2BIG', (size) => kernel.vrealloc(0n, size)],
    ['ioremap', 'EINVAL', (size) => kernel.ioremap(0xfed00000n, size)],
    [
      'remapVmallocRangePartial',
      'EINVAL',
      (size) => kernel.remapVmallocRangePartial(region, 0x40_0000n, area.addr, 0, size),
    ],
    ['applyToPageRange', 'ERANGE', (size) => kernel.applyToPageRange(area.addr, size, () => {})],
  ])('%s: %s', (_, code, call) => {
    expect(
      [1n << 63n, TOP - 1n, TOP, TOP << 9n]
        .filter((size) => size % PAGE === 0n || code !== 'ERANGE')
        .map((size) => codeOf(() => call(size))),
    ).toEqual(code === 'ERANGE' ? [code, code, code] : [code, code, code, code]);
  });
});

describe('null is a value, never a default', () => {
  test.each([
    'cpus',
    'onlineCpus',
    'blockPages',
    'autoPurge',
    'totalRamPages',
    'asid',
    'early',
    'sink',
    'directMap',
  ])('%s of an address space', (name) => {
    const { make, frames } = bare({ [name]: null });
    expect(refusal(make)).toMatchObject({ code: 'EINVAL', message: expect.stringContaining(name) });
    expect(frames.stats().allocated).toBe(0);
  });

  test('a protection, a flag, a window', () => {
    const { kernel } = kernelOf('x86-64');
    const area = kernel.getVmArea(4096, VM_SPARSE);
    for (const [i, call] of [
      () => area.map(0, 1, as(null)),
      () => area.map(0, [1], as(null)),
      () => kernel.vmap([1], 0, as(null)),
      () => kernel.vmallocNodeRange({ size: 1, protection: as(null) }),
      () => kernel.getLazyArea(1, { protection: as(null) }),
      () => kernel.vmallocNodeRange({ size: 1, window: as(null) }),
      () => kernel.vmalloc(1, { mayPurge: as(null) }),
      () => kernel.vrealloc(kernel.vmalloc(1), 2, { zero: as(null) }),
    ].entries())
      expect([i, codeOf(call)]).toEqual([i, 'EINVAL']);
  });

  test.each(['no', 0, 1, {}, null])('%o is neither true nor false', (zero) => {
    const { kernel } = kernelOf('x86-64');
    for (const call of [
      () => kernel.vmallocNodeRange({ size: 1, zero: as(zero) }),
      () => kernel.vmalloc(1, { zero: as(zero) }),
      () => kernel.vmallocHuge(1, { zero: as(zero) }),
    ])
      expect(refusal(call)).toMatchObject({ code: 'EINVAL', message: expect.stringContaining('zero is') });
    expect(kernel.stats().areas).toBe(0);
  });
});

describe('a name that the call does not know is refused', () => {
  test('in a window', () => {
    const { kernel, linux } = kernelOf('x86-64');
    expect(
      thrown(() => kernel.getVmAreaNode({ size: 4096, window: as({ ...linux.window, ends: 1n }) })),
    ).toBe('EINVAL: the window has no option `ends`; did you mean `end`?');
  });

  test('in a direct map', () => {
    expect(thrown(bare({ directMap: { base: 0xffff888000000000n, sise: 1 } }).make)).toContain(
      'directMap has no member `sise`; did you mean `base`?',
    );
  });
});

describe('an early area of an address space', () => {
  test.each<[string, object, string]>([
    [
      'a caller that is no text',
      { caller: Symbol('x') },
      'EINVAL: early[0].caller is Symbol(x), expected a string',
    ],
    [
      'a physical address that is no bigint',
      { physical: 'y' },
      "EINVAL: early[0].physical is 'y', expected a bigint",
    ],
    ['flags that are null', { flags: null }, 'EINVAL: the flags are null'],
    [
      'an address between the canonical halves',
      { address: 1n << 63n },
      'ERANGE: early[0] 0x8000000000000000 .. 0x8000000000001000 is not all translated',
    ],
  ])('is refused for %s, and keeps no frame', (_, more, message) => {
    const { make, frames } = bare(early(more));
    expect(thrown(make)).toContain(message);
    expect(frames.stats().allocated).toBe(0);
  });

  test('has a length in bytes, as a number or a bigint', () => {
    expect(
      bare(early({ bytes: 4096, caller: 'vm_area_add_early', physical: 0x1000n }))
        .make()
        .findVmArea(W)?.bytes,
    ).toBe(PAGE);
  });
});

describe('a destroyed address space', () => {
  test('refuses every call that reads, and prints that it was destroyed', () => {
    const { make } = bare();
    const kernel = make();
    const area = kernel.getVmArea(4096, VM_SPARSE);
    area.map(0, 5);
    const { table } = kernel;
    const cursor = translationCursor(table);
    kernel.destroy();
    for (const call of [
      () => kernel.stats(),
      () => kernel.vmallocinfo(),
      () => kernel.findVmArea(W),
      () => kernel.getVmAreaSize(area),
      () => kernel.vmallocToPage(W),
      () => kernel.vmallocToPage(0n),
      () => kernel.vmallocToPfn(W),
      () => kernel.isVmallocAddr(W),
      () => kernel.isVmAreaHugepages(W),
      () => kernel.vread(W, new Uint8Array(4)),
      () => kernel.handleFault(W),
      () => kernel.vfree(0n),
      () => {
        kernel.cpu = 0;
      },
      () => kernel.table.walk(W),
      () => kernel.table.translate(W),
      () => [...kernel.table.leaves()],
      () => [...dumpTables(kernel.table)],
      () => table.translateWords(0xffffc900, 0),
      () => cursor.translateWords(0xffffc900, 0),
    ])
      expect(codeOf(call)).toBe('EINVAL');
    expect(String(kernel)).toBe('AddressSpace x86-64, as Linux 6.12, destroyed');
  });
});

describe('a refusal names the value and the rule', () => {
  const { kernel } = kernelOf('x86-64');
  const area = kernel.getVmArea(4 * 4096, VM_SPARSE | VM_USERMAP);
  test.each<[string, () => unknown, string]>([
    ['page', () => area.map(as(0n), [1]), 'page is 0n, expected a whole number'],
    ['count', () => area.unmap(0, 0), 'count is 0, expected 1 or more pages'],
    [
      'frames',
      () =>
        kernel.vmapPagesRange(area.addr, area.addr + 2n * PAGE, kernel.linux.protections.PAGE_KERNEL, [1]),
      '1 frame for 2 pages',
    ],
    [
      'cpu',
      () => {
        kernel.cpu = 3;
      },
      'cpu is 3, expected 0 to 0',
    ],
    ['numPages', () => kernel.setMemoryRo(area.addr, -1), 'numPages is -1, expected 0 to 2147483647'],
    [
      'region',
      () => kernel.remapVmallocRange(as({ start: 5, end: 7n }), area.addr),
      'region is an object, expected a Region of a process',
    ],
  ])('%s', (_, call, message) => {
    expect(refusal(call)).toMatchObject({ code: 'EINVAL', message: expect.stringContaining(message) });
  });
});
