import type { VmArea } from '@vmarea/core';
import { describe } from 'vitest';
import { framesFrom, kernelOf } from '../support/kernel.js';
import { FIRST, mapped, PAGE, page, refuses, START } from '../support/refusals.js';

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
      'EINVAL at 0xffffc90000000008: the address is not a multiple of the page size 0x1000',
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
