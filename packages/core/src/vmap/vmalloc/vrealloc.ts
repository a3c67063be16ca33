import { checkCaller } from '../../area/caller.js';
import { checkAlign, checkBytes } from '../../check/bytes.js';
import { flagOption } from '../../check/members.js';
import { VmError } from '../../errors.js';
import { bytesOf } from '../../space/frame-bytes.js';
import { listOf, type OwnedFrames } from '../../space/frame-owners.js';
import { areaFrom } from '../areas/places.js';
import { throwFirst } from '../areas/reserve.js';
import { nameOf, type VmStruct } from '../areas/vm-struct.js';
import { VM_ALLOC, VM_FLUSH_RESET_PERMS, VM_USERMAP } from '../flags.js';
import type { KernelSpace } from '../kernel-space.js';
import type { CallerOptions } from '../options.js';
import { copyBytes } from '../pages/bytes.js';
import { checkOwned, releaseArea, vmallocNodeRange } from './vmalloc.js';

/** Options of `vrealloc`. */
export interface VreallocOptions extends CallerOptions {
  /**
   * Alignment in bytes, a power of two. When the memory is not aligned to it, the call is refused: memory
   * never moves for alignment. Default: 1.
   */
  readonly align?: bigint;
  /** Whether to fill new bytes with zeros, where pages have bytes. Default: false. */
  readonly zero?: boolean;
}

/** The names of `VreallocOptions`. */
export const VREALLOC_OPTIONS = ['caller', 'align', 'zero'] as const;

/**
 * `vrealloc` of existing memory, to a size above 0.
 *
 * @returns the area that holds it afterwards.
 */
export function vrealloc(
  space: KernelSpace,
  address: bigint,
  size: number | bigint,
  options: VreallocOptions,
): VmStruct {
  const { align = 1n, caller } = options;
  const zero = flagOption(options, 'zero', false);
  if (caller !== undefined) checkCaller(caller);
  const bytes = checkBytes(size, 'size');
  const vm = areaFrom(space, address, 'vrealloc');
  if (vm.owned === null || (vm.flags & VM_ALLOC) === 0)
    throw new VmError('EINVAL', `${nameOf(vm)} is not vmalloc memory`, { address });
  checkAlign(align);
  if (address % align !== 0n)
    throw new VmError('EINVAL', 'the memory does not have this alignment', {
      address,
      advice: 'vrealloc does not move memory to align it; allocate, copy, free',
    });
  space.threads?.close(vm);
  if (bytes <= inPlace(space, vm)) {
    const before = vm.requestedBytes;
    if (space.release === '2026' && bytes <= before) shrink(space, vm, bytes);
    vm.requestedBytes = bytes;
    if (zero && bytes > before) zeroRange(space, vm, before, bytes);
    return vm;
  }
  const owned = vm.owned;
  // Before 2026, only the area's size was known. With `zero`, bytes that were never asked for are not
  // copied: they must read as zeros.
  const old = space.release === '2026' || zero ? vm.requestedBytes : vm.area.bytes;
  // Checked before the allocation, which could get a frame that somebody else freed.
  checkOwned(space, vm);
  const moved = vmallocNodeRange(space, {
    size: bytes,
    align,
    zero,
    ...(caller === undefined ? {} : { caller }),
  });
  copyBytes(space, listOf(owned), listOf(moved.owned as OwnedFrames), Number(old));
  try {
    // The next purge makes a flush that fails here. Throwing for it would hide the new address.
    releaseArea(space, vm);
  } catch (error) {
    // The old memory stays as it was.
    releaseArea(space, moved);
    throw error;
  }
  return moved;
}

/**
 * The largest size that needs no move: before 2026 what the area spans, since then what it has pages for.
 */
function inPlace(space: KernelSpace, vm: VmStruct): bigint {
  return space.release === '2026' ? BigInt(vm.ownedPages) * space.pages : vm.area.bytes;
}

/** Frees whole pages after the new end. The addresses stay reserved. */
function shrink(space: KernelSpace, vm: VmStruct, bytes: bigint): void {
  const owned = vm.owned as OwnedFrames;
  const pages = Number(space.wholePages(bytes) >> BigInt(space.pageShift));
  if (pages >= vm.ownedPages || owned.order !== 0 || (vm.flags & (VM_FLUSH_RESET_PERMS | VM_USERMAP)) !== 0)
    return;
  const tail: OwnedFrames = { heads: owned.heads.slice(pages), order: 0 };
  space.machine.owners.checkAllocated(tail);
  const from = vm.area.address + BigInt(pages) * space.pages;
  space.table.unmap(from, BigInt(vm.ownedPages - pages) * space.pages);
  vm.owned = { heads: owned.heads.slice(0, pages), order: 0 };
  vm.ownedPages = pages;
  vm.requestedBytes = bytes;
  // After all else: a sink may have freed a frame of it.
  throwFirst(space.machine.owners.free(tail));
}

/** Zeros an area from one byte up to another, where its pages have bytes. */
function zeroRange(space: KernelSpace, vm: VmStruct, from: bigint, to: bigint): void {
  const frames = listOf(vm.owned as OwnedFrames);
  const { pageBytes } = space;
  for (let at = Number(from); at < Number(to); ) {
    const offset = at % pageBytes;
    const length = Math.min(pageBytes - offset, Number(to) - at);
    bytesOf(space, frames[Math.floor(at / pageBytes)] as number)?.fill(0, offset, offset + length);
    at += length;
  }
}
