import { type FrameAllocator, type VmArea, VmError } from '@vmarea/core';

/** A free range of a unit, in bytes from its start. */
interface Gap {
  start: number;
  end: number;
}

/** A chunk of per-cpu memory: a unit for each processor. An object has the same offset in all units. */
export class Chunk {
  readonly area: VmArea;
  readonly #ram: FrameAllocator;
  readonly #unitPages: number;
  readonly #pageBytes: number;
  readonly #gaps: Gap[];
  /** The frames of all processors, by page of a unit. */
  readonly #frames: (Float64Array | undefined)[] = [];
  /** The smallest size that did not fit since the last `give`, by log2 of its alignment. */
  readonly #tooLarge: number[] = [];
  #used = 0;

  constructor(area: VmArea, ram: FrameAllocator, unitPages: number, pageBytes: number) {
    this.area = area;
    this.#ram = ram;
    this.#unitPages = unitPages;
    this.#pageBytes = pageBytes;
    this.#gaps = [{ start: 0, end: unitPages * pageBytes }];
  }

  get isEmpty(): boolean {
    return this.#used === 0;
  }

  /**
   * Takes the first range that fits.
   *
   * @returns its offset; -1 when none fits.
   */
  take(size: number, align: number): number {
    const order = Math.log2(align);
    for (let i = 0; i <= order; i++) if (size >= (this.#tooLarge[i] ?? Infinity)) return -1;
    for (let i = 0; i < this.#gaps.length; i++) {
      const { start, end } = this.#gaps[i] as Gap;
      const offset = Math.ceil(start / align) * align;
      if (offset + size > end) continue;
      const rest = [
        { start, end: offset },
        { start: offset + size, end },
      ].filter((gap) => gap.start < gap.end);
      this.#gaps.splice(i, 1, ...rest);
      this.#used += size;
      return offset;
    }
    this.#tooLarge[order] = size;
    return -1;
  }

  /** Frees a range. */
  give(offset: number, size: number): void {
    this.#tooLarge.length = 0;
    const end = offset + size;
    let i = this.#gaps.findIndex((gap) => gap.start >= end);
    if (i < 0) i = this.#gaps.length;
    const before = this.#gaps[i - 1];
    const after = this.#gaps[i];
    const joinsAfter = after?.start === end;
    if (before?.end === offset) {
      before.end = joinsAfter ? (after as Gap).end : end;
      if (joinsAfter) this.#gaps.splice(i, 1);
    } else if (joinsAfter) (after as Gap).start = offset;
    else this.#gaps.splice(i, 0, { start: offset, end });
    this.#used -= size;
  }

  /**
   * Maps the unmapped pages of a range in every unit (pcpu_populate_chunk).
   *
   * @returns false when frames for pages or tables run out.
   */
  populate(offset: number, size: number): boolean {
    const last = Math.floor((offset + size - 1) / this.#pageBytes);
    const units = this.area.pages / this.#unitPages;
    for (let page = Math.floor(offset / this.#pageBytes); page <= last; page++) {
      if (this.#frames[page] !== undefined) continue;
      const frames = this.#ram.tryAllocateMany(units);
      if (frames === null) return false;
      if (!this.#map(page, frames)) {
        this.#ram.freeMany(frames);
        return false;
      }
      this.#frames[page] = frames;
    }
    return true;
  }

  /** Maps a page in every unit, or in none. */
  #map(page: number, frames: Float64Array): boolean {
    for (let unit = 0; unit < frames.length; unit++)
      try {
        this.area.map(unit * this.#unitPages + page, frames[unit] as number);
      } catch (error) {
        for (let done = 0; done < unit; done++) this.area.unmap(done * this.#unitPages + page);
        if (error instanceof VmError && error.code === 'ENOMEM') return false;
        throw error;
      }
    return true;
  }

  /** Frees the frames of a chunk after it was unmapped. */
  release(): void {
    for (const frames of this.#frames) if (frames !== undefined) this.#ram.freeMany(frames);
  }
}
