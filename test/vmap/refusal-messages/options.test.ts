import {
  FrameAllocator,
  VM_ALLOC,
  VM_FLUSH_RESET_PERMS,
  VM_IOREMAP,
  VM_MAP_PUT_PAGES,
  VM_NO_GUARD,
  VM_SPARSE,
  VM_UNINITIALIZED,
} from '@vmarea/core';
import { describe } from 'vitest';
import { RAM_FIRST } from '../support/kernel.js';
import { FIRST, PAGE, page, type Refusal, refuses } from '../support/refusals.js';

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
