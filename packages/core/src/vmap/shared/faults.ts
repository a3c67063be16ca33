import type { Area } from '../../area/area.js';
import { VmapBlocks } from '../../area/vmap-blocks.js';
import type { VmStruct } from '../areas/vm-struct.js';
import { type KernelSpace, structOf } from '../kernel-space.js';
import { mappedStretches } from './chunk-tables.js';

/**
 * What is wrong at an address:
 *
 * - `leaf-outside`: pages are mapped where no live area, and no live range of `vmMapRam`, is.
 * - `guard-mapped`: pages of an area's guard are mapped.
 * - `overlap`: an area begins before the one before it ends.
 * - `owned-missing`: an area owns pages that it does not map.
 * - `not-marked`: an area owns frames that are not marked as owned, or are not allocated.
 */
export type SpaceFaultKind = 'leaf-outside' | 'guard-mapped' | 'overlap' | 'owned-missing' | 'not-marked';

/** Something wrong in an address space. */
export interface SpaceFault {
  readonly kind: SpaceFaultKind;
  /** First byte. */
  readonly address: bigint;
  /** How many pages. */
  readonly pages: number;
  /** First frame of what is mapped or owned; -1 for none. */
  readonly frame: number;
}

/** A range where pages may be mapped. */
interface Usable {
  readonly start: bigint;
  readonly end: bigint;
}

/** Finds all that is wrong, by address. */
export function faultsOf(space: KernelSpace): SpaceFault[] {
  const areas = [...space.areas];
  return [
    ...overlaps(space, areas),
    ...leavesOutside(space, areas),
    ...areas.flatMap((area) => {
      const vm = structOf(area);
      return vm === null ? [] : ownedFaults(space, vm);
    }),
  ].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
}

/** Blocks of frames that an area owns, as far as they are mapped: page and first frame. */
export function headsIn(
  space: KernelSpace,
  vm: VmStruct,
): { readonly page: number; readonly frame: number }[] {
  const size = 2 ** (vm.owned?.order ?? 0);
  const found: { page: number; frame: number }[] = [];
  for (const { page, count, first } of mappedStretches(space, vm, 0, vm.ownedPages))
    for (let i = 0; i < count; i++)
      if ((page + i) % size === 0) found.push({ page: page + i, frame: first + i });
  return found;
}

function overlaps(space: KernelSpace, areas: readonly Area[]): SpaceFault[] {
  const found: SpaceFault[] = [];
  let end = 0n;
  for (const { address, bytes, guardBytes } of areas) {
    if (address < end)
      found.push({
        kind: 'overlap',
        address,
        pages: Number((end - address) >> BigInt(space.pageShift)),
        frame: -1,
      });
    const last = address + bytes + BigInt(guardBytes);
    if (last > end) end = last;
  }
  return found;
}

/** Leaves in the window that are in no usable range. */
function leavesOutside(space: KernelSpace, areas: readonly Area[]): SpaceFault[] {
  const { window } = space.linux;
  // A page that is only partly in the window is in no area.
  const start = space.wholePages(window.start);
  const end = window.end & ~(space.pages - 1n);
  const found: SpaceFault[] = [];
  let from = start;
  const guards = areas.map(({ address, bytes, guardBytes }) => ({
    start: address + bytes,
    end: address + bytes + BigInt(guardBytes),
  }));
  // Areas may lie outside the window, and reach over an end of it.
  const usable = areas.flatMap((area) => usableOf(space, area)).filter((range) => range.start < end);
  for (const range of [...usable, { start: end, end }]) {
    if (range.start > from) found.push(...leavesIn(space, from, range.start));
    if (range.end > from) from = range.end;
  }
  return found.map((fault) =>
    guards.some((guard) => fault.address >= guard.start && fault.address < guard.end)
      ? { ...fault, kind: 'guard-mapped' }
      : fault,
  );
}

function leavesIn(space: KernelSpace, start: bigint, end: bigint): SpaceFault[] {
  const shift = BigInt(space.pageShift);
  const found: SpaceFault[] = [];
  for (const { va, count, leafShift, pfn } of space.table.leaves(start, end - start)) {
    const pages = Number((BigInt(count) << BigInt(leafShift)) >> shift);
    found.push({ kind: 'leaf-outside', address: va, pages, frame: pfn });
  }
  return found;
}

/** Where an area may map: all of it, or the live ranges of a block. */
function usableOf(space: KernelSpace, area: Area): Usable[] {
  const block = VmapBlocks.partsOf(space.blocks).blocks.get(area.address);
  if (block?.area !== area) return [{ start: area.address, end: area.address + area.bytes }];
  return [...block.live]
    .sort(([a], [b]) => a - b)
    .map(([first, pages]) => {
      const start = area.address + BigInt(first) * space.pages;
      return { start, end: start + BigInt(pages) * space.pages };
    });
}

function ownedFaults(space: KernelSpace, vm: VmStruct): SpaceFault[] {
  const { owned, ownedPages, area } = vm;
  if (owned === null) return [];
  const { owners, ram } = space.machine;
  const found: SpaceFault[] = [];
  let mapped = 0;
  for (const { count } of mappedStretches(space, vm, 0, ownedPages)) mapped += count;
  if (mapped !== ownedPages)
    found.push({ kind: 'owned-missing', address: area.address, pages: ownedPages - mapped, frame: -1 });
  for (const { page, frame } of headsIn(space, vm))
    if (!owners.owns(frame) || !ram.isAllocated(frame, owned.order))
      found.push({
        ...({ kind: 'not-marked', address: area.address + BigInt(page) * space.pages } as const),
        pages: 2 ** owned.order,
        frame,
      });
  return found;
}
