import { copyFrames, type FrameArray, type FrameList, frameCount } from '../../check/frames.js';
import { VmError } from '../../errors.js';
import type { Protection } from '../../format/protection.js';
import type { MapPiece } from '../../table/options.js';
import { areaFrom } from '../areas/places.js';
import { cancel, endFreeing, freeVmArea, reserve } from '../areas/reserve.js';
import type { VmStruct } from '../areas/vm-struct.js';
import { checkFlags, VM_FLUSH_RESET_PERMS, VM_IOREMAP, VM_MAP_PUT_PAGES, VM_NO_GUARD } from '../flags.js';
import type { KernelSpace } from '../kernel-space.js';
import type { CallerOptions } from '../options.js';
import { hugeShift, largeShifts } from './large-leaves.js';

/** `vmap`. */
export function vmap(
  space: KernelSpace,
  frames: FrameList,
  flags: number,
  protection: Protection,
  options: CallerOptions,
): VmStruct {
  checkFlags(flags);
  for (const [flag, name] of [
    [VM_FLUSH_RESET_PERMS, 'VM_FLUSH_RESET_PERMS'],
    [VM_NO_GUARD, 'VM_NO_GUARD'],
  ] as const)
    if ((flags & flag) !== 0) throw new VmError('EINVAL', `vmap does not accept ${name}`);
  if ((flags & VM_MAP_PUT_PAGES) !== 0 && (flags & VM_IOREMAP) !== 0)
    throw new VmError('EINVAL', 'a device range cannot own pages', { advice: 'leave out one of the flags' });
  const length = frameCount(frames);
  space.machine.requireAtMost(length);
  const list = copyFrames(frames, length, space.pfnLimit);
  return space.change(() => {
    const withoutExecute = space.withoutExecute(protection);
    if ((flags & VM_MAP_PUT_PAGES) !== 0) space.machine.owners.checkGiven(list);
    const vm = reserveAligned(space, length, flags, options);
    try {
      mapList(space, vm.area.address, list, withoutExecute);
    } catch (error) {
      cancel(space, vm);
      throw error;
    }
    if ((flags & VM_MAP_PUT_PAGES) !== 0) {
      vm.owned = { heads: list, order: 0 };
      vm.ownedPages = length;
      space.machine.owners.take(vm.owned);
    }
    return vm;
  });
}

/** `vunmap`. Frames stay with their owner. */
export function vunmap(space: KernelSpace, address: bigint, what: string): void {
  endFreeing(space, freeVmArea(space, areaFrom(space, address, what)));
}

/** `vmap_pfn`: frames that are not memory, with base pages, naturally aligned. */
export function vmapPfn(
  space: KernelSpace,
  pfns: FrameList,
  protection: Protection,
  options: CallerOptions,
): VmStruct {
  const length = frameCount(pfns);
  // Device frames are limited by addresses, not by memory. A list as long as the window would not fit in
  // memory.
  if (length > 2 ** 30) throw new VmError('E2BIG', `${length} pages are more than one call maps`);
  const list = copyFrames(pfns, length, space.pfnLimit);
  return space.change(() => {
    const withoutExecute = space.withoutExecute(protection);
    const ram = list.find((pfn) => space.machine.holds(pfn));
    if (ram !== undefined)
      throw new VmError('EINVAL', `frame 0x${ram.toString(16)} is memory`, {
        advice: 'vmapPfn is for devices; use vmap',
      });
    const special = Object.freeze({
      ...withoutExecute,
      extra: withoutExecute.extra | (space.linux.specialBit ?? 0n),
    });
    const vm = reserve(space, { ...options, size: length * space.pageBytes, flags: VM_IOREMAP });
    try {
      space.table.map(vm.area.address, list, special, space.capsOf([], 0));
    } catch (error) {
      cancel(space, vm);
      throw error;
    }
    return vm;
  });
}

/**
 * Reserves addresses for a `vmap`. Since 2026 they are aligned to the leaf that it may get, or to a smaller
 * one when nothing fits.
 */
function reserveAligned(space: KernelSpace, pages: number, flags: number, options: CallerOptions): VmStruct {
  const size = pages * space.pageBytes;
  const request = { ...options, size, flags };
  if (space.release === '6.12') return reserve(space, request);
  for (const shift of largeShifts(space, BigInt(size))) {
    try {
      return reserve(space, { ...request, align: 1n << BigInt(shift) });
    } catch (error) {
      if (!(error instanceof VmError) || error.code !== 'ENOMEM') throw error;
    }
  }
  return reserve(space, request);
}

function mapList(space: KernelSpace, va: bigint, list: FrameArray, protection: Protection): void {
  const { vmap: shifts } = space.linux.leaves;
  if (space.release === '6.12') {
    space.table.map(va, list, protection, space.capsOf(shifts, 63));
    return;
  }
  space.table.mapMany(
    batches(space, list).map(
      ({ from, to, shift }): MapPiece => ({
        va: va + (BigInt(from) << BigInt(space.pageShift)),
        frames: list.subarray(from, to),
        protection,
        options: space.capsOf(space.linux.leaves.vmalloc, shift),
      }),
    ),
  );
}

/** Pages of a list that are mapped with one cap. */
interface Batch {
  readonly from: number;
  readonly to: number;
  readonly shift: number;
}

/**
 * How a list is split (vmap_pages_range_batched). Adjacent, naturally aligned frames of one order form a
 * batch. From the first page that belongs to none, the rest are base pages.
 */
function batches(space: KernelSpace, list: FrameArray): Batch[] {
  const found: Batch[] = [];
  let from = 0;
  let shift = 0;
  for (let i = 0; ; ) {
    const order = i < list.length ? batchOrder(space, list, i) : 0;
    if (i > from && (order === 0 || order + space.pageShift !== shift)) {
      found.push({ from, to: i, shift });
      from = i;
    }
    if (order === 0) break;
    shift = order + space.pageShift;
    i += 2 ** order;
  }
  if (from < list.length) found.push({ from, to: list.length, shift: space.pageShift });
  return found;
}

/** log2 of the pages, from one on, that may be mapped together (get_vmap_batch_order). */
function batchOrder(space: KernelSpace, list: FrameArray, at: number): number {
  const first = list[at] as number;
  let most = list.length - at;
  if (first !== 0) {
    let natural = 1;
    while (natural < most && first % (2 * natural) === 0) natural *= 2;
    most = Math.min(most, natural);
  }
  let adjacent = 1;
  while (adjacent < most && list[at + adjacent] === first + adjacent) adjacent++;
  if (adjacent < 2) return 0;
  const order = Math.floor(Math.log2(adjacent));
  return hugeShift(space, BigInt(2 ** order * space.pageBytes)) === space.pageShift ? 0 : order;
}
