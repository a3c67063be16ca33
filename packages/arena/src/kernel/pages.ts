import type { FrameAllocator, PhysicalMemory } from '@vmarea/core';

/** The pages of an arena: zeroed frames of the kernel's memory. */
export class Pages {
  readonly #memory: PhysicalMemory;
  readonly #ram: FrameAllocator;
  readonly #pageWords: number;

  constructor(memory: PhysicalMemory, ram: FrameAllocator) {
    this.#memory = memory;
    this.#ram = ram;
    this.#pageWords = 2 ** ram.pageShift / 4;
  }

  /** Frames filled with zeros, where they have bytes; `null` when fewer are free. */
  allocate(count: number): Float64Array | null {
    const frames = this.#ram.tryAllocateMany(count);
    if (frames === null) return null;
    for (let i = 0; i < count; i++) this.#zero(frames[i] as number);
    return frames;
  }

  /** Gives frames back. */
  free(frames: Float64Array): void {
    if (frames.length > 0) this.#ram.freeMany(frames);
  }

  #zero(pfn: number): void {
    const place = this.#memory.locate(pfn, this.#ram.pageShift);
    place?.bank.words.fill(0, place.word, place.word + this.#pageWords);
  }
}
