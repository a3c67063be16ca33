import { checkCaller } from '../../area/caller.js';
import type { AddressWindow } from '../../area/page-units.js';
import { checkAlign, checkBytes } from '../../check/bytes.js';
import { checkWindow } from '../../check/window.js';
import { hex, shown, VmError } from '../../errors.js';
import { checkFlags, VM_ALLOC, VM_IOREMAP, VM_NO_GUARD } from '../flags.js';
import type { KernelSpace } from '../kernel-space.js';
import type { VmAreaRequest } from '../options.js';
import { nameOf, VmStruct } from './vm-struct.js';

/** A checked request. */
type Reservation = { readonly [Name in keyof VmAreaRequest]: VmAreaRequest[Name] | undefined } & {
  readonly mayPurge?: boolean;
};

/** Most bytes of a request whose pages are counted in doubles. */
const MOST_COUNTED = 2 ** 52;

/**
 * Reserves an area (__get_vm_area_node). It changes no table.
 *
 * @throws VmError `EINVAL` for an invalid size, alignment or flag; `ERANGE` for a window that the root does
 *   not translate; `ENOMEM` when nothing fits.
 */
export function reserve(space: KernelSpace, request: Reservation): VmStruct {
  const { size, flags = 0, align = 1n, shift = space.pageShift, caller, mayPurge = true } = request;
  const requested = checkBytes(size, 'size');
  checkFlags(flags);
  if (!Number.isInteger(shift) || shift < space.pageShift || shift > 62)
    throw new VmError('EINVAL', `shift is ${shown(shift)}, expected log2 of bytes, a page or more`);
  checkAlign(align);
  const window = request.window === undefined ? undefined : checkedWindow(space, request.window);
  const vm = new VmStruct(flags, requested, caller);
  const bytes = Number(requested);
  // Most requests: nothing of them has to be told in options, which are read and checked once more.
  if (
    shift === space.pageShift &&
    window === undefined &&
    align <= space.pages &&
    (flags & VM_IOREMAP) === 0 &&
    bytes <= MOST_COUNTED
  ) {
    const guardBytes = (flags & VM_NO_GUARD) !== 0 ? 0 : space.linux.guardBytes;
    const pages = Math.ceil(bytes / space.pageBytes);
    vm.area = space.areas.reservePages(pages, guardBytes, space.cpu, mayPurge, vm);
    return vm;
  }
  const unit = 1n << BigInt(shift);
  vm.area = space.areas.reserve(((requested + unit - 1n) / unit) * unit, {
    // Linux's default of 1 byte means a page.
    ...(align > space.pages ? { align } : {}),
    guardBytes: (flags & VM_NO_GUARD) !== 0 ? 0 : space.linux.guardBytes,
    ioremap: (flags & VM_IOREMAP) !== 0,
    cpu: space.cpu,
    mayPurge,
    info: vm,
    ...(window === undefined ? {} : { window }),
  });
  if (window !== undefined && space.users !== null) {
    try {
      space.users.reach(vm.area.address, vm.area.bytes);
    } catch (error) {
      cancel(space, vm);
      throw error;
    }
  }
  return vm;
}

/** Undoes a reservation in which nothing was mapped. */
export function cancel(space: KernelSpace, vm: VmStruct): void {
  vm.isLive = false;
  space.areas.cancel(vm.area);
}

/**
 * Removes what an area maps and frees its addresses, which wait for a purge. The caller frees what the area
 * owns, and runs a purge that is due: a purge may throw, so the other work comes first.
 */
export function remove(space: KernelSpace, vm: VmStruct): void {
  space.unmapLazily(vm.area.address, vm.area.bytes);
  vm.isLive = false;
  space.areas.free(vm.area, false);
}

/**
 * `free_vm_area`, without the purge that may be due.
 *
 * @returns what a caller's `release` threw.
 * @throws VmError `EINVAL` when the area owns frames, which would be lost.
 */
export function freeVmArea(space: KernelSpace, vm: VmStruct): unknown[] {
  if (vm.owned !== null)
    throw new VmError('EINVAL', `${nameOf(vm)} owns ${vm.ownedPages} pages, which would be lost`, {
      address: vm.area.address,
      advice: 'vfree it',
    });
  space.threads?.close(vm);
  const errors = releaseLazy(space, vm);
  remove(space, vm);
  return errors;
}

/**
 * Frees the frames of a lazy area, after a flush, before its addresses are freed.
 *
 * @returns what a caller's `release` threw.
 * @throws VmError `EINVAL` when somebody else freed a frame of it. Nothing is then changed.
 */
export function releaseLazy(space: KernelSpace, vm: VmStruct): unknown[] {
  if (vm.lazy === null) return [];
  vm.lazy.checkAllocated();
  space.table.unmap(vm.area.address, vm.area.bytes);
  return vm.lazy.releaseAll();
}

/**
 * Ends a call that frees and returns nothing. All of its work is done, so a purge that is due may throw now.
 *
 * @param errors - of callers' functions. The first is thrown, after the purge.
 * @throws what the sink throws in the purge.
 */
export function endFreeing(space: KernelSpace, errors: readonly unknown[]): void {
  try {
    space.areas.purgeIfDue();
  } finally {
    throwFirst(errors);
  }
}

/** @throws the first of the errors, if there is one. */
export function throwFirst(errors: readonly unknown[]): void {
  if (errors.length > 0) throw errors[0];
}

/**
 * `pcpu_get_vm_areas`: areas at fixed distances from one base, from the top of the window down, without
 * guards.
 */
export function pcpuGetVmAreas(
  space: KernelSpace,
  offsets: readonly number[],
  sizes: readonly number[],
  align: bigint,
  caller: string,
): VmStruct[] {
  checkCaller(caller);
  const structs: VmStruct[] = [];
  const areas = space.areas.reservePercpu(offsets, sizes, align, (i) => {
    structs[i] = new VmStruct(VM_ALLOC, BigInt(sizes[i] as number), caller);
    return structs[i];
  });
  areas.forEach((area, i) => {
    (structs[i] as VmStruct).area = area;
  });
  return structs;
}

/**
 * A copy of a caller's window: its members may be getters that change.
 *
 * @throws VmError `EINVAL` when it is not a window, or reaches into the direct map; `ERANGE` when it is
 *   outside 64 bits, or the root does not translate it.
 */
export function checkedWindow(space: KernelSpace, given: AddressWindow): AddressWindow {
  const window = checkWindow(given, 'the window');
  space.requireTranslated(window, 'the window');
  const { directMap } = space;
  if (directMap !== null && window.start < directMap.end && window.end > directMap.start)
    throw new VmError('EINVAL', `the window overlaps the direct map at ${hex(directMap.start)}`, {
      address: window.start,
    });
  return window;
}
