import { checkAddress } from '../../check/address.js';
import { hex, shown, VmError } from '../../errors.js';
import { type KernelSpace, structOf } from '../kernel-space.js';
import { isVmArea, structOfHandle, type VmArea } from './vm-area.js';
import { nameOf, requireNoArray, requireOwnHands, type VmStruct } from './vm-struct.js';

/**
 * The area behind a handle.
 *
 * @throws VmError `EINVAL` for anything but a handle, a handle of another space, or one whose area was
 *   freed.
 */
export function liveArea(space: KernelSpace, handle: VmArea): VmStruct {
  const vm = isVmArea(handle) ? structOfHandle(handle, space) : null;
  if (vm === null)
    throw new VmError('EINVAL', 'this is no vm area of this address space', {
      advice: 'getVmArea and findVmArea return one',
    });
  if (!vm.isLive) throw new VmError('EINVAL', 'the area was freed', { address: vm.area.address });
  requireNoArray(vm);
  return vm;
}

/**
 * The area that holds an address, in its usable bytes or its guard; `null` for none, or for a range of
 * `vmMapRam`.
 *
 * @throws VmError `EINVAL` for an invalid address.
 */
export function areaAt(space: KernelSpace, address: bigint): VmStruct | null {
  checkAddress(address);
  return structOf(space.areas.find(address));
}

/**
 * The area that begins at an address. Linux accepts any page inside instead, and frees the whole area.
 *
 * @throws VmError `EINVAL` when none begins there.
 */
export function areaFrom(space: KernelSpace, address: bigint, what: string): VmStruct {
  const vm = areaAt(space, address);
  if (vm !== null && vm.area.address === address) {
    requireNoArray(vm);
    return vm;
  }
  throw new VmError('EINVAL', `${what}: no vm area begins here`, {
    address,
    advice: vm === null ? 'it was freed, or never reserved' : `${nameOf(vm)} only holds the address`,
  });
}

/**
 * The area that holds an address.
 *
 * @throws VmError `EINVAL` for an invalid address, or when there is no area.
 */
export function areaHolding(space: KernelSpace, address: bigint): VmStruct {
  const vm = areaAt(space, address);
  if (vm !== null) return vm;
  throw new VmError('EINVAL', 'no vm area holds the address', {
    address,
    advice: 'getVmArea, vmalloc and their kin make one',
  });
}

/** The size of a range inside one area. */
export interface Place {
  readonly bytes: bigint;
  readonly pages: number;
}

/**
 * Checks the ends of a range: at least one page, and whole pages.
 *
 * @returns its pages.
 * @throws VmError `EINVAL`.
 */
export function checkRange(space: KernelSpace, start: bigint, end: bigint): number {
  checkAddress(start);
  if (typeof end !== 'bigint')
    throw new VmError('EINVAL', `the end is ${shown(end)}, expected bigint of bytes`);
  if (end <= start)
    throw new VmError('EINVAL', `the range ends at ${hex(end)}, before it has a page`, { address: start });
  for (const address of [start, end])
    if ((address & (space.pages - 1n)) !== 0n)
      throw new VmError('EINVAL', `the address is not a multiple of the page size ${hex(space.pages)}`, {
        address,
      });
  return Number((end - start) >> BigInt(space.pageShift));
}

/**
 * Finds the one live area that holds a range. Its guard does not count.
 *
 * @throws VmError `EINVAL` for a range that is misaligned, empty, or begins in no area; `ERANGE` when it
 *   leaves the area.
 */
export function placeOf(space: KernelSpace, start: bigint, end: bigint): Place {
  const pages = checkRange(space, start, end);
  const vm = areaHolding(space, start);
  requireInside(vm, start, end);
  requireOwnHands(vm);
  return { bytes: end - start, pages };
}

/** @throws VmError `ERANGE` when a range leaves the usable bytes of an area. */
export function requireInside(vm: VmStruct, start: bigint, end: bigint): void {
  const { address, bytes } = vm.area;
  if (start >= address && end <= address + bytes) return;
  throw new VmError('ERANGE', `the range up to ${hex(end)} leaves ${nameOf(vm)}`, {
    address: start,
    advice: 'its guard is never mapped',
  });
}

/** @throws VmError `EINVAL` when a list does not have one frame for each page. */
export function requireCount(frames: number, pages: number): void {
  if (frames !== pages)
    throw new VmError('EINVAL', `${frames} frames for ${pages} pages`, {
      advice: 'pass one frame for each page',
    });
}
