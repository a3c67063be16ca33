import { type AddressSpace, type Protection, type VmArea, VmError, words } from '@vmarea/core';
import type { Geometry } from './geometry.js';

/** What a call that maps pages came to. */
export type MapResult = 'mapped' | 'busy' | 'no tables';

/**
 * The kernel's window of an arena: a sparse area of 4 GiB between two guards. The page of a user address is at the low 32
 * bits of the address, counted from `kernVmStart`, whatever the arena's first address is.
 */
export class Window {
  readonly area: VmArea;
  /** Where address 0 lies (bpf_arena_get_kern_vm_start). */
  readonly start: bigint;
  /** The same in words: the upper one signed, the lower one unsigned. */
  readonly startHi: number;
  readonly startLo: number;
  readonly #kernel: AddressSpace;
  readonly #geometry: Geometry;
  readonly #protection: Protection;

  constructor(kernel: AddressSpace, area: VmArea, geometry: Geometry) {
    this.#kernel = kernel;
    this.#geometry = geometry;
    this.area = area;
    this.start = area.addr + BigInt(geometry.guardBytes / 2);
    const { hi, lo } = words(this.start);
    this.startHi = hi;
    this.startLo = lo >>> 0;
    this.#protection = kernel.linux.protections.PAGE_KERNEL;
  }

  /** The page of the area at which a low half lies. */
  pageAt(low: number): number {
    return this.#geometry.guardPages + Math.floor(low / this.#geometry.pageBytes);
  }

  /** The frame at a low half; -1 for none. */
  frameAt(low: number): number {
    return this.area.frameAt(this.pageAt(low));
  }

  /** Maps frames from a low half on: all or none. */
  map(low: number, frames: Float64Array | number): MapResult {
    try {
      this.area.map(this.pageAt(low), frames, this.#protection);
      return 'mapped';
    } catch (error) {
      if (error instanceof VmError && error.code === 'EBUSY') return 'busy';
      if (error instanceof VmError && error.code === 'ENOMEM') return 'no tables';
      throw error;
    }
  }

  /** Unmaps a page, with its flush. */
  unmap(low: number): void {
    this.area.unmap(this.pageAt(low));
  }

  /** Unmaps pages, and leaves the flush to `flush`. @returns the frames that were mapped, in order. */
  take(low: number, count: number): Float64Array {
    const pairs = this.area.unmapNoflush(this.pageAt(low), count);
    const frames = new Float64Array(pairs.length / 2);
    for (let i = 0; i < frames.length; i++) frames[i] = pairs[2 * i + 1] as number;
    return frames;
  }

  /** Unmaps one page, and leaves the flush to `flush`. @returns the frame that was mapped; -1 for none. */
  takeOne(low: number): number {
    const pair = this.area.unmapNoflush(this.pageAt(low), 1);
    return pair.length === 0 ? -1 : (pair[1] as number);
  }

  /** Flushes pages of the kernel's window (flush_tlb_kernel_range). */
  flush(low: number, count: number): void {
    this.area.flush(this.pageAt(low), count);
  }

  /** The frames of all pages that are mapped from address 0 on, upper guard included. */
  frames(): Float64Array {
    const found: number[] = [];
    const { windowBytes, guardBytes } = this.#geometry;
    this.#kernel.applyToExistingPageRange(this.start, windowBytes - guardBytes / 2, ({ pfn }) => {
      if (pfn >= 0) found.push(pfn);
      return undefined;
    });
    return Float64Array.from(found);
  }
}
