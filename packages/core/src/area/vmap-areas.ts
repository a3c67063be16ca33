import { checkAddress } from '../check/address.js';
import { flagOption } from '../check/members.js';
import { optionsOf } from '../check/options.js';
import { hex, shown, VmError } from '../errors.js';
import type { FlushSink } from '../table/state/flush-sink.js';
import type { Area, AreaInfo } from './area.js';
import { type BusyArea, BusyAreas } from './busy-areas.js';
import { checkCaller } from './caller.js';
import { FreeSpace, NOTHING_FITS } from './free-space.js';
import { NIL } from './interval-tree.js';
import { type AddressWindow, hullOf, PageUnits, windowName } from './page-units.js';
import { takePercpu } from './percpu-areas.js';
import { linux612 } from './print-line.js';
import { VmapNodes } from './vmap-nodes.js';

/** Options of `VmapAreas`: the space and the machine. */
export interface VmapAreasOptions {
  /**
   * The default window of requests, in bytes, as in a `LinuxPolicy`. A page that is only partly inside is
   * not used.
   */
  readonly window: AddressWindow;
  /** log2 of the page size: 12, 14 or 16. */
  readonly pageShift: number;
  /** Bytes kept unmapped after an area, unless the request says otherwise. Default: 0. */
  readonly guardBytes?: number;
  /** log2 of the largest alignment of a device range. Default: `pageShift` + 7 (IOREMAP_MAX_ORDER). */
  readonly ioremapMaxOrder?: number;
  /**
   * Possible processors, 1 to 128. Each has pools for what it freed. One processor has no pools, and always
   * gets the lowest fit.
   *
   * Source: Linux 6.12, vmap_init_nodes. Default: 1.
   */
  readonly cpus?: number;
  /**
   * Processors that are online; they decide how much may wait. Up to `cpus`; with 128, up to 8192: there
   * Linux stops making pools but still counts processors.
   *
   * Source: Linux 6.12, lazy_max_pages; NR_CPUS of arch/x86/Kconfig. Default: `cpus`.
   */
  readonly onlineCpus?: number;
  /**
   * Whether freeing purges by itself. Linux queues a worker, which runs later. Here the call that crosses
   * the threshold does that work before it returns. With `false`, only `purge`, `reserve` and
   * `reservePercpu` purge: this is for callers who know when the worker runs (a replay, a simulator with its
   * own time). `isPurgeDue` tells when Linux would queue it. Default: true.
   */
  readonly autoPurge?: boolean;
  /**
   * Areas that exist from the start, by address: images of the kernel, early device ranges. Default: none.
   */
  readonly early?: readonly { readonly address: bigint; readonly bytes: bigint; readonly info?: AreaInfo }[];
  /** Who must forget translations before addresses may be used again. Default: nobody. */
  readonly sink?: FlushSink;
}

/** What a reservation asks for besides its size. */
export interface ReserveOptions {
  /** Alignment in bytes: a power of two of at least a page. Default: a page. */
  readonly align?: bigint;
  /** Bytes to keep free after the area, whole pages. Default: `guardBytes` of the areas. */
  readonly guardBytes?: number;
  /** The window it must lie in, in bytes, the end exclusive. Default: the window of the areas. */
  readonly window?: AddressWindow;
  /**
   * Whether it is a device range (VM_IOREMAP): aligned to its own size, rounded up to a power of two, up to
   * `ioremapMaxOrder`. Default: false.
   */
  readonly ioremap?: boolean;
  /**
   * Number of the processor that asks, below `cpus`. Linux takes numbers from 128 on modulo 128. Default: 0.
   */
  readonly cpu?: number;
  /**
   * Whether a request that finds nothing purges and tries again. Pass `false` when the caller must not wait
   * (GFP_NOWAIT). Default: true.
   */
  readonly mayPurge?: boolean;
  /** What is known of the area. Default: nothing. */
  readonly info?: AreaInfo;
}

/** How the space is used, in bytes. */
export interface AreaStats {
  /** Live areas. */
  readonly areas: number;
  /** Bytes of live areas, guards included. */
  readonly busyBytes: bigint;
  /** Bytes that were freed and wait for a purge. */
  readonly lazyBytes: bigint;
  /** Bytes of the ranges in pools. */
  readonly pooledBytes: bigint;
  /** Number of ranges in pools. */
  readonly pooledRanges: number;
  /** Free bytes of the window. */
  readonly freeBytes: bigint;
  /** Number of the free ranges of the window. */
  readonly freeRanges: number;
  /** Bytes of the largest free range of the window. */
  readonly largestFree: bigint;
}

const AREAS_OPTIONS = [
  ...(['window', 'pageShift', 'guardBytes', 'ioremapMaxOrder', 'cpus'] as const),
  ...(['onlineCpus', 'autoPurge', 'early', 'sink'] as const),
] as const;
const RESERVE_OPTIONS = ['align', 'guardBytes', 'window', 'ioremap', 'cpu', 'mayPurge', 'info'] as const;

/** Bytes that may wait for each doubling of processors: 32 MiB (lazy_max_pages). */
const LAZY_BYTES = 2 ** 25;
/** The most nodes that Linux makes, and the most processors that it can have (NR_CPUS with MAXSMP). */
const MAX_CPUS = 128;
const MAX_ONLINE = 8192;

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
  readonly #units: PageUnits;
  readonly #window: AddressWindow;
  readonly #guardBytes: number;
  readonly #ioremapMaxOrder: number;
  readonly #autoPurge: boolean;
  readonly #sink: FlushSink | undefined;
  readonly #free: FreeSpace;
  readonly #nodes: VmapNodes;
  readonly #busy: BusyAreas;
  readonly #reclaimers: (() => readonly Area[])[] = [];
  #isPurging = false;
  /** What a purge still had to flush when its sink threw. */
  #owed: AddressWindow | undefined;
  #purges = 0;

  /**
   * @throws VmError `EINVAL` for a window without a whole page, invalid counts, or early areas that overlap
   *   or are out of order.
   */
  constructor(options: VmapAreasOptions) {
    const given = optionsOf<Partial<VmapAreasOptions>>(
      options,
      AREAS_OPTIONS,
      'VmapAreas',
    ) as VmapAreasOptions;
    const { window, pageShift, guardBytes = 0, cpus = 1, onlineCpus = cpus, early = [] } = given;
    const { ioremapMaxOrder = pageShift + 7 } = given;
    this.#units = new PageUnits(pageShift);
    for (const [name, number, least, most] of [
      ['cpus', cpus, 1, MAX_CPUS],
      ['onlineCpus', onlineCpus, 1, cpus === MAX_CPUS ? MAX_ONLINE : cpus],
      ['ioremapMaxOrder', ioremapMaxOrder, 0, 63],
    ] as const)
      if (!Number.isInteger(number) || number < least || number > most)
        throw new VmError('EINVAL', `${name} is ${shown(number)}, expected ${least} to ${most}`);
    this.#units.window(window);
    this.#units.guard(guardBytes);
    this.pageShift = pageShift;
    this.cpus = cpus;
    this.lazyMaxPages = (32 - Math.clz32(onlineCpus)) * (LAZY_BYTES / 2 ** pageShift);
    this.#window = { start: window.start, end: window.end };
    this.#guardBytes = guardBytes;
    this.#ioremapMaxOrder = ioremapMaxOrder;
    this.#autoPurge = flagOption(given, 'autoPurge', true);
    this.#sink = given.sink;
    const ranges = this.#earlyRanges(early);
    this.#free = new FreeSpace(2 ** (64 - pageShift), ranges);
    this.#nodes = new VmapNodes(this.#free, cpus);
    this.#busy = new BusyAreas(cpus, (page) => this.#nodes.nodeOf(page));
    for (const range of ranges) this.#busy.add({ ...range, node: -1 });
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
    return this.#purges;
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
   * @throws VmError `EINVAL` for an invalid size, alignment, guard, window or processor; `ENOMEM` when
   *   nothing fits; `EBUSY` when nothing fits inside a sink's `flush`. An error of the sink, when it had to
   *   purge: then nothing was reserved.
   */
  reserve(bytes: number | bigint, options?: ReserveOptions): Area {
    const given = optionsOf(options, RESERVE_OPTIONS, 'reserve()') as ReserveOptions;
    checkInfo(given.info);
    const pages = this.#units.pages(bytes, 'size');
    if (pages === 0) throw new VmError('EINVAL', 'an area needs at least one page, not 0 bytes');
    const guardBytes = given.guardBytes ?? this.#guardBytes;
    const size = pages + this.#units.guard(guardBytes);
    const align = flagOption(given, 'ioremap', false)
      ? this.#naturalAlign(pages)
      : this.#units.alignment(given.align);
    const { window = this.#window, cpu = 0 } = given;
    const mayPurge = flagOption(given, 'mayPurge', true);
    const { vstart, vend } = this.#units.window(window);
    if (!Number.isInteger(cpu) || cpu < 0 || cpu >= this.cpus)
      throw new VmError('EINVAL', `cpu is ${shown(cpu)}, expected 0 to ${this.cpus - 1}`);
    const isUsual = window.start === this.#window.start && window.end === this.#window.end;
    const node = isUsual && this.cpus > 1 ? cpu : -1;
    let start = node >= 0 ? this.#nodes.take(node, size, align) : NOTHING_FITS;
    if (start < 0) start = this.#takeOrPurge(() => this.#free.take(size, align, vstart, vend), mayPurge);
    if (start < 0) throw this.#noRoom(bytes, guardBytes, align, window);
    return this.#add(start, pages, guardBytes, node, given.info);
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
    const step = this.#units.alignment(align);
    const pages = [offsets, sizes].map((list) => list.map((bytes) => this.#units.pages(bytes, 'part')));
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
    const { vstart, vend } = this.#units.window(this.#window);
    const request = { offsets: starts, sizes: lengths, align: step, vstart, vend };
    const infos = starts.map((_start, i) => infoOf(i));
    for (const info of infos) checkInfo(info);
    const base = this.#takeOrPurge(() => takePercpu(this.#free, request), true);
    if (base < 0)
      throw new VmError('ENOMEM', `no place for ${starts.length} parts in ${windowName(this.#window)}`);
    return starts.map((start, i) => this.#add(base + start, lengths[i] as number, 0, -1, infos[i]));
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
    if (this.isPurgeDue && this.#autoPurge && !this.#isPurging) this.#purge(false);
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
    return this.#busy.find(this.#units.page(address))?.area;
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
   * @throws VmError `EINVAL` when `also` ends before it starts; `EBUSY` inside a sink's `flush`. An error of
   *   the sink: all of it then still waits.
   */
  purge(also?: AddressWindow, release?: () => readonly Area[]): number {
    if (also !== undefined && (also.start > also.end || also.start < 0n || also.end > 1n << 64n))
      throw new VmError('EINVAL', `${also.start} .. ${also.end} is not a range of addresses to flush`);
    return this.#purge(false, also, release === undefined ? [] : [release]);
  }

  /**
   * Adds a function that can give areas back when nothing fits. It is called before all that waits is purged
   * (VmapBlocks).
   *
   * @param reclaim - removes live areas from its own lists and returns them. They are freed.
   */
  addReclaim(reclaim: () => readonly Area[]): void {
    this.#reclaimers.push(reclaim);
  }

  /** Empties the pools, as Linux does when memory is short. */
  shrink(): void {
    this.#nodes.shrink();
  }

  /** How the space is used. It looks at every free range of the window. */
  stats(): AreaStats {
    const { tree } = this.#free;
    const { vstart, vend } = this.#units.window(this.#window);
    let free = 0;
    let largest = 0;
    let ranges = 0;
    for (let node = this.#free.enclosing(vend); node !== NIL; node = tree.previous(node)) {
      const length =
        Math.floor(Math.min(tree.end[node] as number, vend)) -
        Math.ceil(Math.max(tree.start[node] as number, vstart));
      if ((tree.end[node] as number) <= vstart) break;
      if (length <= 0) continue;
      free += length;
      largest = Math.max(largest, length);
      ranges++;
    }
    let busy = 0;
    for (const { size } of this.#busy) busy += size;
    return {
      areas: this.#busy.count,
      busyBytes: this.#units.bytes(busy),
      lazyBytes: this.#units.bytes(this.#nodes.lazyPages),
      pooledBytes: this.#units.bytes(this.#nodes.pooledPages),
      pooledRanges: this.#nodes.pooled,
      freeBytes: this.#units.bytes(free),
      freeRanges: ranges,
      largestFree: this.#units.bytes(largest),
    };
  }

  /** The text of /proc/vmallocinfo in Linux's order: areas by node and address, then what waits. */
  vmallocinfo(): string {
    const areas = [...this.#busy].map(({ area }) => area);
    const waiting = Array.from(
      { length: this.#nodes.count },
      (_, node) => this.#nodes.state(node).lazy,
    ).flat();
    const lines = [
      ...areas.map(({ address, bytes, guardBytes, info }) => ({
        ...{ type: info.isRam === true ? ('vm_map_ram' as const) : ('area' as const), info },
        ...spanOf(address, bytes + BigInt(guardBytes)),
      })),
      ...waiting.map(({ start, size }) => ({
        ...{ type: 'unpurged' as const, info: {} },
        ...spanOf(this.#units.bytes(start), this.#units.bytes(size)),
      })),
    ];
    return lines.map((line, i) => `${linux612(line, i)}\n`).join('');
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
    const also = hullOf(this.#owed, more);
    this.#owed = also;
    try {
      for (const release of isFull ? this.#reclaimers : releases)
        for (const area of release()) this.#release(this.#liveOf(area));
      const waited = this.#nodes.purge(isFull, (hull) => this.#flush(hull, also));
      this.#owed = undefined;
      this.#purges++;
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
      const [first, last] = [this.#units.bytes(hull.start), this.#units.bytes(hull.end)];
      if (first < start) start = first;
      if (last > end) end = last;
    }
    if (start < end) this.#sink?.flush(start, end - start, this.pageShift, [], 0);
  }

  #liveOf(area: Area): BusyArea {
    const address: unknown = area?.address;
    const busy = typeof address === 'bigint' ? this.#busy.find(this.#units.page(address)) : undefined;
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

  #add(start: number, pages: number, guardBytes: number, node: number, info: AreaInfo = {}): Area {
    const area: Area = Object.freeze({
      address: this.#units.bytes(start),
      bytes: this.#units.bytes(pages),
      guardBytes,
      info,
    });
    this.#busy.add({ area, start, size: pages + guardBytes / 2 ** this.pageShift, node });
    return area;
  }

  #earlyRanges(early: NonNullable<VmapAreasOptions['early']>): Omit<BusyArea, 'node'>[] {
    const pageBytes = this.#units.bytes(1);
    let last = 0n;
    return early.map(({ address, bytes, info = {} }) => {
      checkInfo(info);
      const size = this.#units.pages(bytes, 'size');
      if (address % pageBytes !== 0n || address < last || size === 0 || address + bytes > 1n << 64n)
        throw new VmError(
          'EINVAL',
          'early areas must be whole pages below 2^64, in ascending order, without overlap',
          {
            address,
          },
        );
      last = address + bytes;
      const area = Object.freeze({ address, bytes, guardBytes: 0, info });
      return { area, start: this.#units.page(address), size };
    });
  }

  #noRoom(bytes: number | bigint, guard: number, align: number, window: AddressWindow): VmError {
    // No counting for this text: a failed request costs no more than any other.
    const waiting = this.#units.bytes(this.#nodes.lazyPages);
    return new VmError(
      'ENOMEM',
      `no free range for ${bytes} bytes and a guard of ${guard}, aligned to ${hex(this.#units.bytes(align))}, in ${windowName(window)}`,
      {
        advice: `${this.count} areas are live and ${waiting} bytes wait for a purge; stats() tells how much is free`,
      },
    );
  }

  #naturalAlign(pages: number): number {
    const order = Math.min(Math.ceil(Math.log2(pages)), this.#ioremapMaxOrder - this.pageShift);
    return 2 ** Math.max(0, order);
  }
}

/** @throws VmError `EINVAL` for a description that vmallocinfo cannot print. */
function checkInfo(info: AreaInfo | undefined): void {
  if (info === undefined) return;
  if (typeof info !== 'object' || info === null)
    throw new VmError('EINVAL', `the info of an area is ${shown(info)}`, { advice: 'pass an object' });
  const { caller } = info;
  if (caller !== undefined) checkCaller(caller);
}

function spanOf(start: bigint, bytes: bigint): { start: bigint; end: bigint; bytes: bigint } {
  return { start, end: start + bytes, bytes };
}
