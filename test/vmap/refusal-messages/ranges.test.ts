import {
  VM_FLUSH_RESET_PERMS,
  VM_IOREMAP,
  VM_MAP,
  VM_NO_GUARD,
  VM_SPARSE,
  VM_USERMAP,
  type VmArea,
} from '@vmarea/core';
import { describe } from 'vitest';
import { kernelOf, RAM_FIRST } from '../support/kernel.js';
import { FIRST, PAGE, page, type Refusal, refuses, userRegion, type World } from '../support/refusals.js';

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
      'EINVAL at 0xffffc90000000001: the address is not a multiple of the page size 0x1000',
    ],
    [
      'one that ends inside a page',
      ({ kernel, at }) => kernel.vunmapRange(at(0), at(0) + 2n),
      'EINVAL at 0xffffc90000000002: the address is not a multiple of the page size 0x1000',
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
        return world.kernel.vmapPagesRange(
          addr,
          addr + 0x3000n,
          world.linux.protections.PAGE_KERNEL,
          [2, 3, 4],
          13,
        );
      },
      'EINVAL: 3 pages are not whole chunks of 2; pageShift promises frames in chunks of its size',
    ],
    [
      'vmapPagesRange with frames that are not adjacent',
      (world) => {
        const { addr } = sparse(world);
        return world.kernel.vmapPagesRange(
          addr,
          addr + 0x2000n,
          world.linux.protections.PAGE_KERNEL,
          [2, 4],
          13,
        );
      },
      'EINVAL: frame 0x4 of page 1 is not adjacent in its chunk, or the chunk is not aligned; pageShift promises aligned chunks of adjacent frames',
    ],
    [
      'vmapPagesRange with a chunk that is not aligned',
      (world) => {
        const { addr } = sparse(world);
        const list = [2, 3, 5, 6];
        return world.kernel.vmapPagesRange(
          addr,
          addr + 0x4000n,
          world.linux.protections.PAGE_KERNEL,
          list,
          13,
        );
      },
      'EINVAL: frame 0x5 of page 2 is not adjacent in its chunk, or the chunk is not aligned; pageShift promises aligned chunks of adjacent frames',
    ],
    ...[11, 53, 12.5, Number.NaN].map(
      (shift): Refusal => [
        `vmapPagesRange with the page shift ${shift}`,
        (world) => {
          const { addr } = sparse(world);
          return world.kernel.vmapPagesRange(
            addr,
            addr + 4096n,
            world.linux.protections.PAGE_KERNEL,
            [1],
            shift,
          );
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

describe('a refused mapping for users is named with its address and the way out:', () => {
  const user = ({ kernel }: World): bigint => kernel.vmallocUser(4 * PAGE);
  refuses([
    [
      'a region of another kernel',
      (world) => world.kernel.remapVmallocRange(userRegion(kernelOf('x86-64')), user(world)),
      'EINVAL at 0x0000000000400000: the region belongs to a process of another kernel',
    ],
    [
      'memory for the kernel alone',
      (world) => world.kernel.remapVmallocRange(userRegion(world), world.kernel.vmalloc(PAGE)),
      `EINVAL at ${page(0)}: ${FIRST} cannot be mapped for users; allocate it with vmallocUser`,
    ],
    [
      'an area that is smaller than the region',
      (world) => world.kernel.remapVmallocRange(userRegion(world), user(world)),
      `EINVAL at ${page(0)}: 65536 bytes from page 0 on leave the area ${page(0)} .. ${page(4)}`,
    ],
    [
      'a page offset beyond the area',
      (world) => world.kernel.remapVmallocRange(userRegion(world, 2 * PAGE), user(world), 3),
      `EINVAL at ${page(0)}: 8192 bytes from page 3 on leave the area ${page(0)} .. ${page(4)}`,
    ],
    ...[-PAGE, PAGE].map(
      (distance): Refusal => [
        `${distance} bytes from the region`,
        (world) => {
          const range = userRegion(world, 2 * PAGE);
          const to = range.start + BigInt(distance);
          return world.kernel.remapVmallocRangePartial(range, to, user(world), 0, 2 * PAGE);
        },
        `EFAULT at 0x${(0x40_0000 + distance).toString(16).padStart(16, '0')}: 2 pages do not fit the region`,
      ],
    ),
    [
      'an address that is no page of the user',
      (world) => {
        const range = userRegion(world);
        return world.kernel.remapVmallocRangePartial(range, range.start + 8n, user(world), 0, PAGE);
      },
      'EINVAL: 0x400008n is not a multiple of the page size',
    ],
    [
      'an address inside a page of the kernel',
      (world) => {
        const range = userRegion(world);
        return world.kernel.remapVmallocRangePartial(range, range.start, user(world) + 8n, 0, PAGE);
      },
      'EINVAL: 0xffffc90000000008n is not a multiple of the page size',
    ],
    [
      'pages that are not mapped',
      (world) =>
        world.kernel.remapVmallocRange(
          userRegion(world, PAGE),
          world.kernel.getVmArea(PAGE, VM_USERMAP).addr,
        ),
      `EFAULT at ${page(0)}: the page is not mapped`,
    ],
  ]);
});
