import {
  AddressSpace,
  type FrameAllocator,
  hex,
  VM_ALLOW_HUGE_VMAP,
  type VmallocRequest,
  VmError,
} from '@vmarea/core';
import { CheckError } from '../errors.js';
import type { Bed } from './bed.js';
import type { Parameters } from './parameters.js';

/** What a case has done while it was measured, over all repetitions. */
export interface Work {
  milliseconds: number;
  /** Calls that allocate, free, map, unmap or resize. */
  operations: number;
  tablesRead: number;
  entriesWritten: number;
  flushes: number;
  /** Purges that flushed. */
  purges: number;
  /** The most pages that waited for a purge, guards included. */
  lazyPages: number;
}

/** What is left in pages that a later call must zero. */
const NOT_ZERO = 0xa5;

/** One kernel in which a case runs: the calls that the module makes, and what is counted about them. */
export class Run {
  readonly bed: Bed;
  /** Frames of pages. */
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
  /** Milliseconds of checks while a case runs: no part of the case. */
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

  /** Allocates; 0n where Linux returns NULL. */
  vmalloc(pages: number, more: Partial<VmallocRequest> = {}): bigint {
    this.operations++;
    const address = orNull(() => this.kernel.vmallocNodeRange({ ...more, size: pages * this.pageBytes }));
    if (more.zero === true && address !== 0n) this.#checkZeros(address, pages);
    return address;
  }

  /** As `vmalloc`, by larger leaves where they fit (vmalloc_huge). */
  vmallocHuge(pages: number): bigint {
    return this.vmalloc(pages, { flags: VM_ALLOW_HUGE_VMAP });
  }

  /** Resizes; 0n where Linux returns NULL, and the memory stays as it is. */
  vrealloc(address: bigint, bytes: number): bigint {
    this.operations++;
    return orNull(() => this.kernel.vrealloc(address, bytes));
  }

  vfree(address: bigint): void {
    this.operations++;
    this.kernel.vfree(address);
  }

  /** Writes a byte as a processor does: through the tables. */
  store(address: bigint, value: number): void {
    this.bed.bytes[this.#placeOf(address)] = value;
  }

  /** Reads a byte through the tables. */
  load(address: bigint): number {
    return this.bed.bytes[this.#placeOf(address)] as number;
  }

  /** Leaves something to be done when nobody measures any more. */
  afterwards(action: () => void): void {
    this.#after.push(action);
  }

  /** Does something and adds what it takes to `work`; then does what it left for afterwards. */
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
   * Where the byte of an address is. An array ignores a write outside, so the place is checked.
   *
   * @throws CheckError when its frame has no bytes.
   */
  #placeOf(address: bigint): number {
    const offset = Number(address & BigInt(this.pageBytes - 1));
    const pfn = this.kernel.vmallocToPfn(address);
    const place = pfn * this.pageBytes + offset;
    if (!(place >= 0 && place < this.bed.bytes.length)) {
      const { name } = this.bed.configuration;
      throw new CheckError(
        `${name}: nothing can be stored at ${hex(address)}: frame 0x${pfn.toString(16)} has no bytes`,
      );
    }
    return place;
  }

  /** Each page must begin with 0. It then gets another byte, which the next zeroing must clear. */
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
   * Waiting pages are most right before a purge, which is when its flush asks here. A purge's flush begins where an area was; one that begins
   * in a live area is of a call that does not wait for a purge.
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

/** What a call returns; 0n when there is no memory or are no addresses. */
function orNull(call: () => bigint): bigint {
  try {
    return call();
  } catch (error) {
    if (error instanceof VmError && (error.code === 'ENOMEM' || error.code === 'E2BIG')) return 0n;
    throw error;
  }
}
