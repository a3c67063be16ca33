import type { VmStruct } from '../areas/vm-struct.js';
import type { KernelSpace } from '../kernel-space.js';

/** Frames of adjacent pages that are mapped. */
export interface MappedStretch {
  /** First page of the area, and pages. */
  readonly page: number;
  readonly count: number;
  /** First frame. */
  readonly first: number;
}

/** What pages of an area map, in order. It reads the tables. */
export function* mappedStretches(
  space: KernelSpace,
  vm: VmStruct,
  page: number,
  count: number,
): Generator<MappedStretch> {
  const shift = BigInt(space.pageShift);
  const { address } = vm.area;
  const start = address + (BigInt(page) << shift);
  for (const leaf of space.table.leaves(start, BigInt(count) << shift)) {
    const from = Number((leaf.va - address) >> shift);
    const to = from + Number((BigInt(leaf.count) << BigInt(leaf.leafShift)) >> shift);
    const first = Math.max(from, page);
    const end = Math.min(to, page + count);
    if (first < end) yield { page: first, count: end - first, first: leaf.pfn + (first - from) };
  }
}

/** Pages of an area, and how many of them are mapped now. */
export function populatedPages(
  space: KernelSpace,
  vm: VmStruct,
): { readonly pages: number; readonly populated: number; readonly peak: number } {
  const pages = Number(vm.area.bytes >> BigInt(space.pageShift));
  let populated = 0;
  for (const { count } of mappedStretches(space, vm, 0, pages)) populated += count;
  return { pages, populated, peak: populated };
}
