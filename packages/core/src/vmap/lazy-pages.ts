import { shown, VmError } from '../errors.js';
import type { Protection } from '../format/protection.js';
import { copyFrames, lengthOf, type OwnFrames } from './frame-lists.js';
import type { OwnedFrames } from './frame-owners.js';
import type { CallerOptions } from './options.js';
import type { Space } from './space.js';
import { type Growth, type LazyAreaStats, nameOf, type VmStruct } from './vm-struct.js';

/** How an area grows. */
export interface LazyAreaOptions extends CallerOptions {
  /** What its pages allow. Default PAGE_KERNEL. */
  readonly protection?: Protection;
  /**
   * log2 of the bytes that one use populates: with a leaf size of the policy's `leaves.vmalloc` each chunk is one leaf or run of it, and takes
   * one block of frames. Default the page.
   */
  readonly chunkShift?: number;
  /**
   * Gives the frames of a chunk, whose first page it is told; they stay the caller's. It may throw: then nothing is populated. Default
   * frames of the space's `ram`, which the area owns.
   */
  readonly populate?: (page: number, pages: number) => readonly number[] | Uint32Array | Float64Array;
  /**
   * Takes frames of a chunk back that `populate` gave: nothing shows them any more, and old translations are flushed. What it throws comes out
   * of the call when all is given back and freed all the same.
   */
  readonly release?: (frames: Uint32Array | Float64Array, page: number) => void;
  /** Most bytes that may be populated at a time. Default all. */
  readonly limit?: number | bigint;
}

/** Most pages that one call takes from a caller. */
const MOST_PAGES = 2 ** 26;

/** The chunks of one area that grows by need. */
export class LazyPages implements Growth {
  readonly #space: Space;
  readonly #vm: VmStruct;
  readonly #options: LazyAreaOptions;
  readonly #chunkPages: number;
  readonly #limit: number;
  readonly #protection: Protection;
  /** Frames of populated chunks, by the index of the chunk. */
  readonly #chunks = new Map<number, OwnFrames>();
  #peak = 0;
  #faults = 0;
  #populated = 0;
  #released = 0;

  constructor(space: Space, vm: VmStruct, options: LazyAreaOptions) {
    const { chunkShift = space.pageShift, protection = space.linux.protections.PAGE_KERNEL } = options;
    this.#space = space;
    this.#vm = vm;
    this.#options = options;
    this.#protection = protection;
    this.#chunkPages = 2 ** (chunkShift - space.pageShift);
    const limit = options.limit ?? vm.area.bytes;
    this.#limit = Number(BigInt(limit) / space.pages);
  }

  get stats(): LazyAreaStats {
    return {
      pages: this.pages,
      populated: this.#chunks.size * this.#chunkPages,
      peak: this.#peak,
      faults: this.#faults,
      populatedChunks: this.#populated,
      releasedChunks: this.#released,
    };
  }

  /** Pages of the area. */
  get pages(): number {
    return Number(this.#vm.area.bytes >> BigInt(this.#space.pageShift));
  }

  /** Populates the chunk of a page that is used; nothing when it is there. */
  touch(page: number): void {
    const chunk = Math.floor(page / this.#chunkPages);
    if (this.#chunks.has(chunk)) return;
    this.#fill([chunk]);
    this.#faults++;
  }

  /** Populates the chunks of a range that are missing: all or none. */
  populate(page: number, count: number): void {
    const first = Math.floor(page / this.#chunkPages);
    const end = Math.ceil((page + count) / this.#chunkPages);
    // Before they are listed: an area may have more chunks than an array.
    const { populate } = this.#options;
    const most = populate === undefined ? this.#space.ram.frames : MOST_PAGES;
    const least = (end - first - this.#chunks.size) * this.#chunkPages;
    if (least > Math.min(most, this.#limit))
      throw new VmError('ENOMEM', `${nameOf(this.#vm)} cannot have ${least} pages more`, {
        address: this.#vm.area.address,
      });
    const missing: number[] = [];
    for (let chunk = first; chunk < end; chunk++) if (!this.#chunks.has(chunk)) missing.push(chunk);
    if (missing.length > 0) this.#fill(missing);
  }

  /** Gives chunks back that lie in a range whole, after one flush. */
  shrink(page: number, count: number): number {
    const first = Math.ceil(page / this.#chunkPages);
    const end = Math.floor((page + count) / this.#chunkPages);
    const going =
      this.#chunks.size < end - first
        ? [...this.#chunks.keys()].filter((chunk) => chunk >= first && chunk < end)
        : Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i).filter((chunk) =>
            this.#chunks.has(chunk),
          );
    if (going.length === 0) return 0;
    const bytes = this.#chunkPages * this.#space.pageBytes;
    this.#space.table.unmap(this.#addressOf(first), BigInt(end - first) * BigInt(bytes));
    this.#giveBack(going);
    return going.length * this.#chunkPages;
  }

  /**
   * Gives everything back: nothing of it is mapped any more.
   *
   * @throws what `release` throws first; everything is given back all the same.
   */
  releaseAll(): void {
    this.#giveBack([...this.#chunks.keys()]);
  }

  #fill(chunks: readonly number[]): void {
    const { table, linux } = this.#space;
    const pages = (this.#chunks.size + chunks.length) * this.#chunkPages;
    if (pages > this.#limit)
      throw new VmError('ENOMEM', `${nameOf(this.#vm)} may have ${this.#limit} pages, not ${pages}`, {
        address: this.#vm.area.address,
        advice: 'shrink it, or give it a larger limit',
      });
    const taken: OwnFrames[] = [];
    try {
      for (const chunk of chunks) taken.push(this.#framesOf(chunk));
      const caps = this.#space.capsOf(
        linux.leaves.vmalloc,
        Math.log2(this.#chunkPages) + this.#space.pageShift,
      );
      table.mapMany(
        chunks.map((chunk, i) => ({
          va: this.#addressOf(chunk),
          frames: taken[i] as OwnFrames,
          protection: this.#protection,
          options: caps,
        })),
      );
    } catch (error) {
      for (const [i, frames] of taken.entries())
        try {
          this.#returnFrames(frames, chunks[i] as number);
        } catch {
          // Why nothing was populated says more.
        }
      throw error;
    }
    for (const [i, chunk] of chunks.entries()) this.#chunks.set(chunk, taken[i] as OwnFrames);
    this.#populated += chunks.length;
    this.#peak = Math.max(this.#peak, this.#chunks.size * this.#chunkPages);
  }

  #framesOf(chunk: number): OwnFrames {
    const { populate } = this.#options;
    const pages = this.#chunkPages;
    if (populate === undefined) {
      const first = this.#space.ram.allocate(Math.log2(pages));
      // Nobody else may hand such a frame over: the area frees it.
      this.#space.owners.take(this.#blockOf(first));
      return Float64Array.from({ length: pages }, (_, i) => first + i);
    }
    const given = populate(chunk * pages, pages);
    const length = lengthOf(given);
    if (length !== pages)
      throw new VmError('EINVAL', `populate gave ${shown(length)} frames for a chunk of ${pages} pages`);
    return copyFrames(given, length, this.#space.pfnLimit);
  }

  #giveBack(chunks: readonly number[]): void {
    const errors: unknown[] = [];
    for (const chunk of chunks) {
      const frames = this.#chunks.get(chunk) as OwnFrames;
      this.#chunks.delete(chunk);
      this.#released++;
      try {
        this.#returnFrames(frames, chunk);
      } catch (error) {
        // The others must not be lost for it.
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  #returnFrames(frames: OwnFrames, chunk: number): void {
    if (this.#options.populate === undefined) this.#space.owners.free(this.#blockOf(frames[0] as number));
    else this.#options.release?.(frames, chunk * this.#chunkPages);
  }

  #blockOf(first: number): OwnedFrames {
    return { heads: Float64Array.of(first), order: Math.log2(this.#chunkPages) };
  }

  #addressOf(chunk: number): bigint {
    return this.#vm.area.address + BigInt(chunk * this.#chunkPages) * this.#space.pages;
  }
}
