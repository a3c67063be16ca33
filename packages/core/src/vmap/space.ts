import type { Area } from '../area/area.js';
import type { AddressWindow } from '../area/page-units.js';
import { VmapAreas } from '../area/vmap-areas.js';
import { VmapBlocks } from '../area/vmap-blocks.js';
import { hex, shown, VmError } from '../errors.js';
import type { LinuxPolicy } from '../format/linux-policy.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import { planOf } from '../format/plan.js';
import type { Protection } from '../format/protection.js';
import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { FrameOwners } from '../space/frame-owners.js';
import { checkProtection } from '../table/arguments.js';
import type { MapOptions } from '../table/options.js';
import { spansOf } from '../table/page-range.js';
import { PageTable } from '../table/page-table.js';
import { PageTableReader } from '../table/page-table-reader.js';
import type { Counters } from '../table/state/counters.js';
import type { FlushSink } from '../table/state/flush-sink.js';
import type { AreaHost } from './area-host.js';
import { VmArea } from './areas/vm-area.js';
import { VmStruct } from './areas/vm-struct.js';
import { checkFlags } from './flags.js';
import type { AddressSpaceOptions, EarlyArea, LinuxRelease } from './options.js';

/** What the calls of one address space share: its root, its areas, its memory, and who must be told. */
export class Space implements AreaHost {
  readonly format: PageTableFormat;
  readonly linux: LinuxPolicy;
  readonly release: LinuxRelease;
  readonly memory: PhysicalMemory;
  /** Frames of vmalloc. */
  readonly ram: FrameAllocator;
  readonly owners: FrameOwners;
  readonly totalRamPages: number;
  readonly pageShift: number;
  readonly pageBytes: number;
  /** Frames at or above it fit no entry. */
  readonly pfnLimit: number;
  /** The tables, as they may be changed: never handed out. */
  readonly table: PageTable;
  /** The same root, as everybody may read it. */
  readonly view: PageTableReader;
  readonly areas: VmapAreas;
  readonly blocks: VmapBlocks;
  readonly directMap: AddressWindow | null;
  readonly pages: bigint;
  /** The processor that calls. */
  cpu = 0;
  /** True while a call changes something: sinks and callbacks must not start another. */
  isBusy = false;
  isDestroyed = false;
  /** Where tables come from. */
  readonly #tables: FrameAllocator;
  readonly #handles = new WeakMap<VmStruct, VmArea>();
  readonly #blockShifts: ReadonlySet<number>;
  /** True while the flush of what is unmapped is left to the purge. */
  #isLazy = false;
  /** Flushes that were left to purges, and those that purges made. */
  #leftFlushes = 0;
  #purgeFlushes = 0;

  constructor(options: AddressSpaceOptions) {
    const { format, linux, memory, frames, ram = frames, sink, release = '6.12', early = [] } = options;
    checkParts(early, sink, options.directMap);
    if (typeof linux?.window?.start !== 'bigint' || typeof linux.leaves !== 'object')
      throw new VmError('EINVAL', 'an address space needs `linux`, a Linux policy', {
        advice: 'x8664Linux(), arm64Linux({ … }) and their kin make one',
      });
    if (release !== '6.12' && release !== '2026')
      throw new VmError('EINVAL', `release is ${shown(release)}, expected '6.12' or '2026'`);
    this.linux = linux;
    this.release = release;
    this.memory = memory;
    this.#tables = frames;
    // Without a sink of the caller's there is none at all: a call of one costs a single page more than its own work.
    const parts = {
      ...{ format: format as PageTableFormat, memory, frames },
      ...(sink === undefined ? {} : { sink: this.#tableSink(sink) }),
    };
    this.table = new PageTable(options.root === undefined ? parts : { ...parts, root: options.root });
    try {
      this.view = new PageTableReader({ format: format as PageTableFormat, memory, root: this.table.root });
      this.format = format as PageTableFormat;
      this.pageShift = format.pageShift;
      this.pageBytes = 2 ** format.pageShift;
      this.pages = BigInt(this.pageBytes);
      this.pfnLimit = planOf(this.format).pfnLimit;
      if (typeof ram?.tryAllocate !== 'function' || ram.pageShift !== format.pageShift)
        throw new VmError('EINVAL', '`ram` is no FrameAllocator with the pages of the format');
      if (ram.first + ram.frames > this.pfnLimit)
        throw new VmError(
          'EINVAL',
          `\`ram\` has frames that do not fit ${format.paBits} physical address bits`,
        );
      requireApart(ram, frames, '`ram`');
      this.ram = ram;
      this.owners = new FrameOwners(ram, frames);
      this.totalRamPages = options.totalRamPages ?? ram.frames;
      if (!Number.isSafeInteger(this.totalRamPages) || this.totalRamPages < 1)
        throw new VmError('EINVAL', `totalRamPages is ${shown(this.totalRamPages)}, expected 1 or more`);
      this.#blockShifts = new Set(
        format.levels.filter(({ leaf }) => leaf !== null).map(({ shift }) => shift),
      );
      const { vmalloc, vmap, ioremap } = linux.leaves ?? {};
      for (const shifts of [vmalloc, vmap, ioremap])
        if (!Array.isArray(shifts) || shifts[0] !== format.pageShift)
          throw new VmError(
            'EINVAL',
            `the policy ${shown(linux.name)} has other pages than the format ${format.name}`,
          );
      this.requireTranslated(linux.window, 'the vmalloc window');
      const structs = early.map((one) => this.#earlyStruct(one));
      this.areas = new VmapAreas({
        window: linux.window,
        pageShift: format.pageShift,
        guardBytes: linux.guardBytes,
        ioremapMaxOrder: linux.ioremapMaxOrder,
        cpus: options.cpus ?? 1,
        ...(options.onlineCpus === undefined ? {} : { onlineCpus: options.onlineCpus }),
        autoPurge: options.autoPurge ?? true,
        early: early.map(({ address, bytes }, i) => ({ address, bytes, info: structs[i] as VmStruct })),
        sink: {
          flush: (va, bytes, leafShift, tables) => {
            this.#purgeFlushes++;
            sink?.flush(va, bytes, leafShift, tables);
          },
        },
      });
      for (const area of this.areas) (area.info as VmStruct).area = area;
      this.blocks = new VmapBlocks({ areas: this.areas, blockPages: options.blockPages ?? 1024 });
      this.directMap = options.directMap === undefined ? null : this.#mapDirectly(options.directMap.base);
    } catch (error) {
      // The root was made first, since its checks are those of format, memory and frames. Nobody saw it, and no sink can keep it.
      this.#isLazy = true;
      if (options.root === undefined) this.table.destroy();
      throw error;
    }
  }

  /** Exact work so far. A flush that is left to a purge counts when the purge makes it. */
  counters(): Counters {
    const { counters } = this.table;
    return { ...counters, flushes: counters.flushes - this.#leftFlushes + this.#purgeFlushes };
  }

  /**
   * Runs a call that changes something.
   *
   * @throws VmError `EBUSY` from within a sink or callback, `EINVAL` when the space was destroyed; whatever the call throws.
   */
  change<R>(call: () => R): R {
    this.requireIdle();
    this.isBusy = true;
    try {
      return call();
    } finally {
      this.isBusy = false;
    }
  }

  /** @throws VmError as `change`. */
  requireIdle(): void {
    if (this.isDestroyed) throw new VmError('EINVAL', 'the address space was destroyed');
    if (this.isBusy)
      throw new VmError('EBUSY', 'the address space is in the middle of a call', {
        advice: 'a flush sink or callback may look, and must not change anything',
      });
  }

  /** The handle of an area: always the same object. */
  handleOf(vm: VmStruct): VmArea {
    let handle = this.#handles.get(vm);
    if (handle === undefined) {
      handle = new VmArea(this, vm);
      this.#handles.set(vm, handle);
    }
    return handle;
  }

  /** Bytes rounded up to whole pages. */
  wholePages(bytes: bigint): bigint {
    return (bytes + this.pages - 1n) & ~(this.pages - 1n);
  }

  /** Sizes that a call of Linux may use, as the engine's caps. */
  capsOf(shifts: readonly number[], most: number): MapOptions {
    let leaf = this.pageShift;
    let run = 0;
    for (const shift of shifts) {
      if (shift > most) continue;
      leaf = Math.max(leaf, shift);
      if (!this.#blockShifts.has(shift)) run = Math.max(run, shift);
    }
    return { maxLeafShift: leaf, maxRunShift: run };
  }

  /** True for a size of blocks, false for one of runs. */
  isBlockShift(shift: number): boolean {
    return this.#blockShifts.has(shift);
  }

  /** A protection without execution (pgprot_nx). */
  withoutExecute(protection: Protection): Protection {
    const checked = checkProtection(protection);
    const { execute, extra } = checked;
    const without = extra & ~(this.linux.executeBits ?? 0n);
    if (!execute && without === extra) return checked;
    return Object.freeze({ ...checked, execute: false, extra: without });
  }

  /** Removes what an area maps and leaves the flush to the purge that makes its addresses free again. */
  unmapLazily(address: bigint, bytes: bigint): void {
    const before = this.table.counters.flushes;
    this.#isLazy = true;
    try {
      this.table.unmap(address, bytes);
    } finally {
      this.#isLazy = false;
      this.#leftFlushes += this.table.counters.flushes - before;
    }
  }

  /** Memory of the machine, as opposed to devices: what the allocators of pages and of tables hand out. */
  isRam(first: number, count: number = 1): boolean {
    return holds(this.ram, first, count) || holds(this.#tables, first, count);
  }

  /** @throws VmError `EINVAL` when an allocator has frames of the space's own: both would hand them out. */
  requireOthers(frames: FrameAllocator, what: string): void {
    requireApart(frames, this.ram, what);
    requireApart(frames, this.#tables, what);
  }

  /** @throws VmError `ERANGE` when the root does not translate a window. */
  requireTranslated({ start, end }: AddressWindow, what: string): void {
    const isInside = spansOf(this.format).some((span) => start >= span.start && end <= span.end);
    if (!isInside)
      throw new VmError('ERANGE', `${what} ${hex(start)} .. ${hex(end)} is not all translated by one root`, {
        advice: `the format is ${this.format.name}`,
      });
  }

  /** @throws VmError `E2BIG` when a call asks for more pages than the machine has. */
  requireRam(pages: number): void {
    if (pages > this.totalRamPages)
      throw new VmError('E2BIG', `${pages} pages are more than the machine has: ${this.totalRamPages}`);
  }

  /** Frees everything and the root. */
  destroy(): void {
    this.change(() => {
      const structs = [...this.areas].map(({ info }) => info).filter((info) => info instanceof VmStruct);
      for (const { owned, lazy } of structs) {
        if (owned !== null) this.owners.checkAllocated(owned);
        lazy?.checkAllocated();
      }
      this.table.destroy();
      this.isDestroyed = true;
      const errors: unknown[] = [];
      for (const vm of structs) {
        vm.isLive = false;
        if (vm.owned !== null) this.owners.free(vm.owned);
        errors.push(...(vm.lazy?.releaseAll() ?? []));
      }
      if (errors.length > 0) throw errors[0];
    });
  }

  #tableSink(sink: FlushSink): FlushSink {
    return {
      flush: (va, bytes, leafShift, tables) => {
        if (!this.#isLazy) sink.flush(va, bytes, leafShift, tables);
      },
    };
  }

  #earlyStruct({ flags = 0, bytes, physical, caller }: EarlyArea): VmStruct {
    const vm = new VmStruct(checkFlags(flags), bytes, caller);
    vm.physical = physical ?? null;
    return vm;
  }

  #mapDirectly(base: bigint): AddressWindow {
    const { first, frames } = this.ram;
    const physical = BigInt(first) << BigInt(this.pageShift);
    const bytes = BigInt(frames) << BigInt(this.pageShift);
    const start = base + physical;
    const { window } = this.linux;
    if (start < window.end && start + bytes > window.start)
      throw new VmError('EINVAL', 'the direct map lies over the vmalloc window', { address: start });
    this.table.mapRange(start, physical, bytes, this.linux.protections.PAGE_KERNEL);
    return { start, end: start + bytes };
  }
}

/** Parts that are looked at late, when something was made already. */
function checkParts(
  early: AddressSpaceOptions['early'],
  sink: AddressSpaceOptions['sink'],
  directMap: AddressSpaceOptions['directMap'],
): void {
  const isEarly = (one: EarlyArea) => typeof one?.address === 'bigint' && typeof one.bytes === 'bigint';
  if (!Array.isArray(early) || !early.every(isEarly))
    throw new VmError('EINVAL', '`early` is no list of areas', {
      advice: 'pass { address, bytes } for each, bigint of bytes',
    });
  if (sink !== undefined && typeof sink?.flush !== 'function')
    throw new VmError('EINVAL', '`sink` has no function flush');
  if (directMap !== undefined && typeof directMap?.base !== 'bigint')
    throw new VmError('EINVAL', '`directMap` has no base', { advice: 'pass { base }, bigint of bytes' });
}

/** The vm area of a reservation; `null` for a range of `vmMapRam`. */
export function structOf(area: Area | undefined): VmStruct | null {
  return area?.info instanceof VmStruct ? area.info : null;
}

/** True when an allocator has one of adjacent frames. */
function holds({ first, frames }: FrameAllocator, pfn: number, count: number): boolean {
  return pfn < first + frames && pfn + count > first;
}

/** @throws VmError `EINVAL` when two allocators have frames in common and are not one. */
function requireApart(a: FrameAllocator, b: FrameAllocator, what: string): void {
  if (a.state !== b.state && holds(a, b.first, b.frames))
    throw new VmError('EINVAL', `${what} has frames that another allocator of the space hands out too`, {
      advice: 'use one allocator for both, or ranges that are apart',
    });
}
