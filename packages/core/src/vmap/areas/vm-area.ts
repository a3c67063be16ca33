import { copyFrames, type FrameList, frameCount } from '../../check/frames.js';
import { hex, wideHex } from '../../errors.js';
import type { LinuxPolicy } from '../../format/linux-policy.js';
import type { Protection } from '../../format/protection.js';
import { printsItself, sizeText } from '../../prints.js';
import type { ChangeLock } from '../../space/change-lock.js';
import type { Space } from '../../space/space.js';
import { prepareTables } from '../../table/change/map/prepare.js';
import { takePages } from '../../table/change/remove/take.js';
import { applyToExisting } from '../../table/change/visit/apply.js';
import { pageIndex } from '../../table/page-range.js';
import { type LeafSize, leafSizes } from '../../table/show/leaf-sizes.js';
import { words } from '../../words.js';
import { VM_SPARSE, wordsOf } from '../flags.js';
import { isInside, pagesRefused } from './area-pages.js';
import { requireOwnHands, type VmStruct } from './vm-struct.js';

/** How much of an area is mapped. */
export interface Populated {
  /** Pages that are mapped. */
  readonly pages: number;
  /** Leaves by size, smallest first. A run with a contiguous hint is one leaf of the run's size. */
  readonly leaves: readonly LeafSize[];
}

/**
 * A reserved range of kernel addresses, and what may be done in it. Calls name pages by their offset, so no
 * call can name an address outside.
 *
 * Page 0 is at `addr`. The guard has no page. Calls are refused with `EINVAL` when the area was freed, with
 * `ERANGE` when they leave it, and with `EBUSY` from within a flush sink or callback. Nothing is then
 * changed. A handle stays dead when its addresses are reserved again.
 *
 * @example
 * ```ts
 * const area = kernel.getVmArea(4n << 30n, VM_SPARSE);
 * area.map(0, [0x1234, 0x99, 0x7001]);
 * area.frameAt(2); // 0x7001
 * area.unmap(0, 3);
 * kernel.freeVmArea(area);
 * ```
 */
export class VmArea {
  readonly #space: Space;
  readonly #lock: ChangeLock;
  readonly #linux: LinuxPolicy;
  readonly #vm: VmStruct;
  readonly #pages: number;
  readonly #pageBytes: number;
  /** Address in two words, unsigned. */
  readonly #lo: number;
  readonly #hi: number;
  /** Its page index. */
  readonly #first: number;

  /** @internal */
  constructor(space: Space, linux: LinuxPolicy, vm: VmStruct) {
    printsItself(new.target.prototype);
    this.#space = space;
    this.#lock = space.lock;
    this.#linux = linux;
    this.#vm = vm;
    const { hi, lo } = words(vm.area.address);
    this.#hi = hi >>> 0;
    this.#lo = lo >>> 0;
    this.#first = pageIndex(space.format, vm.area.address);
    this.#pageBytes = space.pageBytes;
    this.#pages = Number(vm.area.bytes >> BigInt(space.pageShift));
  }

  /** The area behind a handle; `null` when it belongs to another space. */
  static structOf(handle: VmArea, space: Space): VmStruct | null {
    return handle.#space === space ? handle.#vm : null;
  }

  /** True for a handle. */
  static is(value: unknown): value is VmArea {
    return typeof value === 'object' && value !== null && #space in value;
  }

  /** Where it is, how large it is, and what it is for. */
  toString(): string {
    const end = this.addr + this.size;
    const words = wordsOf(this.flags).join(' ');
    const guard = this.#vm.area.guardBytes;
    return [
      `VmArea ${hex(this.addr)}-${wideHex(end)}${this.isLive ? '' : ', freed'}`,
      `  ${sizeText(this.bytes)}${guard === 0 ? '' : ` and a guard of ${sizeText(guard)}`}${words === '' ? '' : `, ${words}`}`,
      ...(this.caller === undefined ? [] : [`  ${this.caller}`]),
    ].join('\n');
  }

  /** First byte. */
  get addr(): bigint {
    return this.#vm.area.address;
  }

  /** Bytes with the guard, as in Linux's `vm_struct.size`. */
  get size(): bigint {
    return this.bytes + BigInt(this.#vm.area.guardBytes);
  }

  /** Bytes that can be mapped, without the guard. */
  get bytes(): bigint {
    return this.#vm.area.bytes;
  }

  /** Pages that can be mapped. */
  get pages(): number {
    return this.#pages;
  }

  /** VM_ flags. */
  get flags(): number {
    return this.#vm.flags;
  }

  /** Bytes that were asked for, before any rounding. */
  get requestedBytes(): bigint {
    return this.#vm.requestedBytes;
  }

  /** Pages that the area owns. They are freed with the area (nr_pages). */
  get ownedPages(): number {
    return this.#vm.ownedPages;
  }

  /**
   * log2 of the pages of each block that it owns (page_order). Above 0 when huge leaves were asked for and
   * given.
   */
  get pageOrder(): number {
    return this.#vm.owned?.order ?? 0;
  }

  /** Physical address in bytes that a device range maps; `null` for other areas. */
  get physical(): bigint | null {
    return this.#vm.physical;
  }

  /** The caller that was named for it; `undefined` when none was. */
  get caller(): string | undefined {
    return this.#vm.caller;
  }

  /** False once the area was freed. */
  get isLive(): boolean {
    return this.#vm.isLive;
  }

  /**
   * The frames that it owns, in the order of its pages, as a copy. Empty when it owns none.
   *
   * After `removeVmArea` they are the caller's to free, block by block of `2 ** pageOrder`.
   */
  ownedFrames(): Float64Array {
    const { owned } = this.#vm;
    if (owned === null) return new Float64Array(0);
    const length = 2 ** owned.order;
    const frames = new Float64Array(owned.heads.length * length);
    for (let i = 0; i < frames.length; i++)
      frames[i] = (owned.heads[Math.floor(i / length)] as number) + (i % length);
    return frames;
  }

  /**
   * Maps pages, as base pages: all of them or none.
   *
   * One page, with its frame as a number, is the fast path.
   *
   * @param page - offset of the first, in pages from the start of the area.
   * @param frames - one frame for each page, or the frame of one page.
   * @param protection - what the pages allow. Default: PAGE_KERNEL.
   * @throws VmError `EINVAL` for an invalid frame; `EBUSY` when a page is mapped; `ENOMEM` when there is no
   *   frame for a table.
   */
  map(page: number, frames: FrameList | number, protection?: Protection): void {
    const prot = protection === undefined ? this.#linux.protections.PAGE_KERNEL : protection;
    if (typeof frames === 'number') {
      const offset = this.#enter(page, 1);
      const lock = this.#lock;
      // No closure: this is the fast path. Busy, because a getter of the protection may try to free the
      // area.
      lock.isBusy = true;
      try {
        this.#space.table.mapWords(this.#highOf(offset), this.#lowOf(offset), frames, prot);
      } finally {
        lock.isBusy = false;
      }
      return;
    }
    const length = frameCount(frames);
    this.#enter(page, length);
    const list = copyFrames(frames, length, this.#space.pfnLimit);
    // Checked again: a getter in the list may have freed the area.
    const va = this.#addressOf(this.#enter(page, length));
    this.#lock.change(() => this.#space.table.map(va, list, prot, this.#space.capsOf([], 0)));
  }

  /**
   * Removes the mappings of pages. Holes are allowed. One flush, before the call returns.
   *
   * Frames are not freed: they belong to the caller, or are freed with the area.
   *
   * @param page - offset of the first, in pages.
   * @param count - pages. Default: 1.
   * @throws VmError `ENOMEM` when a block must be split and there is no frame for a table; what the sink
   *   throws.
   */
  unmap(page: number, count: number = 1): void {
    const offset = this.#enter(page, count);
    const lock = this.#lock;
    const { table } = this.#space;
    // No closure: this is the fast path.
    lock.isBusy = true;
    try {
      if (count === 1) table.unmapWords(this.#highOf(offset), this.#lowOf(offset));
      else table.unmap(this.#addressOf(offset), this.#bytesOf(count));
    } finally {
      lock.isBusy = false;
    }
  }

  /**
   * Removes the mappings of pages, and leaves the flush to the caller (vunmap_range_noflush). Holes are allowed.
   *
   * Until `flush`, processors may still use the removed translations: neither free the frames nor map the pages
   * again. `FlushSanitizer` of `@vmarea/mmu` reports who does. Use `unmap` unless work must happen in between.
   *
   * @param page - offset of the first, in pages.
   * @param count - pages.
   * @returns two numbers for each page that was mapped, in order: its offset, and its frame.
   * @throws VmError `ENOMEM` when a block must be split and there is no frame for a table.
   */
  unmapNoflush(page: number, count: number): Float64Array {
    const offset = this.#enter(page, count);
    const { table } = this.#space;
    return this.#lock.change(() =>
      this.#space.withoutFlush(() => {
        if (count === 1) {
          const frame = table.unmapWords(this.#highOf(offset), this.#lowOf(offset));
          // `Float64Array.of` takes longer than all the rest.
          const pair = new Float64Array(frame < 0 ? 0 : 2);
          pair[0] = page;
          pair[1] = frame;
          return pair;
        }
        // Sparse areas have no blocks, so that nothing is split: threads take pages beside each other.
        if ((this.#vm.flags & VM_SPARSE) !== 0) return this.#takePages(page, count);
        const removed: number[] = [];
        applyToExisting(
          table,
          this.#addressOf(offset),
          this.#bytesOf(count),
          (slot) => {
            if (slot.pfn >= 0) removed.push(page + slot.page, slot.pfn);
            slot.set(0, 0);
          },
          { blocks: 'split' },
        );
        return Float64Array.from(removed);
      }),
    );
  }

  /**
   * Flushes pages, whatever they map: what `unmapNoflush` has left (flush_tlb_kernel_range).
   *
   * @param page - offset of the first, in pages.
   * @param count - pages.
   * @throws what the sink throws.
   */
  flush(page: number, count: number): void {
    this.#enter(page, count);
    this.#lock.change(() => this.#space.flushPages(this.#first + page, count));
  }

  /**
   * Changes the protection of what is mapped. Holes are skipped. One flush, before the call returns.
   *
   * @param page - offset of the first, in pages.
   * @param count - pages.
   * @param fields - the members that change.
   * @throws VmError as `PageTable.protect`.
   * @example
   * ```ts
   * area.protect(0, 16, { write: false });
   * ```
   */
  protect(page: number, count: number, fields: Partial<Protection>): void {
    const va = this.#addressOf(this.#enter(page, count));
    this.#lock.change(() => this.#space.table.protect(va, this.#bytesOf(count), fields));
  }

  /**
   * The frame of a page, also inside a larger leaf; -1 when it is not mapped.
   *
   * @param page - offset in pages.
   */
  frameAt(page: number): number {
    const offset = this.#place(page, 1);
    return this.#space.table.translateWords(this.#highOf(offset), this.#lowOf(offset));
  }

  /**
   * Requires that a call may change pages of the area now.
   *
   * @throws VmError `EINVAL` when the area was freed; `EBUSY` from within a flush sink or callback.
   */
  requireIdle(): void {
    this.#enter(0, 1);
  }

  /**
   * Makes the tables of pages now. To map them later then takes no memory and cannot run out of it.
   *
   * @param page - offset of the first, in pages. Default: 0.
   * @param count - pages. Default: all from `page` on.
   * @returns the number of tables made.
   * @throws VmError `ENOMEM` when there are too few frames: then none is made.
   */
  prepare(page: number = 0, count: number = pagesFrom(page, this.#pages)): number {
    const va = this.#addressOf(this.#enter(page, count));
    return this.#lock.change(() => prepareTables(this.#space.table, va, this.#bytesOf(count)));
  }

  /** How much is mapped, and by which leaves. It reads the area's tables. */
  populated(): Populated {
    this.#place(0, 1);
    const { table, format } = this.#space;
    const leaves = leafSizes(format, table.leaves(this.addr, this.bytes));
    return {
      leaves,
      pages: leaves.reduce((sum, { bytes, count }) => sum + bytes * count, 0) / this.#pageBytes,
    };
  }

  /**
   * Checks the pages of a call that changes them. Returns their offset in bytes from the start of the area.
   */
  #enter(page: number, count: number): number {
    const offset = this.#place(page, count);
    if (this.#lock.isBusy || this.#lock.isDestroyed) this.#lock.requireIdle();
    if (this.#vm.lazy !== null || this.#vm.isArray) requireOwnHands(this.#vm);
    return offset;
  }

  #takePages(page: number, count: number): Float64Array {
    const first = this.#first + page;
    const { pages, frames } = takePages(this.#space.table, [{ first, pages: count }], false);
    const pairs = new Float64Array(2 * pages.length);
    for (let i = 0; i < pages.length; i++) {
      pairs[2 * i] = (pages[i] as number) - this.#first;
      pairs[2 * i + 1] = frames[i] as number;
    }
    return pairs;
  }

  #place(page: number, count: number): number {
    if (!this.#vm.isLive || !isInside(page, count, this.#pages))
      throw pagesRefused(this.#vm, page, count, this.#pages);
    return page * this.#pageBytes;
  }

  #lowOf(offset: number): number {
    // `|` takes the sum modulo 2^32. A remainder of doubles is a call into C.
    return (this.#lo + offset) | 0;
  }

  #highOf(offset: number): number {
    return (this.#hi + Math.floor((this.#lo + offset) / 4294967296)) | 0;
  }

  /** An area may have 2^53 bytes and more, which a number does not hold exactly. */
  #bytesOf(count: number): bigint {
    return BigInt(count) * this.#space.pages;
  }

  #addressOf(offset: number): bigint {
    return this.addr + BigInt(offset);
  }
}

/** The number of pages from one on. It does not subtract when `page` is no number, since that may throw. */
export function pagesFrom(page: number, pages: number): number {
  return typeof page === 'number' ? pages - page : Number.NaN;
}

/** True for a handle. */
export function isVmArea(value: unknown): value is VmArea {
  return VmArea.is(value);
}

/** The area behind a handle; `null` when it belongs to another space. */
export function structOfHandle(handle: VmArea, space: Space): VmStruct | null {
  return VmArea.structOf(handle, space);
}
