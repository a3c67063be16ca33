import { type Bank, type FrameAllocator, PageReferences, type PhysicalMemory } from '@vmarea/core';

/**
 * The pages of an arena: zeroed frames of the kernel's memory. The arena is one user of each; every process that maps one
 * is another. A frame goes back with its last user.
 */
export class Pages {
  readonly references: PageReferences;
  readonly #memory: PhysicalMemory;
  readonly #ram: FrameAllocator;
  readonly #pageWords: number;
  /** The bank of the last page: `locate` makes an object for each. */
  #bank: Bank | null = null;

  /** @throws VmError `ENOMEM` when the host has no memory for the counts. */
  constructor(memory: PhysicalMemory, ram: FrameAllocator) {
    this.#memory = memory;
    this.#ram = ram;
    this.references = PageReferences.of(ram);
    this.#pageWords = 2 ** ram.pageShift / 4;
  }

  /** Frames that nobody uses yet; `null` when fewer are free. */
  take(count: number): Float64Array | null {
    return this.#ram.tryAllocateMany(count);
  }

  /** The same for one frame; -1 when none is free. */
  takeOne(): number {
    return this.#ram.tryAllocate();
  }

  /** The arena uses the frames from now on. They are filled with zeros, where they have bytes. */
  begin(frames: Float64Array): void {
    this.references.takeMany(frames);
    // Adjacent frames go together.
    for (let from = 0; from < frames.length; ) {
      const first = frames[from] as number;
      let count = 1;
      while (from + count < frames.length && frames[from + count] === first + count) count++;
      this.#zeroRun(first, count);
      from += count;
    }
  }

  /** The same for one frame. */
  beginOne(pfn: number): void {
    this.references.take(pfn);
    this.#zero(pfn);
  }

  /** Lets go of a frame. */
  freeOne(pfn: number): void {
    this.references.put(pfn);
  }

  /** Lets go of frames. */
  free(frames: ArrayLike<number>): void {
    this.references.putMany(frames);
  }

  /** Ends what a dead thread began with a frame that it was allocating or letting go. */
  settle(pfn: number): void {
    this.references.putUnfinished(pfn);
  }

  /** Fills adjacent frames with zeros. They may lie in several banks. */
  #zeroRun(first: number, count: number): void {
    const bank = this.#bank;
    const { pageShift } = this.#ram;
    const word = bank === null ? -1 : bank.wordOf(first, pageShift);
    const last = bank === null ? -1 : bank.wordOf(first + count - 1, pageShift);
    if (bank !== null && word >= 0 && last === word + (count - 1) * this.#pageWords)
      bank.words.fill(0, word, last + this.#pageWords);
    else for (let pfn = first; pfn < first + count; pfn++) this.#zero(pfn);
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
