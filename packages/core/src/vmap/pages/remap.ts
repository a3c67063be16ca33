import { checkAddress } from '../../check/address.js';
import { checkBytes } from '../../check/bytes.js';
import { integerOption, wrongValue } from '../../check/members.js';
import { checkWindow } from '../../check/window.js';
import { shown, VmError } from '../../errors.js';
import type { Protection } from '../../format/protection.js';
import type { PageTable } from '../../table/page-table.js';
import { areaHolding } from '../areas/places.js';

import { nameOf, requireNoArray } from '../areas/vm-struct.js';
import { VM_DMA_COHERENT, VM_USERMAP } from '../flags.js';
import type { KernelSpace } from '../kernel-space.js';
import { stretchesOf } from '../permissions/set-memory.js';

/** Most pages of one call. Each needs an entry of its own. */
const MOST_PAGES = 1 << 26;

/** A range of user addresses, and the tables to map it in. It stands for Linux's `struct vm_area_struct`. */
export interface UserRange {
  /** The user's tables. They have another root, and any format with the same page size. */
  readonly table: PageTable;
  /** First address. */
  readonly start: bigint;
  /** The byte after the last one. */
  readonly end: bigint;
  /** What the user may do (vm_page_prot). */
  readonly protection: Protection;
}

/** The names of `UserRange`. */
export const USER_RANGE = ['table', 'start', 'end', 'protection'] as const;

/**
 * `remap_vmalloc_range_partial`: maps pages of an area into user tables, all or none.
 *
 * @param at - first user address.
 * @param address - any page of the area.
 * @param pgoff - pages to skip from there.
 * @param size - bytes, rounded up to pages.
 */
export function remapVmallocRange(
  space: KernelSpace,
  user: UserRange,
  at: bigint,
  address: bigint,
  pgoff: number,
  size: number | bigint,
): void {
  const { table, protection } = user;
  if (typeof table?.map !== 'function') throw wrongValue('table', table, 'a PageTable of the user');
  const { start, end } = checkWindow({ start: user.start, end: user.end }, 'the user range', '');
  checkAddress(at, 'the user address');
  if (table.format?.pageShift !== space.pageShift)
    throw new VmError('EINVAL', 'the page size of the user tables is different');
  const vm = areaHolding(space, address);
  requireNoArray(vm);
  if ((vm.flags & (VM_USERMAP | VM_DMA_COHERENT)) === 0)
    throw new VmError('EINVAL', `${nameOf(vm)} cannot be mapped for users`, {
      address,
      advice: 'allocate it with vmallocUser',
    });
  integerOption({ pgoff }, 'pgoff', 0, Number.MAX_SAFE_INTEGER);
  for (const one of [at, address])
    if ((one & (space.pages - 1n)) !== 0n)
      throw new VmError('EINVAL', `${shown(one)} is not a multiple of the page size`);
  const bytes = space.wholePages(checkBytes(size, 'size'));
  const from = address + BigInt(pgoff) * space.pages;
  if (from < vm.area.address || from + bytes > vm.area.address + vm.area.bytes)
    throw new VmError('EINVAL', `${bytes} bytes from page ${pgoff} on leave ${nameOf(vm)}`, { address });
  if (at < start || at + bytes > end)
    throw new VmError('EINVAL', `${bytes} bytes do not fit the user range`, { address: at });
  const pages = Number(bytes >> BigInt(space.pageShift));
  const stretches = stretchesOf(space, from, from + bytes);
  if (pages > MOST_PAGES)
    throw new VmError('E2BIG', `${pages} pages are more than one call maps`, { address });
  const frames = new Float64Array(pages);
  let i = 0;
  for (const { first, count } of stretches) for (let k = 0; k < count; k++) frames[i++] = first + k;
  table.map(at, frames, protection, { maxLeafShift: space.pageShift });
}
