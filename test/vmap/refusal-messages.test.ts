import {
  FrameAllocator,
  PageTable,
  VM_ALLOC,
  VM_FLUSH_RESET_PERMS,
  VM_IOREMAP,
  VM_MAP,
  VM_MAP_PUT_PAGES,
  VM_NO_GUARD,
  VM_SPARSE,
  VM_UNINITIALIZED,
  VM_USERMAP,
  type VmArea,
} from '@vmarea/core';
import { thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { framesFrom, kernelOf, RAM_FIRST } from './support/kernel.js';

/** The window begins here. An area of one page has a page of guard, so areas begin at every second page. */
const START = 0xffff_c900_0000_0000n;
const PAGE = 4096;
const page = (index: number): string => `0x${(START + BigInt(index * PAGE)).toString(16)}`;
const FIRST = `the area ${page(0)} .. ${page(1)}`;

type World = ReturnType<typeof kernelOf>;
/** What a call does that is refused in a new space, and the whole message. */
type Refusal = readonly [title: string, call: (world: World) => unknown, message: string];

function refuses(refusals: readonly Refusal[], name = 'x86-64'): void {
  test.each(refusals)('%s', (_, call, message) => {
    const world = kernelOf(name);
    expect(thrown(() => call(world))).toBe(message);
  });
}

/** An area of vmap over two frames. */
const mapped = ({ kernel }: World): bigint => kernel.vmap([7, 8]);
const userRange = (world: World, bytes = 16 * PAGE) => ({
  table: new PageTable({ format: world.format, memory: world.memory, frames: world.frames }),
  start: 0x40_0000n,
  end: 0x40_0000n + BigInt(bytes),
  protection: world.linux.protections.PAGE_KERNEL,
});

describe('a refused area is named with its address and the way out:', () => {
  refuses([
    [
      'vfree of a device range',
      ({ kernel }) => kernel.vfree(kernel.ioremap(0xfed0_0000n, PAGE)),
      `EINVAL at ${page(0)}: ${FIRST} is a device range; iounmap it`,
    ],
    [
      'iounmap of other memory',
      ({ kernel }) => kernel.iounmap(kernel.vmalloc(PAGE) + 5n),
      `EINVAL at 0xffffc90000000005: the area is not a device range; vunmap or vfree it`,
    ],
    [
      'vunmap of memory that owns its pages',
      ({ kernel }) => kernel.vunmap(kernel.vmalloc(PAGE)),
      `EINVAL at ${page(0)}: ${FIRST} owns 1 pages, which would be lost; vfree it`,
    ],
    [
      'vfree inside an area',
      (world) => world.kernel.vfree(mapped(world) + 4096n),
      `EINVAL at ${page(1)}: vfree: no vm area begins here; the area ${page(0)} .. ${page(2)} only holds the address`,
    ],
    [
      'vfree of free addresses',
      ({ kernel, at }) => kernel.vfree(at(5)),
      `EINVAL at ${page(5)}: vfree: no vm area begins here; it was freed, or never reserved`,
    ],
    [
      'vunmap of free addresses',
      ({ kernel, at }) => kernel.vunmap(at(5)),
      `EINVAL at ${page(5)}: vunmap: no vm area begins here; it was freed, or never reserved`,
    ],
    [
      'removeVmArea of free addresses',
      ({ kernel, at }) => kernel.removeVmArea(at(5)),
      `EINVAL at ${page(5)}: removeVmArea: no vm area begins here; it was freed, or never reserved`,
    ],
    [
      'a handle of another space',
      ({ kernel }) => kernel.freeVmArea(kernelOf('x86-64').kernel.getVmArea(PAGE)),
      'EINVAL: this is not a vm area of this address space; getVmArea and findVmArea return one',
    ],
    [
      'no handle',
      ({ kernel }) => kernel.getVmAreaSize({} as VmArea),
      'EINVAL: this is not a vm area of this address space; getVmArea and findVmArea return one',
    ],
    [
      'a handle that was freed',
      ({ kernel }) => {
        const area = kernel.getVmArea(PAGE);
        kernel.freeVmArea(area);
        return kernel.freeVmArea(area);
      },
      `EINVAL at ${page(0)}: the area was freed`,
    ],
    [
      'setMemoryRo where there is no area',
      ({ kernel, at }) => kernel.setMemoryRo(at(3), 1),
      `EINVAL at ${page(3)}: no vm area holds the address; reserve one with getVmArea, vmalloc or a similar call`,
    ],
    [
      'setMemoryRo of a part of a page',
      (world) => world.kernel.setMemoryRo(mapped(world) + 8n, 1),
      'EINVAL at 0xffffc90000000008: the address is not a multiple of the page size',
    ],
    [
      'setMemoryRo over the guard',
      (world) => world.kernel.setMemoryRo(mapped(world), 3),
      `ERANGE at ${page(0)}: the range up to ${page(3)} leaves the area ${page(0)} .. ${page(2)}; its guard is never mapped`,
    ],
    [
      'setMemoryRo of a page that is not mapped',
      ({ kernel, linux }) => {
        const area = kernel.getVmArea(3 * PAGE);
        area.map(0, 7, linux.protections.PAGE_KERNEL);
        return kernel.setMemoryRo(area.addr, 2);
      },
      `EFAULT at ${page(1)}: the page is not mapped`,
    ],
    [
      'vmallocToPfn of a page that is not mapped',
      ({ kernel, at }) => kernel.vmallocToPfn(at(1)),
      `EFAULT at ${page(1)}: no vmalloc page is mapped here; vmallocToPage returns null instead`,
    ],
    [
      'vrealloc of other memory',
      (world) => world.kernel.vrealloc(mapped(world), PAGE),
      `EINVAL at ${page(0)}: the area ${page(0)} .. ${page(2)} is not vmalloc memory`,
    ],
    [
      'vrealloc to another alignment',
      ({ kernel, at }) => {
        kernel.vmalloc(PAGE);
        return kernel.vrealloc(kernel.vmalloc(PAGE), 9 * PAGE, { align: BigInt(at(2)) - START + 0x2000n });
      },
      `EINVAL at ${page(2)}: the memory does not have this alignment; vrealloc does not move memory to align it; allocate, copy, free`,
    ],
    [
      'pcpuFreeVmAreas of an area twice',
      ({ kernel }) => {
        const area = kernel.getVmArea(PAGE);
        return kernel.pcpuFreeVmAreas([area, area]);
      },
      'EINVAL: an area is in the list twice',
    ],
    [
      'pcpuFreeVmAreas of an area that owns pages',
      ({ kernel }) => kernel.pcpuFreeVmAreas([kernel.findVmArea(kernel.vmalloc(PAGE)) as VmArea]),
      `EINVAL at ${page(0)}: an area in the list owns pages; vfree it`,
    ],
    [
      'vmUnmapRam of free addresses',
      ({ kernel, at }) => kernel.vmUnmapRam(at(0), 1),
      `EINVAL at ${page(0)}: no range of vmMapRam begins here; it was unmapped, or the address is inside one`,
    ],
    [
      'vmUnmapRam of a part',
      ({ kernel }) => kernel.vmUnmapRam(kernel.vmMapRam(framesFrom(1, 33)), 32),
      `EINVAL at ${page(0)}: the range has 33 pages, not 32; unmap all of it, with the count that it was mapped with`,
    ],
  ]);
});

describe('a refused range is named with its address and the way out:', () => {
  const sparse = ({ kernel }: World, flags = VM_SPARSE): VmArea => kernel.getVmArea(4 * PAGE, flags);
  const whole = `the area ${page(0)} .. ${page(4)}`;
  refuses([
    [
      'one that ends before it begins',
      ({ kernel, at }) => kernel.vunmapRange(at(2), at(1)),
      `EINVAL at ${page(2)}: the range ends at ${page(1)}, at or before its start`,
    ],
    [
      'an empty one',
      ({ kernel, at }) => kernel.vunmapRange(at(2), at(2)),
      `EINVAL at ${page(2)}: the range ends at ${page(2)}, at or before its start`,
    ],
    [
      'one that begins inside a page',
      ({ kernel, at }) => kernel.vunmapRange(at(0) + 1n, at(2)),
      'EINVAL at 0xffffc90000000001: the address is not a multiple of the page size 0x0000000000001000',
    ],
    [
      'one that ends inside a page',
      ({ kernel, at }) => kernel.vunmapRange(at(0), at(0) + 2n),
      'EINVAL at 0xffffc90000000002: the address is not a multiple of the page size 0x0000000000001000',
    ],
    [
      'vmAreaMapPages of an area that is not sparse',
      (world) => {
        const area = sparse(world, VM_MAP);
        return world.kernel.vmAreaMapPages(area, area.addr, area.addr + 4096n, [1]);
      },
      `EINVAL at ${page(0)}: ${whole} is not VM_SPARSE; reserve it with getVmArea(bytes, VM_SPARSE)`,
    ],
    [
      'vmAreaMapPages of an area without a guard',
      (world) => {
        const area = sparse(world, VM_SPARSE | VM_NO_GUARD);
        return world.kernel.vmAreaMapPages(area, area.addr, area.addr + 4096n, [1]);
      },
      `EINVAL at ${page(0)}: ${whole} has VM_NO_GUARD; reserve it with getVmArea(bytes, VM_SPARSE)`,
    ],
    [
      'vmAreaUnmapPages of an area that resets permissions',
      (world) => {
        const area = sparse(world, VM_SPARSE | VM_FLUSH_RESET_PERMS);
        return world.kernel.vmAreaUnmapPages(area, area.addr, area.addr + 4096n);
      },
      `EINVAL at ${page(0)}: ${whole} has VM_FLUSH_RESET_PERMS; reserve it with getVmArea(bytes, VM_SPARSE)`,
    ],
    [
      'vmAreaMapPages with too few frames',
      (world) => {
        const area = sparse(world);
        return world.kernel.vmAreaMapPages(area, area.addr, area.addr + 0x2000n, [1]);
      },
      'EINVAL: 1 frame for 2 pages; pass one frame for each page',
    ],
    [
      'vmapPagesRange with frames that are no whole chunks',
      (world) => {
        const { addr } = sparse(world);
        return world.kernel.vmapPagesRange(addr, addr + 0x3000n, userRange(world).protection, [2, 3, 4], 13);
      },
      'EINVAL: 3 pages are not whole chunks of 2; pageShift promises frames in chunks of its size',
    ],
    [
      'vmapPagesRange with frames that are not adjacent',
      (world) => {
        const { addr } = sparse(world);
        return world.kernel.vmapPagesRange(addr, addr + 0x2000n, userRange(world).protection, [2, 4], 13);
      },
      'EINVAL: frame 0x4 of page 1 is not adjacent in its chunk, or the chunk is not aligned; pageShift promises aligned chunks of adjacent frames',
    ],
    [
      'vmapPagesRange with a chunk that is not aligned',
      (world) => {
        const { addr } = sparse(world);
        const list = [2, 3, 5, 6];
        return world.kernel.vmapPagesRange(addr, addr + 0x4000n, userRange(world).protection, list, 13);
      },
      'EINVAL: frame 0x5 of page 2 is not adjacent in its chunk, or the chunk is not aligned; pageShift promises aligned chunks of adjacent frames',
    ],
    ...[11, 53, 12.5, Number.NaN].map(
      (shift): Refusal => [
        `vmapPagesRange with the page shift ${shift}`,
        (world) => {
          const { addr } = sparse(world);
          return world.kernel.vmapPagesRange(addr, addr + 4096n, userRange(world).protection, [1], shift);
        },
        `EINVAL: pageShift is ${shift}, expected log2 of bytes, 12 or more`,
      ],
    ),
    [
      'ioremapPageRange of an area for other memory',
      ({ kernel, linux }) => {
        const { addr } = kernel.getVmArea(PAGE, VM_MAP);
        return kernel.ioremapPageRange(addr, addr + 4096n, 0xfed0_0000n, linux.protections.PAGE_KERNEL);
      },
      `EINVAL at ${page(0)}: no area with VM_IOREMAP holds the address`,
    ],
    ...[
      [0, 1],
      [1, 2],
    ].map(
      ([from, to]): Refusal => [
        `ioremapPageRange of pages ${from} to ${to} of an area of two`,
        ({ kernel, linux, at }) => {
          kernel.getVmArea(2 * PAGE, VM_IOREMAP);
          const { PAGE_KERNEL } = linux.protections;
          return kernel.ioremapPageRange(at(from as number), at(to as number), 0xfed0_0000n, PAGE_KERNEL);
        },
        `ERANGE at ${page(from as number)}: the range must be all of the area ${page(0)} .. ${page(2)}`,
      ],
    ),
    [
      'ioremap of memory',
      ({ kernel }) => kernel.ioremap(BigInt(RAM_FIRST * PAGE) + 8n, 16),
      `EINVAL at 0x0000000100000008: the range is memory, not a device; Linux refuses to remap RAM with another memory type`,
    ],
    [
      'ioremap beyond the physical addresses of the format',
      ({ kernel, format }) => kernel.ioremap((1n << BigInt(format.paBits)) - 16n, 17),
      "EINVAL at 0x000ffffffffffff0: the device's range does not fit 52 physical address bits",
    ],
  ]);
});

describe('a refused option is named with the way out:', () => {
  refuses([
    [
      'flags of no constant',
      ({ kernel }) => kernel.getVmArea(PAGE, 0x2000),
      'EINVAL: the flags are 8192; combine VM_ constants with |',
    ],
    [
      'a fraction as flags',
      ({ kernel }) => kernel.getVmArea(PAGE, 1.5),
      'EINVAL: the flags are 1.5; combine VM_ constants with |',
    ],
    [
      'negative flags',
      ({ kernel }) => kernel.getVmArea(PAGE, -1),
      'EINVAL: the flags are -1; combine VM_ constants with |',
    ],
    [
      'the flag VM_UNINITIALIZED',
      ({ kernel }) => kernel.getVmArea(PAGE, VM_UNINITIALIZED),
      'EINVAL: the flags have VM_UNINITIALIZED, which a caller must leave out',
    ],
    ...[VM_IOREMAP, VM_SPARSE].map(
      (flags): Refusal => [
        `the flag ${flags} of vmallocNodeRange`,
        ({ kernel }) => kernel.vmallocNodeRange({ size: PAGE, flags: flags | VM_ALLOC }),
        'EINVAL: vmalloc memory cannot have VM_IOREMAP or VM_SPARSE',
      ],
    ),
    [
      'the flag VM_NO_GUARD of vmap',
      ({ kernel }) => kernel.vmap([1], VM_NO_GUARD),
      'EINVAL: vmap does not accept VM_NO_GUARD',
    ],
    [
      'the flag VM_FLUSH_RESET_PERMS of vmap',
      ({ kernel }) => kernel.vmap([1], VM_FLUSH_RESET_PERMS),
      'EINVAL: vmap does not accept VM_FLUSH_RESET_PERMS',
    ],
    [
      'a device range that owns pages',
      ({ kernel, ram }) => kernel.vmap([ram.allocate()], VM_MAP_PUT_PAGES | VM_IOREMAP),
      'EINVAL: a device range cannot own pages; leave out one of the flags',
    ],
    [
      'memory for vmapPfn',
      ({ kernel, linux }) => kernel.vmapPfn([0xf_e000, RAM_FIRST + 1], linux.protections.PAGE_KERNEL),
      'EINVAL: frame 0x100001 is memory; vmapPfn is for devices; use vmap',
    ],
    ...[11, 63, 12.5].map(
      (shift): Refusal => [
        `the shift ${shift} of an area`,
        ({ kernel }) => kernel.getVmAreaNode({ size: PAGE, shift }),
        `EINVAL: shift is ${shift}, expected log2 of bytes, a page or more`,
      ],
    ),
    [
      'frames of another page size for a lazy area',
      ({ kernel }) => {
        const frames = new FrameAllocator(null, { pageShift: 14, first: 0, frames: 8 });
        return kernel.getLazyArea(PAGE, { frames });
      },
      'EINVAL: `frames` is not a FrameAllocator with the page size and frames of the format',
    ],
    [
      'a populate that gives too few frames',
      ({ kernel }) => kernel.getLazyArea(4 * PAGE, { chunkShift: 13, populate: () => [1] }).touch(0),
      'EINVAL: populate gave 1 frames for a chunk of 2 pages',
    ],
    [
      'more pages than the limit of a lazy area',
      ({ kernel }) => {
        const lazy = kernel.getLazyArea(4 * PAGE, { limit: 2 * PAGE });
        lazy.touch(0);
        lazy.touch(1);
        return lazy.touch(2);
      },
      `ENOMEM at ${page(0)}: the area ${page(0)} .. ${page(4)} may have 2 pages, not 3; shrink it, or give it a larger limit`,
    ],
    [
      'a lazy area that is populated beyond its limit in one call',
      ({ kernel }) => kernel.getLazyArea(4 * PAGE, { limit: 2 * PAGE }).populate(),
      `ENOMEM at ${page(0)}: the area ${page(0)} .. ${page(4)} cannot have 4 more pages`,
    ],
    [
      'a page of a lazy area for vmap calls',
      ({ kernel, at, linux }) => {
        kernel.getLazyArea(PAGE);
        return kernel.vmapPagesRange(at(0), at(1), linux.protections.PAGE_KERNEL, [1]);
      },
      `EINVAL at ${page(0)}: ${FIRST} grows on demand; use populate and shrink of its LazyArea`,
    ],
    ...(
      [
        [1.5, 1, 'EINVAL', 'page is 1.5, expected a whole number'],
        [0, 0, 'EINVAL', 'count is 0, expected 1 or more pages'],
        [0, 1.5, 'EINVAL', 'count is 1.5, expected 1 or more pages'],
        [-1, 1, 'ERANGE', 'pages -1–-1 exceed the area (pages 0–3)'],
        [3, 2, 'ERANGE', 'pages 3–4 exceed the area (pages 0–3)'],
        [4, 1, 'ERANGE', 'pages 4–4 exceed the area (pages 0–3)'],
      ] as const
    ).map(
      ([first, count, code, text]): Refusal => [
        `page ${first} and ${count} pages of an area`,
        ({ kernel }) => kernel.getVmArea(4 * PAGE).unmap(first, count),
        `${code} at ${page(0)}: ${text}`,
      ],
    ),
    [
      'pages of an area that was freed',
      ({ kernel }) => {
        const area = kernel.getVmArea(4 * PAGE);
        kernel.freeVmArea(area);
        return area.unmap(0);
      },
      `EINVAL at ${page(0)}: the area was freed`,
    ],
    [
      'a list of parts that is no array',
      ({ kernel }) => kernel.pcpuGetVmAreas([0], 5 as unknown as number[], 4096n),
      'EINVAL: sizes is 5; pass an array',
    ],
  ]);
});

describe('a refused mapping for users is named with its address and the way out:', () => {
  const user = ({ kernel }: World): bigint => kernel.vmallocUser(4 * PAGE);
  refuses([
    [
      'tables with pages of another size',
      (world) => world.kernel.remapVmallocRange(userRange(kernelOf('arm64-16k-47-cont')), user(world)),
      'EINVAL: the page size of the user tables is different',
    ],
    [
      'memory for the kernel alone',
      (world) => world.kernel.remapVmallocRange(userRange(world), world.kernel.vmalloc(PAGE)),
      `EINVAL at ${page(0)}: ${FIRST} cannot be mapped for users; allocate it with vmallocUser`,
    ],
    [
      'an area that is smaller than the range of the user',
      (world) => world.kernel.remapVmallocRange(userRange(world), user(world)),
      `EINVAL at ${page(0)}: 65536 bytes from page 0 on leave the area ${page(0)} .. ${page(4)}`,
    ],
    [
      'a page offset beyond the area',
      (world) => world.kernel.remapVmallocRange(userRange(world, 2 * PAGE), user(world), 3),
      `EINVAL at ${page(0)}: 8192 bytes from page 3 on leave the area ${page(0)} .. ${page(4)}`,
    ],
    ...[-PAGE, PAGE].map(
      (distance): Refusal => [
        `${distance} bytes from the range of the user`,
        (world) => {
          const range = userRange(world, 2 * PAGE);
          const to = range.start + BigInt(distance);
          return world.kernel.remapVmallocRangePartial(range, to, user(world), 0, 2 * PAGE);
        },
        `EINVAL at 0x${(0x40_0000 + distance).toString(16).padStart(16, '0')}: 8192 bytes do not fit the user range`,
      ],
    ),
    [
      'an address that is no page of the user',
      (world) => {
        const range = userRange(world);
        return world.kernel.remapVmallocRangePartial(range, range.start + 8n, user(world), 0, PAGE);
      },
      'EINVAL: 0x400008n is not a multiple of the page size',
    ],
    [
      'an address inside a page of the kernel',
      (world) => {
        const range = userRange(world);
        return world.kernel.remapVmallocRangePartial(range, range.start, user(world) + 8n, 0, PAGE);
      },
      'EINVAL: 0xffffc90000000008n is not a multiple of the page size',
    ],
    [
      'pages that are not mapped',
      (world) =>
        world.kernel.remapVmallocRange(userRange(world, PAGE), world.kernel.getVmArea(PAGE, VM_USERMAP).addr),
      `EFAULT at ${page(0)}: the page is not mapped`,
    ],
  ]);
});

describe('on arm64, a refused change of rights is named with its address and the way out:', () => {
  const address = '0xffff800080000000';
  refuses(
    [
      [
        'setMemoryRo of memory that vmalloc did not allocate',
        ({ kernel }) => kernel.setMemoryRo(kernel.vmap([7, 8]), 1),
        `EINVAL at ${address}: the area ${address} .. 0xffff800080002000 is not vmalloc memory without huge leaves; this architecture changes no other memory`,
      ],
      [
        'setMemoryRo of memory that may have huge leaves',
        ({ kernel }) => kernel.setMemoryRo(kernel.vmallocHuge(PAGE), 1),
        `EINVAL at ${address}: the area ${address} .. 0xffff800080001000 is not vmalloc memory without huge leaves; this architecture changes no other memory`,
      ],
    ],
    'arm64-4k-48',
  );
});
