import { hex, VmError } from '../errors.js';
import type { FlushSink } from '../table/flush.js';
import type { Area, AreaInfo } from './area.js';
import { type BusyArea, BusyAreas } from './busy-areas.js';
import { FreeSpace, NOTHING_FITS } from './free-space.js';
import { NIL } from './interval-tree.js';
import { takePercpu } from './percpu-areas.js';
import { formatVmallocinfo } from './vmallocinfo.js';
import { VmapNodes } from './vmap-nodes.js';

/** The space and the machine. */
export interface VmapAreasOptions {
  /**
   * The window that requests have when they name none, in bytes, as a `LinuxPolicy` has it. A page that is only partly inside is not
   * used.
   */
  readonly window: { readonly start: bigint; readonly end: bigint };
  /** log2 of the page size: 12, 14 or 16. */
  readonly pageShift: number;
  /** Bytes kept unmapped after an area that does not say otherwise. Default 0. */
  readonly guardBytes?: number;
  /** log2 of the largest alignment of a device range. Default 7 more than `pageShift` (IOREMAP_MAX_ORDER). */
  readonly ioremapMaxOrder?: number;
  /**
   * Possible processors, 1 to 128: each has pools for what it freed. Default 1: no pools, always the lowest fit.
   *
   * Source: Linux 6.12, vmap_init_nodes.
   */
  readonly cpus?: number;
  /** Processors that are online, which decide how much may wait. Default `cpus`. */
  readonly onlineCpus?: number;
  /** Areas that are there from the start, by address: images of the kernel, early device ranges. */
  readonly early?: readonly { readonly address: bigint; readonly bytes: bigint; readonly info?: AreaInfo }[];
  /** Who must forget translations before addresses may be used again. */
  readonly sink?: FlushSink;
}

/** What a reservation asks for beside its size. */
export interface ReserveOptions {
  /** Alignment in bytes: a power of two of at least a page, which is the default. */
  readonly align?: bigint;
  /** Bytes to keep free after the area, whole pages. */
  readonly guardBytes?: number;
  /** Where it must lie, in bytes, the end exclusive. Default that of the areas. */
  readonly window?: { readonly start: bigint; readonly end: bigint };
  /** A device range (VM_IOREMAP): aligned to its own size, rounded up to a power of two, up to `ioremapMaxOrder`. */
  readonly ioremap?: boolean;
  /** The processor that asks, by number. Default 0. */
  readonly cpu?: number;
  /** What is known of the area. */
  readonly info?: AreaInfo;
}

/** How much is where, in bytes. */
export interface AreaStats {
  /** Live areas. */
  readonly areas: number;
  /** Bytes of live areas, guards included. */
  readonly busyBytes: bigint;
  /** Bytes that were freed and wait for a purge. */
  readonly lazyBytes: bigint;
  /** Bytes that are parked in pools, and in how many ranges. */
  readonly pooledBytes: bigint;
  readonly pooledRanges: number;
  /** Free bytes of the window, in how many pieces, and the largest of them. */
  readonly freeBytes: bigint;
  readonly freeRanges: number;
  readonly largestFree: bigint;
}

/** Bytes that may wait for each doubling of processors: 32 MiB (lazy_max_pages). */
const LAZY_BYTES = 2 ** 25;
const MAX_CPUS = 128;

/**
 * The vm areas of a kernel, placed as Linux places them.
 *
 * A request gets the address that Linux 6.12 would give it after the same history: by its search of an augmented red-black tree,
 * whose answer for large alignments depends on the tree's shape, and with several processors by pools of what each freed. What is freed
 * cannot be used again before a purge, which flushes once over all that was freed.
 *
 * It knows nothing of page tables. Addresses and sizes are bytes at the face.
 *
 * @example
 * ```ts
 * const areas = new VmapAreas({ ...x8664Linux(), pageShift: 12 });
 * const area = areas.reserve(0x4000, { info: { words: ['vmalloc'] } });
 * areas.find(area.address + 0x4000n) === area; // true: the guard belongs to the area
 * areas.free(area);
 * areas.reserve(0x4000).address === area.address; // false: that waits for a purge
 * ```
 */
export class VmapAreas {
  readonly #pageShift: number;
  readonly #window: { readonly start: bigint; readonly end: bigint };
  readonly #guardBytes: number;
  readonly #ioremapMaxOrder: number;
  readonly #cpus: number;
  readonly #sink: FlushSink | undefined;
  readonly #free: FreeSpace;
  readonly #nodes: VmapNodes;
  readonly #busy: BusyAreas;
  #reclaim: () => void = () => {};

  /** Pages that may wait before a purge follows by itself (lazy_max_pages). */
  readonly lazyMaxPages: number;

  /** @throws VmError `EINVAL` for a window without a whole page, bad counts, or early areas that overlap or are out of order. */
  constructor(options: VmapAreasOptions) {
    const { window, pageShift, guardBytes = 0, cpus = 1, onlineCpus = cpus, early = [] } = options;
    if (!Number.isInteger(pageShift) || pageShift < 12 || pageShift > 16)
      throw new VmError('EINVAL', `page shift ${pageShift} is not a whole number from 12 to 16`);
    this.#pageShift = pageShift;
    for (const [name, number] of Object.entries({ cpus, onlineCpus }))
      if (!Number.isInteger(number) || number < 1 || number > MAX_CPUS)
        throw new VmError('EINVAL', `${name} is ${number}, expected 1 to ${MAX_CPUS}`);
    this.#window = this.#checkWindow(window);
    this.#guardBytes = guardBytes;
    this.#pages(guardBytes, 'guard');
    this.#ioremapMaxOrder = options.ioremapMaxOrder ?? pageShift + 7;
    this.#cpus = cpus;
    this.#sink = options.sink;
    this.lazyMaxPages = (32 - Math.clz32(onlineCpus)) * (LAZY_BYTES / 2 ** pageShift);
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

  /** Pages that were freed and wait, guards included. */
  get lazyPages(): number {
    return this.#nodes.lazyPages;
  }

  /**
   * Reserves a range. When nothing fits, all that waits is purged, pools included, and the search is made once more.
   *
   * @param bytes - usable bytes: whole pages, at least one.
   * @throws VmError `EINVAL` when size, alignment, guard, window or processor makes no sense; `ENOMEM` when nothing fits.
   */
  reserve(bytes: number | bigint, options: ReserveOptions = {}): Area {
    const pages = this.#pages(bytes, 'size');
    if (pages === 0) throw new VmError('EINVAL', 'an area needs at least one page, not 0 bytes');
    const guardBytes = options.guardBytes ?? this.#guardBytes;
    const size = pages + this.#pages(guardBytes, 'guard');
    const align = options.ioremap === true ? this.#naturalAlign(pages) : this.#alignPages(options.align);
    const window = options.window === undefined ? this.#window : this.#checkWindow(options.window);
    const cpu = options.cpu ?? 0;
    if (!Number.isInteger(cpu) || cpu < 0 || cpu >= this.#cpus)
      throw new VmError('EINVAL', `processor ${cpu} is none of the ${this.#cpus}`);
    const isUsual = window.start === this.#window.start && window.end === this.#window.end;
    const node = isUsual && this.#cpus > 1 ? cpu : -1;
    let start = node >= 0 ? this.#nodes.take(node, size, align) : NOTHING_FITS;
    if (start < 0) start = this.#takeOrPurge(size, align, window);
    if (start < 0) throw this.#noRoom(bytes, guardBytes, align, window);
    return this.#add(start, pages, guardBytes, node, options.info);
  }

  /**
   * Reserves ranges at fixed distances from one base, from the top of the window downwards and without guards: chunks of per-cpu
   * memory.
   *
   * @param offsets - of each range from the base, in bytes: multiples of `align`.
   * @param sizes - of each, in bytes: multiples of `align`.
   * @param align - of the base in bytes: a power of two of at least a page.
   * @throws VmError `EINVAL` when they are misaligned, overlap, or their numbers differ; `ENOMEM` when they fit nowhere.
   */
  reservePercpu(offsets: readonly number[], sizes: readonly number[], align: bigint): readonly Area[] {
    const step = this.#alignPages(align);
    const pages = [offsets, sizes].map((list) => list.map((bytes) => this.#pages(bytes, 'part')));
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
    const { vstart, vend } = this.#pagesOf(this.#window);
    const request = { offsets: starts, sizes: lengths, align: step, vstart, vend };
    let base = takePercpu(this.#free, request);
    if (base < 0) {
      this.#purgeNodes(true);
      base = takePercpu(this.#free, request);
    }
    if (base < 0)
      throw new VmError('ENOMEM', `no place for ${starts.length} parts in ${this.#name(this.#window)}`);
    return starts.map((start, i) =>
      this.#add(base + start, lengths[i] as number, 0, -1, { words: ['vmalloc'] }),
    );
  }

  /**
   * Frees an area. Its addresses wait for a purge, which follows by itself once more than `lazyMaxPages` wait.
   *
   * @throws VmError `EINVAL` when the area is not live here. An error of the sink: then all of it still waits.
   */
  free(area: Area): void {
    const busy = this.#busy.find(this.#page(area.address));
    if (busy?.area !== area) {
      throw new VmError('EINVAL', 'the area is not live here', {
        address: area.address,
        advice: 'it was freed before or belongs to other areas',
      });
    }
    this.#busy.remove(busy);
    this.#nodes.add({ start: busy.start, size: busy.size, node: busy.node });
    if (this.#nodes.lazyPages > this.lazyMaxPages) this.#purgeNodes(false);
  }

  /** The live area that holds an address, in its usable bytes or in its guard. */
  find(address: bigint): Area | undefined {
    return this.#busy.find(this.#page(address))?.area;
  }

  /**
   * Makes what was freed usable again: one flush over all of it, then ranges of up to 256 pages go to their processors' pools and the
   * others to the free space (vm_unmap_aliases).
   *
   * @param also - bytes that the flush must cover besides: it is made even when nothing waits.
   * @returns the number of areas that waited.
   * @throws an error of the sink: then all of it still waits.
   */
  purge(also?: { readonly start: bigint; readonly end: bigint }): number {
    return this.#purgeNodes(false, also);
  }

  /**
   * Names who can give areas back when nothing fits: it is asked before all that waits is purged (VmapBlocks).
   *
   * @param reclaim - frees what it can, by `free`.
   */
  setReclaim(reclaim: () => void): void {
    this.#reclaim = reclaim;
  }

  /** Empties the pools, as Linux does when memory is short. */
  shrink(): void {
    this.#nodes.shrink();
  }

  /** How much is where. It looks at every free range of the window. */
  stats(): AreaStats {
    const { tree } = this.#free;
    const { vstart, vend } = this.#pagesOf(this.#window);
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
      busyBytes: this.#bytes(busy),
      lazyBytes: this.#bytes(this.#nodes.lazyPages),
      pooledBytes: this.#bytes(this.#nodes.pooledPages),
      pooledRanges: this.#nodes.pooled,
      freeBytes: this.#bytes(free),
      freeRanges: ranges,
      largestFree: this.#bytes(largest),
    };
  }

  /** The text of /proc/vmallocinfo, in Linux's order: node by node and by address, and then what waits. */
  vmallocinfo(): string {
    const areas = [...this.#busy].map(({ area }) => area);
    const waiting = Array.from(
      { length: this.#nodes.count },
      (_, node) => this.#nodes.state(node).lazy,
    ).flat();
    return formatVmallocinfo([
      ...areas.map(({ address, bytes, guardBytes, info }) => ({
        ...{ type: info.isRam === true ? ('vm_map_ram' as const) : ('area' as const), info },
        ...{ start: address, end: address + bytes + BigInt(guardBytes) },
      })),
      ...waiting.map(({ start, size }) => ({
        ...{ type: 'unpurged' as const, info: {} },
        ...{ start: this.#bytes(start), end: this.#bytes(start + size) },
      })),
    ]);
  }

  /** The areas that are live at the moment of the call, by address. Freeing them on the way is allowed. */
  [Symbol.iterator](): IterableIterator<Area> {
    const all = [...this.#busy];
    return all
      .sort((a, b) => a.start - b.start)
      .map(({ area }) => area)
      .values();
  }

  #takeOrPurge(size: number, align: number, window: { start: bigint; end: bigint }): number {
    const { vstart, vend } = this.#pagesOf(window);
    const start = this.#free.take(size, align, vstart, vend);
    if (start >= 0) return start;
    this.#purgeNodes(true);
    return this.#free.take(size, align, vstart, vend);
  }

  /** Flushes what waits, and purges: in this order, so that an error of the sink changes nothing. */
  #purgeNodes(isFull: boolean, also?: { readonly start: bigint; readonly end: bigint }): number {
    if (isFull) this.#reclaim();
    const hull = this.#nodes.hull();
    const starts = [
      ...(hull === null ? [] : [this.#bytes(hull.start)]),
      ...(also === undefined ? [] : [also.start]),
    ];
    const ends = [
      ...(hull === null ? [] : [this.#bytes(hull.end)]),
      ...(also === undefined ? [] : [also.end]),
    ];
    const [start] = starts.sort(ascending);
    const end = ends.sort(ascending).at(-1);
    if (start !== undefined && end !== undefined) this.#sink?.flush(start, end - start, this.#pageShift, []);
    return this.#nodes.purge(isFull).areas;
  }

  #add(start: number, pages: number, guardBytes: number, node: number, info: AreaInfo = {}): Area {
    const area: Area = Object.freeze({
      address: this.#bytes(start),
      bytes: this.#bytes(pages),
      guardBytes,
      info,
    });
    this.#busy.add({ area, start, size: pages + guardBytes / 2 ** this.#pageShift, node });
    return area;
  }

  #earlyRanges(early: NonNullable<VmapAreasOptions['early']>): Omit<BusyArea, 'node'>[] {
    let last = 0;
    return early.map(({ address, bytes, info = {} }) => {
      const [start, size] = [this.#page(address), this.#pages(bytes, 'size')];
      if (address % (1n << BigInt(this.#pageShift)) !== 0n || start < last || size === 0)
        throw new VmError('EINVAL', 'early areas are whole pages, by address, without overlap', { address });
      last = start + size;
      return { area: Object.freeze({ address, bytes: BigInt(bytes), guardBytes: 0, info }), start, size };
    });
  }

  #noRoom(
    bytes: number | bigint,
    guard: number,
    align: number,
    window: { start: bigint; end: bigint },
  ): VmError {
    const { freeBytes, freeRanges, largestFree } = this.stats();
    return new VmError(
      'ENOMEM',
      `no free range for ${bytes} bytes and a guard of ${guard}, aligned to ${hex(this.#bytes(align))}, in ${this.#name(window)}`,
      {
        advice: `its usual window has ${freeBytes} bytes free in ${freeRanges} pieces, ${largestFree} in the largest`,
      },
    );
  }

  #name({ start, end }: { start: bigint; end: bigint }): string {
    return `the window ${hex(start)} .. ${hex(end)}`;
  }

  #checkWindow(window: { readonly start: bigint; readonly end: bigint }): { start: bigint; end: bigint } {
    const { start, end } = window;
    if (typeof start !== 'bigint' || typeof end !== 'bigint')
      throw new VmError('EINVAL', 'the start and end of the window are bigints of bytes');
    if (start < 0n || end > 1n << 64n)
      throw new VmError('EINVAL', `the window ${start} .. ${end} leaves the 64-bit address space`);
    const { vstart, vend } = this.#pagesOf(window);
    if (vstart >= Math.floor(vend))
      throw new VmError('EINVAL', `${this.#name(window)} holds no page of ${2 ** this.#pageShift} bytes`);
    return { start, end };
  }

  /** A window in pages, as `FreeSpace` takes it. */
  #pagesOf({ start, end }: { start: bigint; end: bigint }): { vstart: number; vend: number } {
    const isRagged = BigInt.asUintN(this.#pageShift, end) !== 0n;
    return {
      vstart: this.#page(start + (1n << BigInt(this.#pageShift)) - 1n),
      vend: this.#page(end) + (isRagged ? 0.5 : 0),
    };
  }

  #naturalAlign(pages: number): number {
    const order = Math.min(Math.ceil(Math.log2(pages)), this.#ioremapMaxOrder - this.#pageShift);
    return 2 ** Math.max(0, order);
  }

  #alignPages(align: bigint | undefined): number {
    if (align === undefined) return 1;
    if (typeof align !== 'bigint')
      throw new VmError('EINVAL', `the alignment has type ${typeof align}, expected bigint of bytes`);
    const page = 1n << BigInt(this.#pageShift);
    if (align < page || (align & (align - 1n)) !== 0n || align >= 1n << 64n)
      throw new VmError(
        'EINVAL',
        `alignment ${hex(align)} is not a power of two of at least the page size ${hex(page)}`,
      );
    return Number(align >> BigInt(this.#pageShift));
  }

  /** Page number of an address; exact for every 64-bit address. */
  #page(address: bigint): number {
    return Number(address >> BigInt(this.#pageShift));
  }

  #bytes(pages: number): bigint {
    return BigInt(pages) << BigInt(this.#pageShift);
  }

  /** A length in pages. */
  #pages(bytes: number | bigint, what: string): number {
    if (typeof bytes !== 'number' && typeof bytes !== 'bigint')
      throw new VmError(
        'EINVAL',
        `the ${what} has type ${typeof bytes}, expected number or bigint, of bytes`,
      );
    if (typeof bytes === 'number' && !Number.isSafeInteger(bytes))
      throw new VmError('EINVAL', `${what} ${bytes} is not a whole number of bytes`);
    const exact = BigInt(bytes);
    const page = 1n << BigInt(this.#pageShift);
    if (exact < 0n || exact % page !== 0n || exact >= 1n << 64n)
      throw new VmError('EINVAL', `${what} ${bytes} is not a multiple of the page size ${hex(page)}`);
    return Number(exact >> BigInt(this.#pageShift));
  }
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
