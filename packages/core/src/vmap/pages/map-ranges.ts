import { checkAddress } from '../../check/address.js';
import { checkBytes } from '../../check/bytes.js';
import { copyFrames, type FrameArray, type FrameList, frameCount } from '../../check/frames.js';
import { shown, VmError } from '../../errors.js';
import type { Protection } from '../../format/protection.js';
import { applyToExisting, applyToRange } from '../../table/change/visit/apply.js';
import type { SlotVisitor } from '../../table/change/visit/slot.js';
import {
  areaAt,
  areaHolding,
  type CheckedRange,
  checkRange,
  requireArea,
  requireCount,
  requireInside,
} from '../areas/places.js';
import { nameOf, requireOwnHands, type VmStruct } from '../areas/vm-struct.js';
import { VM_FLUSH_RESET_PERMS, VM_IOREMAP, VM_NO_GUARD, VM_SPARSE } from '../flags.js';
import type { KernelSpace } from '../kernel-space.js';

/**
 * `vmap_pages_range`, inside one live area.
 *
 * @param pageShift - as in Linux: frames come in chunks of this size, each adjacent and aligned, and leaves
 *   may be as large.
 */
export function vmapPagesRange(
  space: KernelSpace,
  start: bigint,
  end: bigint,
  protection: Protection,
  frames: FrameList,
  pageShift: number,
): void {
  const range = checkRange(space, start, end);
  // Before the list, which may be right for a smaller range: a range that leaves its area is `ERANGE`.
  requireArea(space, range);
  const list = takeList(space, range, frames);
  const find = (): VmStruct => areaHolding(space, start);
  space.changePages(find, () => {
    // Again: a getter in the list may have freed the area.
    requireArea(space, range);
    checkChunks(space, list, pageShift);
    const { vmalloc, ioremap } = space.linux.leaves;
    // Before the walkers were joined, chunks took the path of ioremap, which also tries the PUD.
    const shifts = space.release === '6.12' ? ioremap : vmalloc;
    space.table.map(start, list, protection, space.capsOf(shifts, pageShift));
  });
}

/** `vunmap_range`, inside one live area. Holes are allowed. Nothing outside the named range is removed. */
export function vunmapRange(space: KernelSpace, start: bigint, end: bigint): void {
  space.changePages(
    () => areaHolding(space, start),
    () => {
      const range = checkRange(space, start, end);
      requireArea(space, range, true);
      space.table.unmap(start, range.bytes);
    },
  );
}

/** `vm_area_map_pages`. */
export function vmAreaMapPages(
  space: KernelSpace,
  vm: VmStruct,
  start: bigint,
  end: bigint,
  frames: FrameList,
): void {
  const range = checkSparse(space, vm, start, end);
  const list = takeList(space, range, frames);
  space.changePages(
    () => vm,
    () => {
      // A getter in the list may have freed the area.
      if (!vm.isLive) throw new VmError('EINVAL', 'the area was freed', { address: vm.area.address });
      space.table.map(start, list, space.linux.protections.PAGE_KERNEL, space.capsOf([], 0));
    },
  );
}

/** `vm_area_unmap_pages`. */
export function vmAreaUnmapPages(space: KernelSpace, vm: VmStruct, start: bigint, end: bigint): void {
  space.changePages(
    () => vm,
    () => {
      checkSparse(space, vm, start, end);
      space.table.unmap(start, end - start);
    },
  );
}

/** `apply_to_page_range` and `apply_to_existing_page_range`. */
export function applyToPages<T>(
  space: KernelSpace,
  address: bigint,
  size: number | bigint,
  visit: SlotVisitor<T>,
  makesTables: boolean,
): T | undefined {
  const bytes = checkBytes(size, 'size', address);
  return space.changePages(
    () => areaHolding(space, address),
    () => {
      checkAddress(address);
      const range = checkRange(space, address, address + bytes);
      requireArea(space, range, true);
      return makesTables
        ? applyToRange(space.table, address, range.bytes, visit)
        : applyToExisting(space.table, address, range.bytes, visit);
    },
  );
}

/** `ioremap_page_range`: the area must be a device range, and the range must be all of it. */
export function ioremapPageRange(
  space: KernelSpace,
  start: bigint,
  end: bigint,
  physical: bigint,
  protection: Protection,
): void {
  checkRange(space, start, end);
  const vm = areaAt(space, start);
  if (vm === null || (vm.flags & VM_IOREMAP) === 0)
    throw new VmError('EINVAL', 'no area with VM_IOREMAP holds the address', { address: start });
  const { address, bytes } = vm.area;
  if (start !== address || end !== address + bytes)
    throw new VmError('ERANGE', `the range must be all of ${nameOf(vm)}`, { address: start });
  mapDevice(space, start, end, physical, protection);
}

/** `vmap_page_range`, inside one live area. */
export function vmapPageRange(
  space: KernelSpace,
  start: bigint,
  end: bigint,
  physical: bigint,
  protection: Protection,
): void {
  requireArea(space, checkRange(space, start, end));
  mapDevice(space, start, end, physical, protection);
}

function mapDevice(
  space: KernelSpace,
  start: bigint,
  end: bigint,
  physical: bigint,
  protection: Protection,
): void {
  const caps = space.capsOf(space.linux.leaves.ioremap, 63);
  space.table.mapRange(start, physical, end - start, space.withoutExecute(protection), caps);
}

/** The checks of check_sparse_vm_area, in Linux's order. */
function checkSparse(space: KernelSpace, vm: VmStruct, start: bigint, end: bigint): CheckedRange {
  const { flags } = vm;
  const why =
    (flags & VM_FLUSH_RESET_PERMS) !== 0
      ? 'has VM_FLUSH_RESET_PERMS'
      : (flags & VM_NO_GUARD) !== 0
        ? 'has VM_NO_GUARD'
        : (flags & VM_SPARSE) === 0
          ? 'is not VM_SPARSE'
          : null;
  if (why !== null)
    throw new VmError('EINVAL', `${nameOf(vm)} ${why}`, {
      address: vm.area.address,
      advice: 'reserve it with getVmArea(bytes, VM_SPARSE)',
    });
  const range = checkRange(space, start, end);
  space.machine.requireAtMost(range.pages);
  requireInside(vm, start, end);
  requireOwnHands(vm);
  return range;
}

/**
 * Copies a list that has one frame for each page of a range. This comes first, since the list's getters may
 * run a caller's code.
 */
function takeList(space: KernelSpace, { pages }: CheckedRange, frames: FrameList): FrameArray {
  const count = frameCount(frames);
  requireCount(count, pages);
  return copyFrames(frames, count, space.pfnLimit);
}

/**
 * @throws VmError `EINVAL` when frames are not chunks of `2 ** pageShift` bytes, each adjacent and aligned.
 */
function checkChunks(space: KernelSpace, frames: FrameArray, pageShift: number): void {
  // Subtracted only from a number: objects and symbols may throw.
  const order = typeof pageShift === 'number' ? pageShift - space.pageShift : -1;
  if (!Number.isInteger(order) || order < 0 || order > 40)
    throw new VmError(
      'EINVAL',
      `pageShift is ${shown(pageShift)}, expected log2 of bytes, ${space.pageShift} or more`,
    );
  if (order === 0) return;
  const chunk = 2 ** order;
  if (frames.length % chunk !== 0)
    throw new VmError('EINVAL', `${frames.length} pages are not whole chunks of ${chunk}`, {
      advice: 'pageShift promises frames in chunks of its size',
    });
  for (let i = 0; i < frames.length; i++) {
    const first = frames[i - (i % chunk)] as number;
    if (frames[i] === first + (i % chunk) && first % chunk === 0) continue;
    throw new VmError(
      'EINVAL',
      `frame 0x${(frames[i] as number).toString(16)} of page ${i} is not adjacent in its chunk, or the chunk is not aligned`,
      {
        advice: 'pageShift promises aligned chunks of adjacent frames',
      },
    );
  }
}
