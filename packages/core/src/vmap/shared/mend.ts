import { narrowed } from '../../check/frames.js';
import { remove } from '../areas/reserve.js';
import type { VmStruct } from '../areas/vm-struct.js';
import { type KernelSpace, structOf } from '../kernel-space.js';
import { faultsOf, headsIn, type SpaceFault } from './faults.js';

/** What a recovery did. */
export interface SpaceMend {
  /** What was wrong. */
  readonly found: readonly SpaceFault[];
  /** First bytes of areas that a dead thread was freeing, and that are free now. */
  readonly freed: readonly bigint[];
  /** First bytes of areas that a dead thread was shrinking, and that have fewer pages now. */
  readonly shrunk: readonly bigint[];
}

/**
 * Ends what dead threads began. Under the log's lock, with no other thread in a call.
 *
 * - Leaves outside live areas go: their call died before it was published. Their frames stay allocated.
 * - An area that owns pages it does not map was being freed, or shrunk. This is ended: no other call removes
 *   such pages.
 */
export function mendSpace(space: KernelSpace): SpaceMend {
  const found = faultsOf(space);
  const freed: bigint[] = [];
  const shrunk: bigint[] = [];
  for (const { kind, address, pages } of found)
    if (kind === 'leaf-outside' || kind === 'guard-mapped')
      space.table.unmap(address, BigInt(pages) * space.pages);
  for (const { kind, address } of found) {
    const vm = kind === 'owned-missing' ? structOf(space.areas.find(address)) : null;
    // The array of an area's pages goes with that area.
    if (vm === null || !vm.isLive) continue;
    const heads = headsIn(space, vm);
    if (isHead(vm, heads)) shrunk.push(endShrinking(space, vm, heads.length));
    else freed.push(...endFreeing(space, vm));
  }
  return { found, freed, shrunk };
}

/** True when exactly the first pages of an area are left: an unmapping goes from the first page on. */
function isHead(vm: VmStruct, heads: readonly { readonly page: number }[]): boolean {
  return vm.owned?.order === 0 && !vm.isArray && heads.length > 0 && heads.at(-1)?.page === heads.length - 1;
}

function endShrinking(space: KernelSpace, vm: VmStruct, pages: number): bigint {
  vm.owned = { heads: narrowed(Float64Array.from(headsIn(space, vm), ({ frame }) => frame)), order: 0 };
  vm.ownedPages = pages;
  const bytes = BigInt(pages) * space.pages;
  if (vm.requestedBytes > bytes) vm.requestedBytes = bytes;
  return vm.area.address;
}

/** Frees an area, and what is left of its frames. */
function endFreeing(space: KernelSpace, vm: VmStruct): bigint[] {
  const { owners, ram } = space.machine;
  const { array, owned } = vm;
  const order = owned?.order ?? 0;
  const left = headsIn(space, vm).filter(({ frame }) => owners.owns(frame) && ram.isAllocated(frame, order));
  remove(space, vm);
  owners.free({ heads: narrowed(Float64Array.from(left, ({ frame }) => frame)), order });
  return [vm.area.address, ...(array === null || !array.isLive ? [] : endFreeing(space, array))];
}
