import { checkSink } from '../check/sink.js';
import { hex, VmError, wideHex } from '../errors.js';
import type { Controls } from '../format/access.js';
import type { PageTableFormat } from '../format/page-table-format.js';
import { planOf } from '../format/plan.js';
import type { Protection } from '../format/protection.js';
import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { MapOptions } from '../table/options.js';
import { type Span, spansOf } from '../table/page-range.js';
import { PageTable } from '../table/page-table.js';
import { PageTableReader } from '../table/page-table-reader.js';
import { noteAreas } from '../table/state/area-users.js';
import { changeTables } from '../table/state/change-lock.js';
import type { Counters } from '../table/state/counters.js';
import { flush } from '../table/state/flush.js';
import type { FlushSink } from '../table/state/flush-sink.js';
import type { PageTableOptions } from '../table/state/make.js';
import { contextBehind } from '../table/state/registry.js';
import { ChangeLock } from './change-lock.js';
import { DirectMap } from './direct-map.js';
import { FlushLedger } from './flush-ledger.js';
import { MachineMemory } from './machine-memory.js';

/** What a space is made of. */
export interface SpaceParts {
  readonly format: PageTableFormat;
  readonly memory: PhysicalMemory;
  /** Where tables come from. */
  readonly frames: FrameAllocator;
  /** Where pages come from. */
  readonly ram: FrameAllocator;
  readonly totalRamPages: number | undefined;
  /** Physical address in bytes of an existing root; `undefined` for a new one. */
  readonly root: bigint | undefined;
  /** Entries that point to tables, without the address; `undefined` for the format's. */
  readonly tableEntry: bigint | undefined;
  readonly asid: number | undefined;
  /** Processor modes for walks that differ from the format's. */
  readonly controls: Partial<Controls> | undefined;
  readonly sink: FlushSink | undefined;
  /** Makes the tables in another way; `undefined` for tables of one thread. */
  readonly makeTable?: ((options: PageTableOptions) => PageTable) | undefined;
  /** `undefined` for one of this thread alone. */
  readonly lock?: ChangeLock | undefined;
}

/** The processes of a kernel, as its space knows them. */
export interface KernelUsers {
  /**
   * An area outside of the vmalloc window is about to be used: makes its addresses visible to every process.
   *
   * @throws VmError `ENOMEM`, and nothing is changed.
   */
  reach(address: bigint, bytes: bigint): void;
  /** @throws VmError `EBUSY` while there are processes. */
  requireNone(): void;
}

/**
 * An address space: a root and what belongs to it. It has a lock, a memory and a direct map, and it knows
 * whom to tell when translations go. It knows no vm area. What reserves addresses and maps in them is built
 * on it.
 */
export class Space {
  readonly format: PageTableFormat;
  readonly memory: PhysicalMemory;
  readonly pageShift: number;
  readonly pageBytes: number;
  /** Bytes of a page, as a bigint for addresses. */
  readonly pages: bigint;
  /** Frames at or above it fit no entry. */
  readonly pfnLimit: number;
  /** The tables, for changes. They are never handed out. */
  readonly table: PageTable;
  /** The same root, for everybody to read. */
  readonly view: PageTableReader;
  readonly lock: ChangeLock;
  readonly machine: MachineMemory;
  readonly flushes: FlushLedger;
  readonly asid: number;
  /** Where all memory is mapped; `null` for nowhere. */
  directMap: DirectMap | null = null;
  /** Its processes; `null` for none. */
  users: KernelUsers | null = null;
  /** log2 of the bytes that no leaf may have: processes have copies of the root's entries. 64 for no limit. */
  leafLimit = 64;
  readonly #blockShifts: ReadonlySet<number>;

  /**
   * @throws VmError `EINVAL` when parts do not fit together; `ENOMEM` when there is no frame for the root;
   *   `EFAULT` when an existing one has no bytes.
   */
  constructor(parts: SpaceParts) {
    const { format, memory, frames, ram, totalRamPages, root, tableEntry, asid, controls, sink } = parts;
    this.lock = parts.lock ?? new ChangeLock();
    this.flushes = new FlushLedger(sink ?? null);
    const tableSink = this.flushes.tableSink();
    // First, since it checks format, memory and frames.
    const { makeTable = (options: PageTableOptions) => new PageTable(options) } = parts;
    this.table = makeTable({
      ...{ format, memory, frames },
      ...(tableSink === null ? {} : { sink: tableSink }),
      ...(root === undefined ? {} : { root }),
      ...(tableEntry === undefined ? {} : { tableEntry }),
      ...(asid === undefined ? {} : { asid }),
    });
    this.format = format;
    this.memory = memory;
    this.asid = asid ?? 0;
    this.pageShift = format.pageShift;
    this.pageBytes = 2 ** format.pageShift;
    this.pages = BigInt(this.pageBytes);
    this.pfnLimit = planOf(format).pfnLimit;
    this.#blockShifts = new Set(format.levels.filter(({ leaf }) => leaf !== null).map(({ shift }) => shift));
    try {
      const modes = controls === undefined ? {} : { controls };
      this.view = new PageTableReader({ format, memory, root: this.table.root, ...modes });
      this.machine = new MachineMemory(format, this.pfnLimit, frames, ram, totalRamPages);
      this.noteAreas(frames);
      this.noteAreas(ram);
    } catch (error) {
      if (root === undefined) this.abandon();
      throw error;
    }
  }

  /** Areas of this space use frames of an allocator from now on. */
  noteAreas({ state }: FrameAllocator): void {
    noteAreas(state, contextBehind(this.table));
  }

  /**
   * Tells one more sink of flushes: another processor uses the tables.
   *
   * @returns what ends it.
   */
  addSink(sink: FlushSink): () => void {
    checkSink(sink);
    if (sink === undefined) throw new VmError('EINVAL', 'addSink() needs a sink');
    const end = this.flushes.add(sink);
    contextBehind(this.table).sink ??= this.flushes.tableSink();
    return end;
  }

  /** Frees a root that nobody has seen. No sink can have cached any of it. */
  abandon(): void {
    this.flushes.silence();
    this.table.destroy();
  }

  /**
   * Frees the tables and the root. `view`, and what was made from it, reads none of them afterwards.
   *
   * @throws VmError as `PageTable.destroy`. Nothing is then changed.
   */
  destroyTables(): void {
    this.table.destroy();
    contextBehind(this.view).isDestroyed = true;
    this.lock.isDestroyed = true;
  }

  /** Exact work so far. A flush that is left to a purge counts when the purge makes it. */
  counters(): Counters {
    const { counters } = this.table;
    return { ...counters, flushes: this.flushes.made(counters.flushes) };
  }

  /** Removes what a range maps, and leaves the flush to the purge that makes its addresses free again. */
  unmapLazily(address: bigint, bytes: bigint): void {
    this.flushes.leave(
      () => this.table.counters.flushes,
      () => this.table.unmap(address, bytes),
    );
  }

  /** Runs a call of the tables, and leaves its flush to the caller, who calls `flushPages`. */
  withoutFlush<R>(call: () => R): R {
    return this.flushes.leave(() => this.table.counters.flushes, call, 'batch');
  }

  /**
   * Flushes base pages: what the caller took over (flush_tlb_kernel_range).
   *
   * @param first - page index.
   */
  flushPages(first: number, pages: number): void {
    const context = contextBehind(this.table);
    changeTables(context, () => flush(context, first, pages, this.pageShift, []));
  }

  /** Maps all memory from a base address on: the direct map. */
  mapDirectly(base: bigint, protection: Protection): DirectMap {
    const { ram } = this.machine;
    const map = new DirectMap(base, ram);
    const physical = BigInt(ram.first) << BigInt(this.pageShift);
    this.table.mapRange(map.start, physical, map.end - map.start, protection);
    this.directMap = map;
    return map;
  }

  /** Bytes rounded up to whole pages. */
  wholePages(bytes: bigint): bigint {
    return (bytes + this.pages - 1n) & ~(this.pages - 1n);
  }

  /** The caps for leaf sizes that a call of Linux may use. */
  capsOf(shifts: readonly number[], most: number): MapOptions {
    let leaf = this.pageShift;
    let run = 0;
    for (const shift of shifts) {
      if (shift > most || shift >= this.leafLimit) continue;
      leaf = Math.max(leaf, shift);
      if (!this.#blockShifts.has(shift)) run = Math.max(run, shift);
    }
    return { maxLeafShift: leaf, maxRunShift: run };
  }

  /** True for a block size, false for a run size. */
  isBlockShift(shift: number): boolean {
    return this.#blockShifts.has(shift);
  }

  /** @throws VmError `ERANGE` when the root does not translate a window. */
  requireTranslated({ start, end }: Span, what: string): void {
    const isInside = spansOf(this.format).some((span) => start >= span.start && end <= span.end);
    if (!isInside)
      throw new VmError(
        'ERANGE',
        `${what} ${hex(start)} .. ${wideHex(end)} is not all translated by one root`,
        {
          advice: `the format is ${this.format.name}`,
        },
      );
  }
}
