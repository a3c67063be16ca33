import { checkBytes } from '../../check/bytes.js';
import { shown, VmError } from '../../errors.js';
import { printsItself } from '../../prints.js';
import { checkProtection } from '../../table/arguments.js';
import { isInside, pagesRefused } from '../areas/area-pages.js';
import { reserve } from '../areas/reserve.js';
import { pagesFrom, type VmArea } from '../areas/vm-area.js';
import type { LazyAreaStats, VmStruct } from '../areas/vm-struct.js';
import { VM_ALLOC } from '../flags.js';
import type { KernelSpace } from '../kernel-space.js';
import type { LazyAreaOptions } from '../options.js';
import { LazyPages } from './lazy-pages.js';

/**
 * vmalloc memory that grows only when it is used: addresses are reserved at once, pages come chunk by chunk, by `touch`, by `populate`, or
 * by `AddressSpace.handleFault`, and go with `shrink`.
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
  /** Its place. `map`, `unmap` and `protect` of the handle are refused: the area does that itself. */
  readonly area: VmArea;
  readonly #space: KernelSpace;
  readonly #vm: VmStruct;
  readonly #pages: LazyPages;

  /** @internal */
  constructor(space: KernelSpace, vm: VmStruct, pages: LazyPages) {
    printsItself(new.target.prototype);
    this.area = space.handleOf(vm);
    this.#space = space;
    this.#vm = vm;
    this.#pages = pages;
  }

  /** Where it is, and how much of it is there. */
  toString(): string {
    const { pages, populated, faults } = this.stats;
    const [place = '', ...rest] = String(this.area).split('\n');
    return [
      place.replace('VmArea', 'LazyArea'),
      ...rest,
      `  ${populated} of ${pages} pages are there, ${faults} faults`,
    ].join('\n');
  }

  /** What it has done so far. */
  get stats(): LazyAreaStats {
    return this.#pages.stats;
  }

  /**
   * Populates the chunk that holds a page, as a use of it would.
   *
   * @param page - offset in pages.
   * @returns true when it was not there.
   * @throws VmError `ERANGE` outside the area, `ENOMEM` when frames, or those of tables, or the limit are used up; what `populate` throws.
   */
  touch(page: number): boolean {
    this.#check(page, 1);
    return this.#space.change(() => this.#pages.touch(page));
  }

  /**
   * Populates all chunks of a range that are missing: all of them or none.
   *
   * @param page - offset of the first, in pages. Default 0.
   * @param count - pages. Default all from there on.
   * @throws VmError as `touch`.
   */
  populate(page: number = 0, count: number = pagesFrom(page, this.area.pages)): void {
    this.#check(page, count);
    this.#space.change(() => this.#pages.populate(page, count));
  }

  /**
   * Makes the tables of a range now, and takes frames for its pages where the area owns them: using it later needs no memory. With
   * `populate` the frames are the caller's matter. `shrink` gives back what was taken.
   *
   * @param page - offset of the first, in pages. Default 0.
   * @param count - pages. Default all from there on.
   * @returns the number of tables made.
   * @throws VmError `ENOMEM`: then nothing is taken.
   */
  prepare(page: number = 0, count: number = pagesFrom(page, this.area.pages)): number {
    this.#check(page, count);
    return this.#space.change(() => this.#pages.prepare(page, count));
  }

  /**
   * Gives back what chunks of a range have, where the range holds all of the chunk: unmapped, flushed once, and then free.
   *
   * @param page - offset of the first, in pages. Default 0.
   * @param count - pages. Default all from there on.
   * @returns pages that were given back.
   */
  shrink(page: number = 0, count: number = pagesFrom(page, this.area.pages)): number {
    this.#check(page, count);
    return this.#space.change(() => this.#pages.shrink(page, count));
  }

  #check(page: number, count: number): void {
    const { pages } = this.area;
    if (!this.#vm.isLive || !isInside(page, count, pages)) throw pagesRefused(this.#vm, page, count, pages);
  }
}

/** Reserves an area that grows. */
export function getLazyArea(space: KernelSpace, size: number | bigint, options: LazyAreaOptions): LazyArea {
  const { chunkShift = space.pageShift, caller, limit, populate, release, frames } = options;
  if (!Number.isInteger(chunkShift) || chunkShift < space.pageShift || chunkShift > space.pageShift + 18)
    throw new VmError(
      'EINVAL',
      `chunkShift is ${shown(chunkShift)}, expected log2 of bytes, ${space.pageShift} or more`,
    );
  if (limit !== undefined) checkBytes(limit, 'limit');
  for (const [name, call] of Object.entries({ populate, release }))
    if (call !== undefined && typeof call !== 'function')
      throw new VmError('EINVAL', `${name} is ${shown(call)}, expected a function`);
  const isAllocator = typeof frames?.tryAllocate === 'function' && frames.pageShift === space.pageShift;
  if (frames !== undefined && (!isAllocator || frames.first + frames.frames > space.pfnLimit))
    throw new VmError('EINVAL', '`frames` is no FrameAllocator with the pages of the format');
  if (frames !== undefined) space.machine.requireOthers(frames, '`frames`');
  // Read once: nothing may be refused when the addresses are reserved.
  const protection = checkProtection(options.protection ?? space.linux.protections.PAGE_KERNEL);
  const vm = reserve(space, {
    ...{ size, flags: VM_ALLOC, shift: chunkShift, align: 1n << BigInt(chunkShift) },
    ...(caller === undefined ? {} : { caller }),
  });
  const pages = new LazyPages(space, vm, { ...options, protection });
  vm.lazy = pages;
  return new LazyArea(space, vm, pages);
}
