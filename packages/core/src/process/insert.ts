import { checkAddress, requireOnPage } from '../check/address.js';
import { VmError } from '../errors.js';
import { insertFrame } from './fault.js';
import { isMapped, requireMappable, unmapPages } from './pages.js';
import type { ProcessSpace } from './process-space.js';
import { VM_DONTDUMP, VM_DONTEXPAND, VM_MIXEDMAP, VM_PFNMAP } from './region-flags.js';
import type { RegionRecord } from './region-record.js';

/**
 * `vm_insert_page`, or `vmf_insert_pfn` in a region with VM_PFNMAP.
 *
 * Source: Linux 6.12, `vm_insert_page` and `insert_page` in `mm/memory.c`.
 */
export function insertPage(space: ProcessSpace, region: RegionRecord, address: bigint, pfn: number): void {
  checkAddress(address);
  space.requireRegion(region);
  const page = space.pageOf(address);
  requireInside(space, region, address, page, page + 1);
  requireMappable(space, region, pfn);
  space.lock.change(() => {
    space.requireRegion(region);
    requireInside(space, region, address, page, page + 1);
    space.requireKnown([region]);
    if (isMapped(space, page)) throw occupied(space, page);
    insertFrame(space, region, page, pfn, false);
    mark(space, region, VM_MIXEDMAP);
  });
}

/** Inserts a list of frames from an address on, all or none, as `remap_vmalloc_range` needs it. */
export function insertAll(space: ProcessSpace, region: RegionRecord, at: bigint, frames: Float64Array): void {
  const first = space.pageOf(at);
  requireInside(space, region, at, first, first + frames.length);
  for (const pfn of frames) requireMappable(space, region, pfn);
  space.lock.change(() => {
    space.requireRegion(region);
    requireInside(space, region, at, first, first + frames.length);
    space.requireKnown([region]);
    for (let i = 0; i < frames.length; i++) if (isMapped(space, first + i)) throw occupied(space, first + i);
    let done = 0;
    try {
      for (; done < frames.length; done++)
        insertFrame(space, region, first + done, frames[done] as number, false);
    } catch (error) {
      // The pages were valid for a moment, so they need a flush.
      if (done > 0) unmapPages(space, [region], first, first + done, true);
      throw error;
    }
    mark(space, region, VM_MIXEDMAP | VM_DONTEXPAND | VM_DONTDUMP);
  });
}

function mark({ list }: ProcessSpace, region: RegionRecord, bits: number): void {
  const added = (region.bits & VM_PFNMAP) === 0 ? bits : bits & ~VM_MIXEDMAP;
  if ((region.bits & added) === added) return;
  region.bits |= added;
  list.isChanged = true;
}

/** @throws VmError `EINVAL` for an address that is not on a page; `EFAULT` outside of the region. */
function requireInside(
  space: ProcessSpace,
  region: RegionRecord,
  address: bigint,
  first: number,
  end: number,
): void {
  requireOnPage(address, space.pages);
  if (address >= space.user.taskSize || first < region.first || end > region.end)
    throw new VmError('EFAULT', `${end - first} pages do not fit the region`, { address });
}

function occupied(space: ProcessSpace, page: number): VmError {
  return new VmError('EBUSY', 'the page is mapped already', { address: space.addressOf(page) });
}
