import { CheckError } from '@vmarea/cli';
import {
  AddressSpace,
  type FrameAllocator,
  hex,
  VM_ALLOW_HUGE_VMAP,
  type VmallocRequest,
  VmError,
} from '@vmarea/core';
import type { Bed } from './bed.js';
import type { Parameters } from './parameters.js';

/** The measured work of a case, over all repetitions. */
export interface Work {
  milliseconds: number;
  /** Calls that allocate, free, map, unmap or resize. */
  operations: number;
  tablesRead: number;
  entriesWritten: number;
  flushes: number;
  /** Purges that flushed. */
  purges: number;
  /** The most pages that waited for a purge, with guards. */
  lazyPages: number;
}

/** The byte that is left in pages for a later call to zero. */
const NOT_ZERO = 0xa5;

/** The kernel of a case: the calls of the module, and their counts. */
export class Run {
  readonly bed: Bed;
  /** The frames of pages. */
  readonly ram: FrameAllocator;
  readonly kernel: AddressSpace;
  readonly pageBytes: number;
  /** Calls so far that allocate, free, map, unmap or resize. */
  operations = 0;
  readonly work: Work = {
    ...{ milliseconds: 0, operations: 0, tablesRead: 0, entriesWritten: 0 },
    ...{ flushes: 0, purges: 0, lazyPages: 0 },
  };
  readonly #after: (() => void)[] = [];
  readonly #pageShift: number;
  #isMeasuring = false;
  /** Milliseconds of checks within the case. They are not part of its time. */
  #lookingMs = 0;

  constructor(bed: Bed, ram: FrameAllocator, { release, cpus }: Parameters) {
    const { configuration, memory, tables } = bed;
    const { format, linux } = configuration;
    this.bed = bed;
    this.ram = ram;
    this.#pageShift = format.pageShift;
    this.pageBytes = 2 ** format.pageShift;
    const sink = { flush: (va: bigint): void => this.#seeFlush(va) };
    this.kernel = new AddressSpace({ format, linux, memory, frames: tables, ram, release, cpus, sink });
  }

  /** Allocates. Returns 0n where Linux returns NULL. */
  vmalloc(pages: number, more: Partial<VmallocRequest> = {}): bigint {
    this.operations++;
    const address = orNull(() => this.kernel.vmallocNodeRange({ ...more, size: pages * this.pageBytes }));
    if (more.zero === true && address !== 0n) this.#checkZeros(address, pages);
    return address;
  }

  /** Allocates with larger leaves where they fit (vmalloc_huge). */
  vmallocHuge(pages: number): bigint {
    return this.vmalloc(pages, { flags: VM_ALLOW_HUGE_VMAP });
  }

  /** Resizes. Returns 0n where Linux returns NULL; then the memory is unchanged. */
  vrealloc(address: bigint, bytes: number): bigint {
    this.operations++;
    return orNull(() => this.kernel.vrealloc(address, bytes));
  }

  vfree(address: bigint): void {
    this.operations++;
    this.kernel.vfree(address);
  }

  /** Writes a byte through the tables, as a processor does. */
  store(address: bigint, value: number): void {
    this.bed.bytes[this.#placeOf(address)] = value;
  }

  /** Reads a byte through the tables. */
  load(address: bigint): number {
    return this.bed.bytes[this.#placeOf(address)] as number;
  }

  /** Runs an action after the measuring. */
  afterwards(action: () => void): void {
    this.#after.push(action);
  }

  /** Runs an action and adds its work to `work`. Then runs the actions that it left for afterwards. */
  measure<R>(action: () => R): R {
    const { kernel, work } = this;
    const before = kernel.counters;
    const operations = this.operations;
    this.#lookingMs = 0;
    this.#isMeasuring = true;
    const start = performance.now();
    const result = action();
    work.milliseconds += performance.now() - start - this.#lookingMs;
    this.#isMeasuring = false;
    const after = kernel.counters;
    for (const key of ['tablesRead', 'entriesWritten', 'flushes'] as const)
      work[key] += after[key] - before[key];
    work.operations += this.operations - operations;
    work.lazyPages = Math.max(work.lazyPages, this.#waiting());
    for (const left of this.#after.splice(0)) left();
    return result;
  }

  /**
   * The index of an address's byte. A typed array ignores a write outside it, so this checks the index.
   *
   * @throws CheckError when the frame has no bytes.
   */
  #placeOf(address: bigint): number {
    const offset = Number(address & BigInt(this.pageBytes - 1));
    const pfn = this.kernel.vmallocToPfn(address);
    const place = pfn * this.pageBytes + offset;
    if (!(place >= 0 && place < this.bed.bytes.length)) {
      const { name } = this.bed.configuration;
      throw new CheckError(
        `${name}: cannot access ${hex(address)}: frame 0x${pfn.toString(16)} has no bytes`,
      );
    }
    return place;
  }

  /** Checks that each page begins with 0, and writes another byte there, which the next zeroing must clear. */
  #checkZeros(address: bigint, pages: number): void {
    const start = performance.now();
    for (let page = 0; page < pages; page++) {
      const at = address + BigInt(page * this.pageBytes);
      if (this.load(at) !== 0)
        throw new CheckError(`${this.bed.configuration.name}: the page at ${hex(at)} was not zeroed`);
      this.store(at, NOT_ZERO);
    }
    this.#lookingMs += performance.now() - start;
  }

  #waiting(): number {
    return Number(this.kernel.stats().lazyBytes >> BigInt(this.#pageShift));
  }

  /**
   * Waiting pages reach their maximum right before a purge, that is in its flush. The flush of a purge begins at a freed area. A flush that
   * begins in a live area belongs to a call that flushes at once.
   */
  #seeFlush(va: bigint): void {
    if (!this.#isMeasuring) return;
    const start = performance.now();
    if (this.kernel.findVmArea(va) === null) {
      this.work.purges++;
      this.work.lazyPages = Math.max(this.work.lazyPages, this.#waiting());
    }
    this.#lookingMs += performance.now() - start;
  }
}

/** The result of a call; 0n when memory or addresses run out. */
function orNull(call: () => bigint): bigint {
  try {
    return call();
  } catch (error) {
    if (error instanceof VmError && (error.code === 'ENOMEM' || error.code === 'E2BIG')) return 0n;
    throw error;
  }
}
