import { createHash } from 'node:crypto';
import { type FrameAllocator, VM_MAP, VM_MAP_PUT_PAGES, VM_SPARSE } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { framesFrom, kernelOf } from './support/kernel.js';
import { codeOf } from './support/thrown.js';

/** A kernel with something in it, and what the calls below work on. */
function setUp(name: string) {
  const made = kernelOf(name, { tablePages: 512, ramFrames: 2 ** 14 });
  const { kernel, ram, linux, pageBytes } = made;
  const huge = Math.max(...linux.leaves.vmalloc);
  const block = kernel.getVmAreaNode({ size: 2 ** huge, align: 1n << BigInt(huge) });
  const pages = 2 ** huge / pageBytes;
  kernel.vmapPagesRange(
    block.addr,
    block.addr + block.bytes,
    linux.protections.PAGE_KERNEL,
    Uint32Array.from({ length: pages }, (_, i) => pages + i),
    huge,
  );
  // It begins the window: no hole is left before it, so what comes next lies where there is no table yet.
  const sparse = kernel.getVmArea(2 ** 40, VM_SPARSE);
  sparse.map(3, 7);
  const buffer = kernel.vmalloc(3 * pageBytes);
  const lazy = kernel.getLazyArea(2 ** 40);
  const given = ram.allocateMany(5);
  return { ...made, sparse, block, buffer, lazy, given, huge };
}

type World = ReturnType<typeof setUp>;

/** Every call that takes memory. */
const CALLS: Readonly<Record<string, (world: World) => unknown>> = {
  vmalloc: ({ kernel, pageBytes }) => kernel.vmalloc(1200 * pageBytes),
  vmallocHuge: ({ kernel, huge }) => kernel.vmallocHuge(2 ** huge),
  vzalloc: ({ kernel }) => kernel.vzalloc(5),
  vrealloc: ({ kernel, buffer, pageBytes }) => kernel.vrealloc(buffer, 1200 * pageBytes),
  vmap: ({ kernel }) => kernel.vmap(framesFrom(1, 100), VM_MAP),
  'vmap with VM_MAP_PUT_PAGES': ({ kernel, given }) => kernel.vmap(given, VM_MAP_PUT_PAGES),
  vmapPfn: ({ kernel, linux }) => kernel.vmapPfn([2 ** 19], linux.protections.IOREMAP),
  vmMapRam: ({ kernel }) => kernel.vmMapRam([1, 2]),
  'vmMapRam of an area of its own': ({ kernel }) => kernel.vmMapRam(framesFrom(1, 100)),
  ioremap: ({ kernel }) => kernel.ioremap(0x40_0000_0000n, 2 ** 31),
  vmapPagesRange: ({ kernel, sparse, linux, pageBytes }) => {
    const start = sparse.addr + (1n << 36n);
    kernel.vmapPagesRange(start, start + BigInt(2 * pageBytes), linux.protections.PAGE_KERNEL, [1, 2]);
  },
  vmAreaMapPages: ({ kernel, sparse, pageBytes }) => {
    const start = sparse.addr + (1n << 37n) - BigInt(pageBytes);
    kernel.vmAreaMapPages(sparse, start, start + BigInt(2 * pageBytes), [1, 2]);
  },
  applyToPageRange: ({ kernel, sparse, linux, pageBytes }) =>
    kernel.applyToPageRange(sparse.addr + (1n << 38n), 3 * pageBytes, (slot) => {
      slot.setLeaf(9, linux.protections.PAGE_KERNEL);
    }),
  'map of an area': ({ sparse }) => sparse.map(sparse.pages - 2, [1, 2]),
  'map of one page': ({ sparse }) => sparse.map(sparse.pages / 2, 1),
  'prepare of an area': ({ sparse, pageBytes }) => sparse.prepare(0, pageBytes / 2),
  'unmap in a block': ({ block }) => block.unmap(1),
  'protect in a block': ({ block }) => block.protect(1, 1, { write: false }),
  vunmapRange: ({ kernel, block, pageBytes }) =>
    kernel.vunmapRange(block.addr + BigInt(pageBytes), block.addr + BigInt(2 * pageBytes)),
  'touch of a lazy area': ({ lazy }) => lazy.touch(2 ** 20),
  'populate of a lazy area': ({ lazy, pageBytes }) => lazy.populate(2 ** 32 / pageBytes - 1, 2),
  'prepare of a lazy area': ({ lazy }) => lazy.prepare(2 ** 21, 100),
  handleFault: ({ kernel, lazy }) => kernel.handleFault(lazy.area.addr + (1n << 37n)),
};

/** Takes frames until so many are left. */
function drain(allocator: FrameAllocator, left: number): void {
  const { free } = allocator.stats();
  if (free > left) allocator.allocateMany(free - left);
}

/** Everything that a refused call must leave alone. */
function stateOf({ kernel, memory, frames, ram, lazy }: World): string {
  const hash = createHash('sha256');
  hash.update(new Uint8Array(frames.state)).update(new Uint8Array(ram.state));
  const show = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
  hash.update(
    JSON.stringify([[...kernel.table.leaves()], kernel.vmallocinfo(), lazy.stats, kernel.stats()], show),
  );
  hash.update(memory.bytesAt(kernel.root, 4096));
  return hash.digest('hex');
}

describe.each(['x86-64', 'arm64-4k-48-cont', 'arm64-16k-47-cont', 'riscv64-sv48-napot'])('on %s', (name) => {
  test.each(Object.keys(CALLS))('%s is all or nothing, however many frames there are', (call) => {
    const run = CALLS[call] as (world: World) => unknown;
    for (const scarce of ['tables', 'ram'] as const) {
      for (let left = 0; ; left++) {
        const world = setUp(name);
        drain(scarce === 'tables' ? world.frames : world.ram, left);
        const before = stateOf(world);
        const code = codeOf(() => run(world));
        if (code === 'none') break;
        expect(code).toBe('ENOMEM');
        expect(stateOf(world)).toBe(before);
        // Memory for pages is taken by the thousand: what happens between is the same.
        if (scarce === 'ram' && left > 5) break;
      }
    }
  });
});

test('every call that takes tables is refused at least once', () => {
  const never = Object.keys(CALLS).filter((call) => {
    const world = setUp('x86-64');
    drain(world.frames, 0);
    return codeOf(() => (CALLS[call] as (world: World) => unknown)(world)) === 'none';
  });
  expect(never).toEqual([]);
});
