import { checkAddress } from '../../check/address.js';
import { checkBytes } from '../../check/bytes.js';
import { integerOption } from '../../check/members.js';
import { shown, VmError } from '../../errors.js';
import { type MappableRegion, regionBehind } from '../../space/faces.js';
import { areaHolding } from '../areas/places.js';
import { nameOf, requireNoArray } from '../areas/vm-struct.js';
import { VM_DMA_COHERENT, VM_USERMAP } from '../flags.js';
import type { KernelSpace } from '../kernel-space.js';
import { stretchesOf } from '../permissions/set-memory.js';

/** Most pages of one call. Each needs an entry of its own. */
const MOST_PAGES = 1 << 26;

/**
 * `remap_vmalloc_range_partial`: maps pages of an area into a region of a process, all or none.
 *
 * Source: Linux 6.12, `remap_vmalloc_range_partial` in `mm/vmalloc.c`, and `vm_insert_page` in `mm/memory.c`.
 *
 * @param region - of a process.
 * @param at - first user address; `null` for the start of the region.
 * @param address - any page of the area.
 * @param pgoff - pages to skip from there.
 * @param size - bytes, rounded up to pages; `null` for all of the region.
 */
export function remapVmallocRange(
  space: KernelSpace,
  region: MappableRegion,
  at: bigint | null,
  address: bigint,
  pgoff: number,
  size: number | bigint | null,
): void {
  const user = regionBehind(region);
  const to = at ?? user.start;
  checkAddress(to, 'the user address');
  if (user.kernel !== space)
    throw new VmError('EINVAL', 'the region belongs to a process of another kernel', { address: user.start });
  integerOption({ pgoff }, 'pgoff', 0, Number.MAX_SAFE_INTEGER);
  checkAddress(address);
  const bytes = space.wholePages(checkBytes(size ?? user.end - user.start, 'size'));
  for (const one of [to, address])
    if ((one & (space.pages - 1n)) !== 0n)
      throw new VmError('EINVAL', `${shown(one)} is not a multiple of the page size`);
  const vm = areaHolding(space, address);
  requireNoArray(vm);
  if ((vm.flags & (VM_USERMAP | VM_DMA_COHERENT)) === 0)
    throw new VmError('EINVAL', `${nameOf(vm)} cannot be mapped for users`, {
      address,
      advice: 'allocate it with vmallocUser',
    });
  const from = address + BigInt(pgoff) * space.pages;
  if (from < vm.area.address || from + bytes > vm.area.address + vm.area.bytes)
    throw new VmError('EINVAL', `${bytes} bytes from page ${pgoff} on leave ${nameOf(vm)}`, { address });
  const pages = Number(bytes >> BigInt(space.pageShift));
  const stretches = stretchesOf(space, from, from + bytes);
  if (pages > MOST_PAGES)
    throw new VmError('E2BIG', `${pages} pages are more than one call maps`, { address });
  const frames = new Float64Array(pages);
  let i = 0;
  for (const { first, count } of stretches) for (let k = 0; k < count; k++) frames[i++] = first + k;
  user.insert(to, frames);
}
