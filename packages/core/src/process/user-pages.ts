import { integerOption } from '../check/members.js';
import { takePages } from '../table/change/remove/take.js';
import type { PageTable } from '../table/page-table.js';
import { KernelHalf } from './kernel-half.js';
import type { ProcessKernel } from './options.js';

/** The user pages of a process that this thread may not have: what a driver needs that takes pages away from all processes. */
export class UserPages {
  readonly #half: KernelHalf;
  readonly #table: PageTable;

  /** @internal */
  constructor(half: KernelHalf, table: PageTable) {
    this.#half = half;
    this.#table = table;
  }

  /** The frame that a page maps; -1 for none. */
  frameAt(page: number): number {
    const { pageShift } = this.#half.space;
    return this.#table.translateWords(Math.floor(page / 2 ** (32 - pageShift)) | 0, (page << pageShift) | 0);
  }

  /**
   * Unmaps what pages map (zap_page_range_single), with one flush for all threads, and lets go of the frames after it. It takes no lock of
   * the process: the caller knows that they are its own region's until `RegionOperations.close` of it has returned.
   *
   * Use it for regions whose frames come from the allocator of the kernel, are counted, and are not anonymous.
   *
   * @param first - a page: the address divided by the page size.
   * @param pages - how many.
   * @returns how many were mapped.
   * @throws VmError `EINVAL` for numbers that are none; `ERANGE` beyond the user addresses; what the sink of this thread throws: nothing
   *   has then changed.
   */
  zap(first: number, pages: number): number {
    integerOption({ first }, 'first', 0, Number.MAX_SAFE_INTEGER);
    integerOption({ pages }, 'pages', 1, Number.MAX_SAFE_INTEGER);
    const { references, zeroFrame } = this.#half;
    const { pageShift } = this.#half.space;
    if (pages === 1) {
      const pfn = this.#table.unmapWords(
        Math.floor(first / 2 ** (32 - pageShift)) | 0,
        (first << pageShift) | 0,
      );
      if (pfn < 0) return 0;
      if (pfn !== zeroFrame && references.covers(pfn)) references.put(pfn);
      return 1;
    }
    const { frames } = takePages(this.#table, [{ first, pages }], false);
    for (const pfn of frames) if (pfn !== zeroFrame && references.covers(pfn)) references.put(pfn);
    return frames.length;
  }
}

/**
 * The user pages of a process by its number, in any thread that has the kernel.
 *
 * @param kernel - an `AddressSpace`.
 * @param process - `Process.number`.
 * @returns `null` when the process is gone.
 * @throws VmError `EINVAL` for no kernel, or where this thread lacks the format of user addresses: pass it to `attach` in `formats`.
 * @example
 * ```ts
 * // For each region that maps the device: its process's number and its first page, noted in `RegionOperations.mmap`.
 * userPagesOf(kernel, number)?.zap(firstPage + slot, 1);
 * ```
 */
export function userPagesOf(kernel: ProcessKernel, process: number): UserPages | null {
  const half = KernelHalf.of(kernel);
  const table = half.list.tableOf(process);
  return table === null ? null : new UserPages(half, table);
}

/** How often processes map each counted frame of the kernel's allocator, by frame. */
export function mappingsIn({
  list,
  user,
  references,
  specialBit,
  zeroFrame,
}: KernelHalf): Map<number, number> {
  const found = new Map<number, number>();
  list.eachTable((table) => {
    for (const { pfn, count, flags } of table.leaves(0n, user.taskSize)) {
      if ((flags & specialBit) !== 0n) continue;
      for (let frame = pfn; frame < pfn + count; frame++)
        if (references.covers(frame)) found.set(frame, (found.get(frame) ?? 0) + 1);
    }
  });
  found.delete(zeroFrame);
  return found;
}

/**
 * How often the processes of a kernel map each frame of its allocator: for the recovery of a driver whose frames they map. A thread that died may
 * have left a reference too many of such a frame: those beyond its mappings and the driver's own can be put.
 *
 * @param kernel - an `AddressSpace`.
 * @returns by frame. Frames that nobody counts are left out.
 * @throws VmError as `userPagesOf`.
 */
export function userMappings(kernel: ProcessKernel): ReadonlyMap<number, number> {
  return mappingsIn(KernelHalf.of(kernel));
}
