import type { FrameAllocator } from '../memory/frames/frame-allocator.js';
import type { Span } from '../table/page-range.js';

/**
 * The range where the kernel maps all of its memory, each frame at a fixed distance from its physical
 * address.
 */
export class DirectMap implements Span {
  /** First address. */
  readonly start: bigint;
  /** The address after the last one. */
  readonly end: bigint;
  readonly #ram: FrameAllocator;

  /** @param base - virtual address of physical address 0. */
  constructor(base: bigint, ram: FrameAllocator) {
    const shift = BigInt(ram.pageShift);
    this.start = base + (BigInt(ram.first) << shift);
    this.end = this.start + (BigInt(ram.frames) << shift);
    this.#ram = ram;
  }

  /** The alias of adjacent frames, as far as they are memory; `null` when none is. */
  aliasOf(first: number, count: number): Span | null {
    const { first: origin, frames, pageShift } = this.#ram;
    const from = Math.max(first, origin) - origin;
    const to = Math.min(first + count - origin, frames);
    if (from >= to) return null;
    const addressOf = (frame: number): bigint => this.start + (BigInt(frame) << BigInt(pageShift));
    return { start: addressOf(from), end: addressOf(to) };
  }
}
