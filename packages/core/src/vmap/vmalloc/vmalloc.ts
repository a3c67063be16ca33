import { checkCaller } from '../../area/caller.js';
import type { AddressWindow } from '../../area/page-units.js';
import { checkAlign, checkBytes } from '../../check/bytes.js';
import { narrowed } from '../../check/frames.js';
import { flagOption } from '../../check/members.js';
import { VmError } from '../../errors.js';
import { checkProtection, type Protection } from '../../format/protection.js';
import { listOf, type OwnedFrames } from '../../space/frame-owners.js';
import type { MapPiece } from '../../table/options.js';
import { areaFrom } from '../areas/places.js';
import {
  cancel,
  checkedWindow,
  endFreeing,
  releaseLazy,
  remove,
  reserve,
  throwFirst,
} from '../areas/reserve.js';
import { nameOf, type VmStruct } from '../areas/vm-struct.js';
import {
  checkFlags,
  VM_ALLOC,
  VM_ALLOW_HUGE_VMAP,
  VM_FLUSH_RESET_PERMS,
  VM_IOREMAP,
  VM_SPARSE,
} from '../flags.js';
import type { KernelSpace } from '../kernel-space.js';
import type { VmallocRequest } from '../options.js';
import { zeroFrames } from '../pages/bytes.js';
import { hugeShift } from '../pages/large-leaves.js';
import { takeAliasAway } from '../permissions/direct-map.js';

/** Bytes of a pointer to a page, in the array of an area's pages. */
const POINTER_BYTES = 8;
/**
 * The largest block order here. Linux's page allocator stops earlier: 4 MiB with pages of 4 KiB
 * (MAX_PAGE_ORDER).
 */
const MAX_ORDER = 18;

/** A checked request, with defaults filled in. */
interface CheckedRequest {
  readonly size: number | bigint;
  readonly window: AddressWindow | undefined;
  readonly caller: string | undefined;
  readonly flags: number;
  readonly zero: boolean;
  readonly mayPurge: boolean;
  readonly protection: Protection;
}

/**
 * `__vmalloc_node_range`: reserves, allocates, maps. With VM_ALLOW_HUGE_VMAP it tries larger leaves first.
 *
 * @throws VmError `EINVAL` for an invalid request; `E2BIG` for more pages than the machine has; `ENOMEM`.
 */
export function vmallocNodeRange(space: KernelSpace, request: VmallocRequest): VmStruct {
  const { flags = 0, align = 1n } = request;
  const bytes = checkBytes(request.size, 'size');
  space.machine.requireAtMost(Number(space.wholePages(bytes) >> BigInt(space.pageShift)));
  if ((checkFlags(flags) & (VM_IOREMAP | VM_SPARSE)) !== 0)
    throw new VmError('EINVAL', 'vmalloc memory cannot have VM_IOREMAP or VM_SPARSE');
  checkAlign(align);
  // Checked before the search for addresses, which may purge.
  const protection = checkProtection(
    request.protection === undefined ? space.linux.protections.PAGE_KERNEL : request.protection,
  );
  // Read once, since the search may run twice.
  const window = request.window === undefined ? undefined : checkedWindow(space, request.window);
  const zero = flagOption(request, 'zero', false);
  const mayPurge = flagOption(request, 'mayPurge', true);
  const { size, caller } = request;
  if (caller !== undefined) checkCaller(caller);
  const checked: CheckedRequest = { size, window, caller, flags, zero, mayPurge, protection };
  const shift = (flags & VM_ALLOW_HUGE_VMAP) !== 0 ? hugeShift(space, bytes) : space.pageShift;
  if (shift === space.pageShift) return allocate(space, checked, shift, align);
  const aligned = align > 1n << BigInt(shift) ? align : 1n << BigInt(shift);
  const failed: VmStruct[] = [];
  try {
    return allocate(space, checked, shift, aligned, failed);
  } catch (error) {
    if (!(error instanceof VmError) || error.code !== 'ENOMEM') throw error;
  }
  return fallBack(space, checked, align, failed);
}

/**
 * Tries again with base pages. When Linux searches again, the addresses of the first attempt are not free
 * yet: they wait for a purge.
 */
function fallBack(
  space: KernelSpace,
  request: CheckedRequest,
  align: bigint,
  failed: readonly VmStruct[],
): VmStruct {
  let vm: VmStruct;
  try {
    vm = allocate(space, request, space.pageShift, align);
  } catch (error) {
    for (const one of failed) cancel(space, one);
    if (failed.length === 0 || !(error instanceof VmError) || error.code !== 'ENOMEM') throw error;
    // Without those addresses there may be room.
    return allocate(space, request, space.pageShift, align);
  }
  for (const one of failed) {
    one.isLive = false;
    // A purge that is due comes later: an error of its sink must not hide the new address.
    space.areas.free(one.area, false);
  }
  return vm;
}

/**
 * One attempt. It allocates everything, or leaves nothing but the reservations. These go to `failed` when it
 * is given, else they are undone.
 */
function allocate(
  space: KernelSpace,
  request: CheckedRequest,
  shift: number,
  align: bigint,
  failed: VmStruct[] | null = null,
): VmStruct {
  const { size, flags, window, caller, zero, mayPurge, protection } = request;
  const taken: { readonly vm: VmStruct; owned: OwnedFrames | null }[] = [];
  try {
    const vm = reserve(space, { size, align, shift, flags: flags | VM_ALLOC, caller, window, mayPurge });
    taken.push({ vm, owned: null });
    // The array of an area's pages is itself an area when it is longer than a page, and so on.
    for (let bytes = arrayBytes(space, vm); bytes > space.pageBytes; ) {
      const array = reserve(space, { size: bytes, flags: VM_ALLOC, caller, mayPurge });
      taken.push({ vm: array, owned: null });
      bytes = arrayBytes(space, array);
    }
    const pieces: MapPiece[] = [];
    for (let i = taken.length - 1; i >= 0; i--) {
      const one = taken[i] as (typeof taken)[number];
      const order = i === 0 ? shift - space.pageShift : 0;
      one.owned = takeFrames(space, one.vm, order);
      pieces.push({
        va: one.vm.area.address,
        frames: listOf(one.owned),
        protection: i === 0 ? protection : space.linux.protections.PAGE_KERNEL,
        options: space.capsOf(order === 0 ? [] : space.linux.leaves.vmalloc, i === 0 ? shift : 0),
      });
    }
    if (pieces.length === 1) {
      const { va, frames, options } = pieces[0] as MapPiece;
      space.table.map(va, frames, protection, options);
    } else space.table.mapMany(pieces);
    for (const [i, { vm: one, owned }] of taken.entries())
      own(space, one, owned as OwnedFrames, taken[i + 1]?.vm);
    if (zero) zeroFrames(space, vm.owned as OwnedFrames);
    return vm;
  } catch (error) {
    for (const { owned } of taken) if (owned !== null) space.machine.owners.free(owned);
    const mayFollow = error instanceof VmError && error.code === 'ENOMEM';
    for (const { vm } of taken.reverse()) {
      if (failed !== null && mayFollow) failed.push(vm);
      else cancel(space, vm);
    }
    throw error;
  }
}

function arrayBytes(space: KernelSpace, { area }: VmStruct): number {
  return Number(area.bytes >> BigInt(space.pageShift)) * POINTER_BYTES;
}

function own(space: KernelSpace, vm: VmStruct, owned: OwnedFrames, array: VmStruct | undefined): void {
  space.machine.owners.take(owned);
  vm.owned = owned;
  vm.ownedPages = owned.heads.length * 2 ** owned.order;
  vm.array = array ?? null;
  if (array !== undefined) array.isArray = true;
}

/** Takes blocks for all pages of an area: all or none. */
function takeFrames(space: KernelSpace, { area }: VmStruct, order: number): OwnedFrames {
  const { ram } = space.machine;
  const pages = Number(area.bytes >> BigInt(space.pageShift));
  if (order === 0) return { heads: narrowed(ram.allocateMany(pages)), order };
  if (order > MAX_ORDER) throw new VmError('ENOMEM', `no block has order ${order}`);
  const heads = new Float64Array(pages / 2 ** order);
  for (let i = 0; i < heads.length; i++) {
    const pfn = ram.tryAllocate(order);
    if (pfn >= 0) {
      heads[i] = pfn;
      continue;
    }
    for (let k = 0; k < i; k++) ram.free(heads[k] as number, order);
    throw new VmError('ENOMEM', `only ${i} of ${heads.length} blocks of order ${order} are free`);
  }
  return { heads: narrowed(heads), order };
}

/**
 * `vfree`. As in Linux, frames are free before their old translations are flushed; see `vmUnmapAliases`.
 *
 * @throws VmError `EINVAL` when no area begins at the address, it is a device range, or somebody else freed
 *   one of its frames.
 */
export function vfree(space: KernelSpace, address: bigint): void {
  const vm = areaFrom(space, address, 'vfree');
  if ((vm.flags & VM_IOREMAP) !== 0)
    throw new VmError('EINVAL', `${nameOf(vm)} is a device range`, { address, advice: 'iounmap it' });
  endFreeing(space, releaseArea(space, vm));
}

/**
 * Frees an area with all that it owns, without the purge that may be due.
 *
 * @returns what callers' functions threw, and the error of a frame that a sink freed. Everything else is freed
 *   all the same. The next purge makes a flush that failed.
 * @throws VmError `EINVAL` when somebody else freed a frame of it; `ENOMEM` when aliases cannot be split.
 *   Nothing is then changed.
 */
export function releaseArea(space: KernelSpace, vm: VmStruct): unknown[] {
  space.threads?.close(vm);
  checkOwned(space, vm);
  const errors = releaseLazy(space, vm);
  const alias = (vm.flags & VM_FLUSH_RESET_PERMS) !== 0 ? takeAliasAway(space, vm) : null;
  try {
    remove(space, vm);
    alias?.flush();
  } catch (error) {
    if (vm.isLive) throw error;
    errors.push(error);
  } finally {
    alias?.putBack();
  }
  if (vm.owned !== null) errors.push(...space.machine.owners.free(vm.owned));
  if (vm.array !== null) errors.push(...releaseArea(space, vm.array));
  return errors;
}

/** @throws VmError `EINVAL` when somebody else freed a frame of an area, or of the array of its pages. */
export function checkOwned(space: KernelSpace, vm: VmStruct): void {
  for (let one: VmStruct | null = vm; one !== null; one = one.array)
    if (one.owned !== null) space.machine.owners.checkAllocated(one.owned);
}

/**
 * `remove_vm_area`. The caller then owns what the area owned. Its array of pages is freed. A purge that is
 * due is left to a later call: an error of its sink must not hide the area.
 */
export function removeVmArea(space: KernelSpace, address: bigint): VmStruct {
  const vm = areaFrom(space, address, 'removeVmArea');
  space.threads?.close(vm);
  checkOwned(space, vm);
  const errors = releaseLazy(space, vm);
  remove(space, vm);
  if (vm.owned !== null) {
    const { heads, order } = vm.owned;
    space.machine.owners.release(vm.owned);
    // They are the caller's now.
    space.machine.ram.calls?.keep(heads, heads.length, order);
  }
  if (vm.array !== null) errors.push(...releaseArea(space, vm.array));
  throwFirst(errors);
  return vm;
}
