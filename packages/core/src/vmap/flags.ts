import type { AreaWord } from '../area/area.js';
import { shown, VmError } from '../errors.js';

// Values of include/linux/vmalloc.h, Linux 6.12.

/** A device range: aligned to its own size, rounded up to a power of two. */
export const VM_IOREMAP = 0x1;
/** vmalloc memory. */
export const VM_ALLOC = 0x2;
/** Pages of a caller. `vmap` does not add this flag itself. */
export const VM_MAP = 0x4;
/** May be mapped into user tables by `remapVmallocRange`. */
export const VM_USERMAP = 0x8;
/** Memory that devices see coherently. */
export const VM_DMA_COHERENT = 0x10;
/** Linux's mark of an area that is not yet mapped. No call here leaves one. */
export const VM_UNINITIALIZED = 0x20;
/** No guard behind the area. */
export const VM_NO_GUARD = 0x40;
/** Has shadow memory that KASAN allocated. */
export const VM_KASAN = 0x80;
/** `vfree` resets the direct map's permissions of its pages, and flushes before they are free. */
export const VM_FLUSH_RESET_PERMS = 0x100;
/** `vmap` takes over the frames, and `vfree` frees them. */
export const VM_MAP_PUT_PAGES = 0x200;
/** vmalloc may use leaves and runs larger than a page. */
export const VM_ALLOW_HUGE_VMAP = 0x400;
/** kmemleak is told of the area later. */
export const VM_DEFER_KMEMLEAK = 0x800;
/** Pages come and go with `vmAreaMapPages` and `vmAreaUnmapPages`. */
export const VM_SPARSE = 0x1000;

const ALL = 0x1fff;

const WORDS: readonly (readonly [flag: number, word: AreaWord])[] = [
  [VM_IOREMAP, 'ioremap'],
  [VM_SPARSE, 'sparse'],
  [VM_ALLOC, 'vmalloc'],
  [VM_MAP, 'vmap'],
  [VM_USERMAP, 'user'],
  [VM_DMA_COHERENT, 'dma-coherent'],
];

/**
 * Checks flags that a caller passes.
 *
 * @throws VmError `EINVAL` for anything but a number, or for bits that no VM_ flag has.
 */
export function checkFlags(flags: unknown): number {
  if (typeof flags !== 'number' || flags >>> 0 !== flags || (flags & ~ALL) !== 0)
    throw new VmError('EINVAL', `the flags are ${shown(flags)}`, { advice: 'combine VM_ constants with |' });
  if ((flags & VM_UNINITIALIZED) !== 0)
    throw new VmError('EINVAL', 'the flags have VM_UNINITIALIZED, which a caller must leave out');
  return flags;
}

/** The words for flags in /proc/vmallocinfo. */
export function wordsOf(flags: number): AreaWord[] {
  return WORDS.filter(([flag]) => (flags & flag) !== 0).map(([, word]) => word);
}
