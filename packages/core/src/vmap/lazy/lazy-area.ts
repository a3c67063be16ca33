import { checkBytes } from '../../check/bytes.js';
import { checkFunction } from '../../check/function.js';
import { integerOption } from '../../check/members.js';
import { VmError } from '../../errors.js';
import { checkProtection } from '../../format/protection.js';
import { counted, printsItself } from '../../prints.js';
import { isInside, pagesRefused } from '../areas/area-pages.js';
import { reserve } from '../areas/reserve.js';
import { pagesFrom, type VmArea } from '../areas/vm-area.js';
import type { LazyAreaStats, LazyGrowth, VmStruct } from '../areas/vm-struct.js';
import { VM_ALLOC } from '../flags.js';
import type { KernelSpace } from '../kernel-space.js';
import type { LazyAreaOptions } from '../options.js';
import { LazyPages } from './lazy-pages.js';

/**
 * vmalloc memory that gets pages only when it is used. Its addresses are reserved at once. Its pages come
 * chunk by chunk, by `touch`, `populate` or `AddressSpace.handleFault`, and go with `shrink`. Linux has no
 * such call.
 *
 * @example
 * ```ts
 * const log = kernel.getLazyArea(1n << 30n, { chunkShift: 21 });
 * kernel.handleFault(log.area.addr + 0x1234567n); // true: 2 MiB are there now
 * log.stats.populated; // 512
 * log.shrink(0, log.area.pages);
 * kernel.vfree(log.area.addr);
 * ```
 */
export class LazyArea {
  /** Its area. The handle's `map`, `unmap` and `protect` are refused: the lazy area does that itself. */
  readonly area: VmArea;
  readonly #space: KernelSpace;
  readonly #vm: VmStruct;
  readonly #pages: LazyGrowth;

  /** @internal */
  constructor(space: KernelSpace, vm: VmStruct, pages: LazyGrowth) {
    printsItself(new.target.prototype);
    this.area = space.handleOf(vm);
    this.#space = space;
    this.#vm = vm;
    this.#pages = pages;
  }

  /** Where it is, and how much of it is populated. */
  toString(): string {
    const { pages, populated, faults } = this.stats;
    const [place = '', ...rest] = String(this.area).split('\n');
    return [
      place.replace('VmArea', 'LazyArea'),
      ...rest,
      `  ${populated} of ${counted(pages, 'page')} are there, ${counted(faults, 'fault')}`,
    ].join('\n');
  }

  /** What it has done so far. */
  get stats(): LazyAreaStats {
    return this.#pages.stats;
  }

  /**
   * Populates the chunk that holds a page, as a use of the page would.
   *
   * @param page - offset in pages.
   * @returns true when it was missing.
   * @throws VmError `ERANGE` outside the area; `ENOMEM` when frames, frames of tables, or the limit are used
   *   up; what `populate` throws.
   */
  touch(page: number): boolean {
    this.#check(page, 1);
    return this.#inPages(() => this.#pages.touch(page));
  }

  /**
   * Populates all missing chunks of a range: all of them or none.
   *
   * @param page - offset of the first, in pages. Default: 0.
   * @param count - pages. Default: all from `page` on.
   * @throws VmError as `touch`; `ENOMEM` for more pages than there can be frames (with a `populate` function, than
   *   the machine has), and for more than 2^20 chunks.
   */
  populate(page: number = 0, count: number = pagesFrom(page, this.area.pages)): void {
    this.#check(page, count);
    this.#inPages(() => this.#pages.populate(page, count));
  }

  /**
   * Makes the tables of a range now, and takes frames for its pages when the area owns its frames. A later
   * use then needs no memory. With a `populate` function, the caller provides the frames. `shrink` gives
   * back what was taken.
   *
   * @param page - offset of the first, in pages. Default: 0.
   * @param count - pages. Default: all from `page` on.
   * @returns the number of tables made.
   * @throws VmError `ENOMEM` as `populate`: then nothing is taken.
   */
  prepare(page: number = 0, count: number = pagesFrom(page, this.area.pages)): number {
    this.#check(page, count);
    return this.#inPages(() => this.#pages.prepare(page, count));
  }

  /**
   * Gives back the chunks that lie wholly in a range: unmaps them, flushes once, then frees them.
   *
   * @param page - offset of the first, in pages. Default: 0.
   * @param count - pages. Default: all from `page` on.
   * @returns the number of pages given back.
   */
  shrink(page: number = 0, count: number = pagesFrom(page, this.area.pages)): number {
    this.#check(page, count);
    return this.#space.change(() => {
      this.#space.threads?.close(this.#vm);
      return this.#pages.shrink(page, count);
    });
  }

  #inPages<R>(call: () => R): R {
    return this.#space.changePages(() => this.#vm, call);
  }

  #check(page: number, count: number): void {
    const { pages } = this.area;
    if (!this.#vm.isLive || !isInside(page, count, pages)) throw pagesRefused(this.#vm, page, count, pages);
  }
}

/** Reserves a lazy area. */
export function getLazyArea(space: KernelSpace, size: number | bigint, options: LazyAreaOptions): LazyArea {
  const { chunkShift = space.pageShift, caller, limit, populate, release, frames } = options;
  integerOption({ chunkShift }, 'chunkShift', space.pageShift, space.pageShift + 18);
  if (limit !== undefined) checkBytes(limit, 'limit');
  for (const [name, call] of Object.entries({ populate, release }))
    if (call !== undefined) checkFunction(call, name);
  const isAllocator = typeof frames?.tryAllocate === 'function' && frames.pageShift === space.pageShift;
  if (frames !== undefined && (!isAllocator || frames.first + frames.frames > space.pfnLimit))
    throw new VmError(
      'EINVAL',
      '`frames` is not a FrameAllocator with the page size and frames of the format',
    );
  if (frames !== undefined) space.machine.requireOthers(frames, '`frames`');
  // Read now: nothing may be refused after the addresses are reserved.
  const protection = checkProtection(
    options.protection === undefined ? space.linux.protections.PAGE_KERNEL : options.protection,
  );
  const vm = reserve(space, {
    ...{ size, flags: VM_ALLOC, shift: chunkShift, align: 1n << BigInt(chunkShift) },
    ...(caller === undefined ? {} : { caller }),
  });
  if (frames !== undefined) space.noteAreas(frames);
  const given = { ...options, protection };
  const pages = space.threads?.makeGrowth(vm, given) ?? new LazyPages(space, vm, given);
  vm.lazy = pages;
  return new LazyArea(space, vm, pages);
}
