import { createHash } from 'node:crypto';
import {
  type AddressSpace,
  type AddressWindow,
  type FrameAllocator,
  type Region,
  VM_ALLOW_HUGE_VMAP,
  VM_IOREMAP,
  VM_MAP,
  VM_MAP_PUT_PAGES,
  VM_SPARSE,
} from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { framesFrom, type KernelOptions, kernelOf, regionOf } from './support/kernel.js';

/** The base of a direct map beside the window, by configuration. */
const DIRECT: Readonly<Record<string, bigint>> = {
  'x86-64': 0xffff_8880_0000_0000n,
  'arm64-4k-48-cont': 0xffff_0000_0000_0000n,
  'arm64-16k-47-cont': 0xffff_8000_0000_0000n,
  'riscv64-sv48-napot': 0xffff_af80_0000_0000n,
};

/** Two areas of two frames each, which lie far apart: in two blocks of the direct map. */
function scatteredMemory(kernel: AddressSpace, ram: FrameAllocator, pageBytes: number): [bigint, bigint] {
  const all = ram.allocateMany(ram.stats().free).sort();
  const allocate = (first: number) => {
    ram.freeMany(all.slice(first, first + 1));
    ram.freeMany(all.slice(-1 - first).slice(0, 1));
    return kernel.vmalloc(2 * pageBytes);
  };
  const memories: [bigint, bigint] = [allocate(0), allocate(1)];
  ram.freeMany(all.subarray(2, -2));
  return memories;
}

/** A region of two pages that needs two PTE tables. */
function userOf(name: string, { kernel, linux, pageBytes }: ReturnType<typeof kernelOf>) {
  const border = 1n << BigInt(Math.max(...linux.leaves.vmalloc) + 1);
  return regionOf(kernel, name, 2 * pageBytes, border - BigInt(pageBytes));
}

/** A kernel with some areas, and what the calls below work on. */
function setUp(name: string, options: KernelOptions = {}, isForUser = false) {
  const directMap = { base: DIRECT[name] as bigint };
  const made = kernelOf(name, { tablePages: 512, ramFrames: 2 ** 13, directMap, ...options });
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
  // It begins the window, and leaves no hole before it: the next area lies where there is no table yet.
  const sparse = kernel.getVmArea(2 ** 40, VM_SPARSE);
  sparse.map(3, 7);
  const buffer = kernel.vmalloc(3 * pageBytes);
  const [scattered, reset] = scatteredMemory(kernel, ram, pageBytes);
  kernel.setVmFlushResetPerms(reset);
  const shared = kernel.vmallocUser(2 * pageBytes);
  // What waits for a purge still waits.
  kernel.vfree(kernel.vmalloc(1));
  const lazy = kernel.getLazyArea(2 ** 40);
  const given = ram.allocateMany(5);
  // Windows without a table so far.
  const [far, farther] = [1n << 44n, (1n << 44n) + (1n << 41n)].map((offset) => ({
    start: linux.window.start + offset,
    end: linux.window.start + offset + (1n << 41n),
  })) as [AddressWindow, AddressWindow];
  const device = kernel.getVmAreaNode({ size: 2 ** 31, flags: VM_IOREMAP, window: far });
  const blocks = { size: 2 ** huge, flags: VM_ALLOW_HUGE_VMAP, window: farther };
  const plain = kernel.vmallocNodeRange(blocks);
  const closed = kernel.vmallocNodeRange(blocks);
  if (linux.setMemory !== 'vmalloc') {
    kernel.setMemoryRo(closed, pages);
    kernel.setMemoryX(closed, pages);
    kernel.vfree(kernel.vmalloc(1));
  }
  const memories = { buffer, scattered, reset, shared, plain, closed };
  const user = isForUser ? userOf(name, made) : null;
  return { ...made, user, ...memories, sparse, block, lazy, given, huge, device, pages };
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
  vmapPageRange: ({ kernel, sparse, linux, pageBytes }) => {
    const start = sparse.addr + (1n << 39n) - BigInt(pageBytes);
    kernel.vmapPageRange(
      start,
      start + BigInt(2 * pageBytes),
      0x40_0000_0000n - BigInt(pageBytes),
      linux.protections.IOREMAP,
    );
  },
  ioremapPageRange: ({ kernel, device, linux }) =>
    kernel.ioremapPageRange(
      device.addr,
      device.addr + device.bytes,
      0x40_0000_0000n,
      linux.protections.IOREMAP_WC,
    ),
  ioremapProt: ({ kernel, linux, pageBytes }) =>
    kernel.ioremapProt(0x40_0000_0000n + BigInt(pageBytes), 2 ** 26, linux.protections.IOREMAP_WC),
  remapVmallocRange: ({ kernel, user, shared }) => kernel.remapVmallocRange(user?.region as Region, shared),
  'vmap of several pieces': ({ kernel, pages }) =>
    kernel.vmap([...framesFrom(2 * pages, pages), ...framesFrom(4 * pages, 128), 3, 9], VM_MAP),
  'setMemoryRo of scattered memory': ({ kernel, scattered }) => kernel.setMemoryRo(scattered, 2),
  'vfree that resets permissions': ({ kernel, reset }) => kernel.vfree(reset),
  'setMemoryRo in a leaf': ({ kernel, plain, pageBytes }) => kernel.setMemoryRo(plain + BigInt(pageBytes), 2),
  'setMemoryRw in a leaf': ({ kernel, closed, pageBytes }) =>
    kernel.setMemoryRw(closed + BigInt(pageBytes), 2),
  'setMemoryX in a leaf': ({ kernel, plain, pageBytes }) => kernel.setMemoryX(plain + BigInt(pageBytes), 2),
  'setMemoryNx in a leaf': ({ kernel, closed, pageBytes }) =>
    kernel.setMemoryNx(closed + BigInt(pageBytes), 2),
};

/** The options of calls that need other than the usual ones. */
const OPTIONS: Readonly<Record<string, KernelOptions>> = { 'vmap of several pieces': { release: '2026' } };

/** The calls that need a process. Its kernel has tables that it makes in advance. */
const isUser = (call: string) => call.startsWith('remap');

/** The calls that arm64 refuses. */
const isRefused = (name: string, call: string) => name.startsWith('arm64') && call.endsWith(' in a leaf');

/** Allocates frames until only `left` are free. */
function drain(allocator: FrameAllocator, left: number): void {
  const { free } = allocator.stats();
  if (free > left) allocator.allocateMany(free - left);
}

/** Everything that a refused call must leave alone. */
function stateOf({ kernel, memory, frames, ram, lazy, user }: World): string {
  const hash = createHash('sha256');
  for (const { state } of [frames, ram]) hash.update(new Uint8Array(state));
  const show = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
  const leaves = [[...kernel.table.leaves()], [...(user?.user.table.leaves() ?? [])]];
  hash.update(JSON.stringify([leaves, kernel.vmallocinfo(), lazy.stats, kernel.stats()], show));
  hash.update(memory.bytesAt(kernel.table.root, 4096));
  return hash.digest('hex');
}

describe.each(Object.keys(DIRECT))('with too few frames on %s', (name) => {
  for (const call of Object.keys(CALLS)) {
    test(`${call} is all or nothing, however many frames are free`, () => {
      const run = CALLS[call] as (world: World) => unknown;
      for (const scarce of ['tables', 'ram'] as const) {
        for (let left = 0; ; left++) {
          const world = setUp(name, OPTIONS[call], isUser(call));
          const { frames, ram } = world;
          drain({ tables: frames, ram }[scarce], left);
          const before = stateOf(world);
          const code = codeOf(() => run(world));
          if (code === 'none') break;
          expect(code).toBe(isRefused(name, call) ? 'EINVAL' : 'ENOMEM');
          expect(stateOf(world)).toBe(before);
          if (isRefused(name, call)) break;
          // Pages are allocated by the thousand: in between nothing differs.
          if (scarce === 'ram' && left > 5) break;
        }
      }
    });
  }
});

test('every call that takes tables is refused at least once', () => {
  const never = Object.keys(CALLS).filter((call) => {
    const world = setUp('x86-64', OPTIONS[call], isUser(call));
    drain(world.frames, 0);
    return codeOf(() => (CALLS[call] as (world: World) => unknown)(world)) === 'none';
  });
  expect(never).toEqual([]);
});
