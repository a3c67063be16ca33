import { checkAddress } from '../check/address.js';
import { checkFunction } from '../check/function.js';
import { copyList } from '../check/list.js';
import { flagOption, integerOption, wrongValue } from '../check/members.js';
import { checkWindow } from '../check/window.js';
import { hex, VmError, wideHex } from '../errors.js';
import { counted, printsItself, sizeText } from '../prints.js';
import type { Area, AreaInfo } from './area.js';
import {
  type AreasSetup,
  areasSetup,
  checkInfo,
  type ReserveOptions,
  reserveOptions,
  type VmapAreasOptions,
} from './areas-options.js';
import {
  type AreaStats,
  type AreasParts,
  type PurgeLedger,
  statsOf,
  usageText,
  vmallocinfoText,
} from './areas-report.js';
import { type BusyArea, BusyAreas } from './busy-areas.js';
import { FreeSpace, NOTHING_FITS } from './free-space.js';
import { type AddressWindow, hullOf, windowName } from './page-units.js';
import { takePercpu } from './percpu-areas.js';
import { VmapNodes } from './vmap-nodes.js';

/** Bytes that may wait for each doubling of processors: 32 MiB (lazy_max_pages). */
const LAZY_BYTES = 1 << 25;

/**
 * The vm areas of a kernel, placed as Linux places them.
 *
 * A request gets the address that Linux 6.12 would give it after the same history. The search of the
 * augmented red-black tree is Linux's; for large alignments its answer depends on the tree's shape. With
 * several processors, each has pools of what it freed. Freed addresses cannot be used again before a purge,
 * which flushes once over all of them. When Linux's worker purges is up to its scheduler: see `autoPurge`.
 *
 * It knows nothing of page tables. Addresses and sizes are in bytes.
 *
 * @example
 * ```ts
 * const { window, guardBytes } = x8664Linux();
 * const areas = new VmapAreas({ window, guardBytes, pageShift: 12 });
 * const area = areas.reserve(0x4000, { info: { words: ['vmalloc'] } });
 * areas.find(area.address + 0x4000n) === area; // true: the guard belongs to the area
 * areas.free(area);
 * areas.reserve(0x4000).address === area.address; // false: that waits for a purge
 * ```
 */
export class VmapAreas {
  /** log2 of the page size in bytes. */
  readonly pageShift: number;
  /** Possible processors. */
  readonly cpus: number;
  /** Pages that may wait before a purge is due (lazy_max_pages). */
  readonly lazyMaxPages: number;
  readonly #setup: AreasSetup;
  readonly #free: FreeSpace;
  readonly #nodes: VmapNodes;
  readonly #busy: BusyAreas;
  readonly #parts: AreasParts;
  readonly #reclaimers: (() => readonly Area[])[] = [];
  readonly #ledger: PurgeLedger = { owed: undefined, purges: 0 };
  #isPurging = false;

  /**
   * @throws VmError `EINVAL` for a window without a whole page, invalid counts, or early areas that overlap
   *   or are out of order.
   */
  constructor(options: VmapAreasOptions) {
    const setup = areasSetup(options);
    const { units, cpus, early } = setup;
    this.pageShift = units.shift;
    this.cpus = cpus;
    this.lazyMaxPages = (32 - Math.clz32(setup.onlineCpus)) * (LAZY_BYTES / 2 ** units.shift);
    this.#setup = setup;
    this.#free = new FreeSpace(2 ** (64 - units.shift), early);
    this.#nodes = new VmapNodes(this.#free, cpus);
    this.#busy = new BusyAreas(cpus, (page) => this.#nodes.nodeOf(page));
    for (const range of early) this.#busy.add({ ...range, node: -1 });
    this.#parts = {
      ...{ units, window: setup.pages, free: this.#free, nodes: this.#nodes, busy: this.#busy },
      ledger: this.#ledger,
    };
    printsItself(new.target.prototype);
  }

  /** True for areas that this class made. */
  static is(value: unknown): value is VmapAreas {
    return typeof value === 'object' && value !== null && #setup in value;
  }

  /** What it is made of, for a checkpoint. @internal */
  static partsOf(areas: VmapAreas): AreasParts {
    return areas.#parts;
  }

  /** Its window, and how it is used. */
  toString(): string {
    const { window, cpus } = this.#setup;
    return [
      `VmapAreas ${hex(window.start)}-${wideHex(window.end)}, pages of ${sizeText(2 ** this.pageShift)}, ${counted(cpus, 'processor')}`,
      `  ${usageText(this.stats())}`,
    ].join('\n');
  }

  /** Number of live areas. */
  get count(): number {
    return this.#busy.count;
  }

  /** Pages that were freed and wait for a purge, guards included. */
  get lazyPages(): number {
    return this.#nodes.lazyPages;
  }

  /**
   * Free ranges of the whole address space: the nodes of Linux's free tree. `stats` counts those of the
   * window, and must look at each.
   */
  get freeRanges(): number {
    return this.#free.tree.size;
  }

  /**
   * Purges so far, including those that found nothing waiting. A purge that ended with a sink's error does
   * not count.
   */
  get purges(): number {
    return this.#ledger.purges;
  }

  /** True inside a sink's `flush`. What is freed then waits for the next purge. */
  get isPurging(): boolean {
    return this.#isPurging;
  }

  /** True when so much waits that Linux would have its worker purge (drain_vmap_area_work). */
  get isPurgeDue(): boolean {
    return this.#nodes.lazyPages > this.lazyMaxPages;
  }

  /**
   * Reserves a range. When nothing fits, it purges all that waits, empties the pools, and searches once
   * more.
   *
   * @param bytes - usable bytes: whole pages, at least one.
   * @throws VmError `EINVAL` for an invalid size, alignment, guard, window or processor; `ERANGE` for a window
   *   outside 64 bits; `ENOMEM` when nothing fits, as nothing does from 2^64 bytes on; `EBUSY` when nothing
   *   fits inside a sink's `flush`. An error of the sink, when it had to
   *   purge: then nothing was reserved.
   */
  reserve(bytes: number | bigint, options?: ReserveOptions): Area {
    const given = reserveOptions(options);
    const { units, pages: usual } = this.#setup;
    const pages = units.pages(bytes, 'size');
    if (pages === 0) throw new VmError('EINVAL', 'an area needs at least one page, not 0 bytes');
    const guardBytes =
      given.guardBytes === undefined ? this.#setup.guardBytes : units.guard(given.guardBytes);
    const size = pages + guardBytes / 2 ** units.shift;
    const align = flagOption(given, 'ioremap', false)
      ? this.#naturalAlign(pages)
      : units.alignment(given.align);
    const mayPurge = flagOption(given, 'mayPurge', true);
    const cpu = given.cpu === undefined ? 0 : integerOption(given, 'cpu', 0, this.cpus - 1);
    const { info = {} } = given;
    checkInfo(info);
    const window =
      given.window === undefined ? this.#setup.window : checkWindow(given.window, 'the window of reserve()');
    const { vstart, vend } = given.window === undefined ? usual : units.window(window);
    const isUsual = window.start === this.#setup.window.start && window.end === this.#setup.window.end;
    const node = isUsual && this.cpus > 1 ? cpu : -1;
    const start = this.#take(node, size, align, vstart, vend, mayPurge);
    if (start < 0) throw this.#noRoom(bytes, guardBytes, align, window);
    return this.#add(start, pages, guardBytes, node, info);
  }

  /**
   * `reserve` in the usual window with the usual alignment, for calls that have checked their arguments.
   *
   * @param pages - usable pages, 1 or more.
   * @param guardBytes - bytes to keep free after them.
   * @param cpu - the processor that asks.
   * @param mayPurge - whether it purges when nothing fits.
   * @param info - what is known of the area.
   * @throws VmError as `reserve`.
   * @internal
   */
  reservePages(pages: number, guardBytes: number, cpu: number, mayPurge: boolean, info: AreaInfo): Area {
    const { units, window } = this.#setup;
    const { vstart, vend } = this.#setup.pages;
    const guard = units.guard(guardBytes);
    if (info.caller !== undefined) checkInfo(info);
    const size = pages + guard / 2 ** units.shift;
    const node = this.cpus > 1 ? cpu : -1;
    const start = this.#take(node, size, 1, vstart, vend, mayPurge);
    if (start < 0) throw this.#noRoom(units.bytes(pages), guard, 1, window);
    return this.#add(start, pages, guard, node, info);
  }

  /**
   * Reserves ranges at fixed distances from one base, from the top of the window down, without guards:
   * chunks of per-cpu memory.
   *
   * @param offsets - of each range from the base, in bytes: multiples of `align`.
   * @param sizes - of each, in bytes: multiples of `align`.
   * @param align - of the base in bytes: a power of two of at least a page.
   * @param infoOf - what is known of each, by its index. It is called before anything is taken. What it
   *   throws is passed on.
   * @throws VmError `EINVAL` when they are misaligned, overlap, or their numbers differ; `ENOMEM` when they
   *   fit nowhere; `EBUSY` and errors of the sink as for `reserve`.
   */
  reservePercpu(
    offsets: readonly number[],
    sizes: readonly number[],
    align: bigint,
    infoOf: (index: number) => AreaInfo = () => ({ words: ['vmalloc'] }),
  ): readonly Area[] {
    const { units, window, pages: usual } = this.#setup;
    if (align === undefined) throw wrongValue('align', align, 'a bigint of bytes');
    const step = units.alignment(align);
    checkFunction(infoOf, 'infoOf');
    const pages = Object.entries({ offsets, sizes }).map(([name, list]) =>
      copyList(list, name, () => true).map((bytes, i) => units.pages(bytes, `${name}[${i}]`)),
    );
    const [starts, lengths] = pages as [number[], number[]];
    const parts = starts.map((start, i) => ({ start, end: start + (lengths[i] ?? 0) }));
    parts.sort((a, b) => a.start - b.start);
    const isSound =
      starts.length > 0 &&
      starts.length === lengths.length &&
      lengths.every((length) => length > 0) &&
      [...starts, ...lengths].every((length) => length % step === 0) &&
      parts.every(({ start }, i) => i === 0 || start >= (parts[i - 1]?.end ?? 0));
    if (!isSound)
      throw new VmError(
        'EINVAL',
        'the parts must be multiples of the alignment, not empty, and apart from each other',
      );
    const request = { offsets: starts, sizes: lengths, align: step, ...usual };
    const infos = starts.map((_start, i) => {
      const info: unknown = infoOf(i);
      checkInfo(info, `infoOf(${i})`);
      return info;
    });
    const base = this.#takeOrPurge(() => takePercpu(this.#free, request), true);
    if (base < 0) throw new VmError('ENOMEM', `no place for ${starts.length} parts in ${windowName(window)}`);
    return starts.map((start, i) =>
      this.#add(base + start, lengths[i] as number, 0, -1, infos[i] as AreaInfo),
    );
  }

  /**
   * Frees an area. Its addresses wait for a purge. When more than `lazyMaxPages` wait, it purges at once,
   * unless `autoPurge` is off.
   *
   * @param mayPurge - `false` leaves a purge that is due to a later call, for callers with work left.
   *   Default: true.
   * @throws VmError `EINVAL` when the area is not live here. An error of the sink: the area is freed all the
   *   same, waits like all others, and must not be freed again.
   */
  free(area: Area, mayPurge: boolean = true): void {
    this.#release(this.#liveOf(area));
    if (mayPurge) this.purgeIfDue();
  }

  /**
   * Purges when more than `lazyMaxPages` wait, unless `autoPurge` is off or a purge is running.
   *
   * @throws an error of the sink: all of it then still waits.
   */
  purgeIfDue(): void {
    if (this.isPurgeDue && this.#setup.autoPurge && !this.#isPurging) this.#purge(false);
  }

  /**
   * Undoes a reservation that was not used. Its addresses are free at once, without a flush
   * (free_vmap_area).
   *
   * @throws VmError `EINVAL` when the area is not live here.
   */
  cancel(area: Area): void {
    const busy = this.#liveOf(area);
    this.#busy.remove(busy);
    this.#free.give(busy.start, busy.start + busy.size);
  }

  /**
   * The live area that holds an address, in its usable bytes or in its guard; `undefined` for any other.
   *
   * @throws VmError `EINVAL`, `ERANGE` for an invalid address.
   */
  find(address: bigint): Area | undefined {
    checkAddress(address);
    return this.#busy.find(this.#setup.units.page(address))?.area;
  }

  /**
   * Makes freed addresses usable again. After one flush over all of them, ranges of up to 256 pages go to
   * their processors' pools and the others to the free space (vm_unmap_aliases). What a sink frees inside
   * the flush waits for the next purge.
   *
   * @param also - bytes that the flush must also cover. It is then made even when nothing waits.
   * @param release - removes live areas from its own lists and returns them. They are freed first, so that
   *   the same flush covers them.
   * @returns the number of areas that waited.
   * @throws VmError `EINVAL` when `also` ends before it starts, or `release` is not a function; `ERANGE` when
   *   `also` leaves 64 bits; `EBUSY` inside a sink's `flush`. An error of
   *   the sink: all of it then still waits.
   */
  purge(also?: AddressWindow, release?: () => readonly Area[]): number {
    const range = also === undefined ? undefined : checkWindow(also, 'the range to flush', 'also.');
    if (release !== undefined) checkFunction(release, 'release');
    return this.#purge(false, range, release === undefined ? [] : [release]);
  }

  /**
   * Adds a function that can give areas back when nothing fits. It is called before all that waits is purged
   * (VmapBlocks).
   *
   * @param reclaim - removes live areas from its own lists and returns them. They are freed.
   * @throws VmError `EINVAL` for anything but a function.
   */
  addReclaim(reclaim: () => readonly Area[]): void {
    checkFunction(reclaim, 'reclaim');
    this.#reclaimers.push(reclaim);
  }

  /** Empties the pools, as Linux does when memory is short. */
  shrink(): void {
    this.#nodes.shrink();
  }

  /** How the space is used. It looks at every free range of the window. */
  stats(): AreaStats {
    return statsOf(this.#parts);
  }

  /** The text of /proc/vmallocinfo in Linux's order: areas by node and address, then what waits. */
  vmallocinfo(): string {
    return vmallocinfoText(this.#parts);
  }

  /**
   * The areas that are live at the moment of the call, by address. They may be freed during the iteration.
   */
  [Symbol.iterator](): IterableIterator<Area> {
    const all = [...this.#busy];
    return all
      .sort((a, b) => a.start - b.start)
      .map(({ area }) => area)
      .values();
  }

  /** Takes pages from a node's pool, else from the free space; when nothing fits, once more after a full purge. */
  #take(node: number, size: number, align: number, vstart: number, vend: number, mayPurge: boolean): number {
    const pooled = node >= 0 ? this.#nodes.take(node, size, align) : NOTHING_FITS;
    if (pooled >= 0) return pooled;
    const start = this.#free.take(size, align, vstart, vend);
    if (start >= 0 || !mayPurge) return start;
    this.#purge(true);
    return this.#free.take(size, align, vstart, vend);
  }

  /** Searches, and once more after a full purge when nothing fits. */
  #takeOrPurge(take: () => number, mayPurge: boolean): number {
    const start = take();
    if (start >= 0 || !mayPurge) return start;
    this.#purge(true);
    return take();
  }

  #purge(isFull: boolean, more?: AddressWindow, releases: readonly (() => readonly Area[])[] = []): number {
    if (this.#isPurging)
      throw new VmError('EBUSY', 'these areas are in the middle of a purge', {
        advice: 'a flush sink may free areas and reserve what fits; purge when its call has returned',
      });
    this.#isPurging = true;
    // Owed until some purge flushes it successfully.
    const also = hullOf(this.#ledger.owed, more);
    this.#ledger.owed = also;
    try {
      for (const release of isFull ? this.#reclaimers : releases)
        for (const area of release()) this.#release(this.#liveOf(area));
      const waited = this.#nodes.purge(isFull, (hull) => this.#flush(hull, also));
      this.#ledger.owed = undefined;
      this.#ledger.purges++;
      return waited;
    } finally {
      this.#isPurging = false;
    }
  }

  #flush(
    hull: { readonly start: number; readonly end: number } | null,
    also: AddressWindow | undefined,
  ): void {
    let start = also?.start ?? 1n << 64n;
    let end = also?.end ?? 0n;
    if (hull !== null) {
      const [first, last] = [this.#setup.units.bytes(hull.start), this.#setup.units.bytes(hull.end)];
      if (first < start) start = first;
      if (last > end) end = last;
    }
    if (start < end) this.#setup.sink?.flush(start, end - start, this.pageShift, [], 0);
  }

  #liveOf(area: Area): BusyArea {
    const address: unknown = area?.address;
    const busy = typeof address === 'bigint' ? this.#busy.find(this.#setup.units.page(address)) : undefined;
    if (busy !== undefined && busy.area === area) return busy;
    throw new VmError('EINVAL', 'the area is not live here', {
      ...(typeof address === 'bigint' ? { address } : {}),
      advice: 'it was freed before or belongs to other areas',
    });
  }

  #release(busy: BusyArea): void {
    this.#busy.remove(busy);
    this.#nodes.add({ start: busy.start, size: busy.size, node: busy.node });
  }

  #add(start: number, pages: number, guardBytes: number, node: number, info: AreaInfo): Area {
    const area: Area = Object.freeze({
      address: this.#setup.units.bytes(start),
      bytes: this.#setup.units.bytes(pages),
      guardBytes,
      info,
    });
    this.#busy.add({ area, start, size: pages + guardBytes / 2 ** this.pageShift, node });
    return area;
  }

  #noRoom(bytes: number | bigint, guard: number, align: number, window: AddressWindow): VmError {
    // No counting for this text: a failed request costs no more than any other.
    const waiting = this.#setup.units.bytes(this.#nodes.lazyPages);
    return new VmError(
      'ENOMEM',
      `no free range for ${bytes} bytes and a guard of ${guard}, aligned to ${hex(this.#setup.units.bytes(align))}, in ${windowName(window)}`,
      {
        advice: `${this.count} areas are live and ${waiting} bytes wait for a purge; stats() tells how much is free`,
      },
    );
  }

  #naturalAlign(pages: number): number {
    const order = Math.min(Math.ceil(Math.log2(pages)), this.#setup.ioremapMaxOrder - this.pageShift);
    return 2 ** Math.max(0, order);
  }
}
