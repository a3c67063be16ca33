import { checkAddress, checkEnd, requireOnPage } from '../../check/address.js';
import { VmError, wideHex } from '../../errors.js';
import { counted } from '../../prints.js';
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
    throw new VmError('EINVAL', 'this is not a vm area of this address space', {
      advice: 'getVmArea and findVmArea return one',
    });
  space.threads?.look();
  if (!vm.isLive) throw new VmError('EINVAL', 'the area was freed', { address: vm.area.address });
  requireNoArray(vm);
  return vm;
}

/**
 * The area that holds an address, in its usable bytes or its guard; `null` for none, or for a range of
 * `vmMapRam`.
 *
 * @throws VmError `EINVAL`, `ERANGE` for an invalid address; `EINVAL` when the space was destroyed.
 */
export function areaAt(space: KernelSpace, address: bigint): VmStruct | null {
  space.look();
  checkAddress(address);
  return structOf(space.areas.find(address));
}

/**
 * The area that begins at an address. Linux accepts any page inside instead, and frees the whole area.
 *
 * @throws VmError `EINVAL` when none begins there; `ERANGE` for an address outside 64 bits.
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
 * @throws VmError `EINVAL` when there is no area; `ERANGE` for an address outside 64 bits.
 */
export function areaHolding(space: KernelSpace, address: bigint): VmStruct {
  const vm = areaAt(space, address);
  if (vm !== null) return vm;
  throw new VmError('EINVAL', 'no vm area holds the address', {
    address,
    advice: 'reserve one with getVmArea, vmalloc or a similar call',
  });
}

/** A range of whole pages, checked. */
export interface CheckedRange {
  readonly start: bigint;
  /** The address after the last byte. */
  readonly end: bigint;
  readonly bytes: bigint;
  readonly pages: number;
}

/**
 * Checks the ends of a range: whole pages, at least one. A call does it once. Then `requireArea` finds the
 * area.
 *
 * @throws VmError `EINVAL` for anything but such a range; `ERANGE` when an end is outside 64 bits. The end
 *   may be 2^64.
 */
export function checkRange(space: KernelSpace, start: bigint, end: bigint): CheckedRange {
  checkAddress(start);
  checkEnd(end);
  if (end <= start)
    throw new VmError('EINVAL', `the range ends at ${wideHex(end)}, at or before its start`, {
      address: start,
    });
  requireOnPage(start, space.pages);
  requireOnPage(end, space.pages);
  const bytes = end - start;
  return { start, end, bytes, pages: Number(bytes >> BigInt(space.pageShift)) };
}

/**
 * Requires one live area that holds a range. Its guard does not count. A call checks it after the caller's
 * code has run.
 *
 * @param removes - whether the call may remove mappings.
 * @throws VmError `EINVAL` for a range that begins in no area, or in one that maps by itself; `ERANGE` when
 *   it leaves the area.
 */
export function requireArea(space: KernelSpace, { start, end }: CheckedRange, removes = false): void {
  const vm = areaHolding(space, start);
  requireInside(vm, start, end);
  requireOwnHands(vm);
  if (removes) space.threads?.requireUnowned(vm);
}

/** @throws VmError `ERANGE` when a range leaves the usable bytes of an area. */
export function requireInside(vm: VmStruct, start: bigint, end: bigint): void {
  const { address, bytes } = vm.area;
  if (start >= address && end <= address + bytes) return;
  throw new VmError('ERANGE', `the range up to ${wideHex(end)} leaves ${nameOf(vm)}`, {
    address: start,
    advice: 'its guard is never mapped',
  });
}

/** @throws VmError `EINVAL` when a list does not have one frame for each page. */
export function requireCount(frames: number, pages: number): void {
  if (frames !== pages)
    throw new VmError('EINVAL', `${counted(frames, 'frame')} for ${counted(pages, 'page')}`, {
      advice: 'pass one frame for each page',
    });
}
