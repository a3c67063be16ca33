import type { Protection } from '../../format/protection.js';
import type { SharedRegionSpace } from '../process-list.js';
import { ACCESS, VM_SHARED } from '../region-flags.js';

/** The pages of a process that are mapped outside of its regions. */
export function outsideOf(space: SharedRegionSpace): number[] {
  const pages: number[] = [];
  for (const { va, count } of space.table.leaves(0n, space.user.taskSize)) {
    const first = space.pageOf(va);
    for (let page = first; page < first + count; page++) if (space.list.at(page) === null) pages.push(page);
  }
  return pages;
}

/**
 * Takes rights from pages that their regions do not give: an mprotect may have changed them, and died. Private pages cannot be written
 * until the next write of each asks.
 */
export function restrict(space: SharedRegionSpace): void {
  for (const { first, end, bits, isShared } of space.list.all) {
    const { read, write, execute, user } = space.user.protections[
      (bits & ACCESS) | (isShared ? VM_SHARED : 0)
    ] as Protection;
    const va = space.addressOf(first);
    space.table.protect(va, space.addressOf(end) - va, { read, write, execute, user });
  }
}
