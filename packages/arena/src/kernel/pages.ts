import { type Bank, type FrameAllocator, PageReferences, type PhysicalMemory } from '@vmarea/core';

/**
 * The pages of an arena: zeroed frames of the kernel's memory. The arena is one user of each; every process that maps one
 * is another. A frame goes back with its last user.
 */
export class Pages {
  readonly #memory: PhysicalMemory;
  readonly #ram: FrameAllocator;
  readonly #references: PageReferences;
  readonly #pageWords: number;
  /** The bank of the last page: `locate` makes an object for each. */
  #bank: Bank | null = null;

  /** @throws VmError `ENOMEM` when the host has no memory for the counts. */
  constructor(memory: PhysicalMemory, ram: FrameAllocator) {
    this.#memory = memory;
    this.#ram = ram;
    this.#references = PageReferences.of(ram);
    this.#pageWords = 2 ** ram.pageShift / 4;
  }

  /** Frames filled with zeros, where they have bytes; `null` when fewer are free. */
  allocate(count: number): Float64Array | null {
    const frames = this.#ram.tryAllocateMany(count);
    if (frames === null) return null;
    for (let i = 0; i < count; i++) {
      const pfn = frames[i] as number;
      this.#references.take(pfn);
      this.#zero(pfn);
    }
    return frames;
  }

  /** One frame filled with zeros; -1 when none is free. As `allocate(1)`, without an array. */
  allocateOne(): number {
    const pfn = this.#ram.tryAllocate();
    if (pfn < 0) return -1;
    this.#references.take(pfn);
    this.#zero(pfn);
    return pfn;
  }

  /** Lets go of a frame. */
  freeOne(pfn: number): void {
    this.#references.put(pfn);
  }

  /** Lets go of frames. */
  free(frames: Float64Array): void {
    for (let i = 0; i < frames.length; i++) this.#references.put(frames[i] as number);
  }

  #zero(pfn: number): void {
    const { pageShift } = this.#ram;
    let bank = this.#bank;
    let word = bank === null ? -1 : bank.wordOf(pfn, pageShift);
    if (bank === null || word < 0) {
      const place = this.#memory.locate(pfn, pageShift);
      // Frames without bytes have nothing to zero.
      if (place === null) return;
      bank = place.bank;
      word = place.word;
      this.#bank = bank;
    }
    bank.words.fill(0, word, word + this.#pageWords);
  }
}
