import type { FrameArray } from '../../check/frames.js';
import { VmError } from '../../errors.js';
import type { Protection } from '../../format/protection.js';
import { prepareTables } from '../../table/change/map/prepare.js';
import { type LazyAreaStats, type LazyGrowth, nameOf, type VmStruct } from '../areas/vm-struct.js';
import type { KernelSpace } from '../kernel-space.js';
import type { LazyAreaOptions } from '../options.js';
import { type ChunkSource, chunkSource } from './chunk-sources.js';

/** Most chunks that one call takes. Each has objects of its own: together they take about 1 GB. */
const MOST_CHUNKS = 1 << 20;

/** The options of a lazy area, checked, with a protection. */
export type LazyPagesOptions = LazyAreaOptions & { readonly protection: Protection };

/** The chunks of one lazy area. */
export class LazyPages implements LazyGrowth {
  readonly #space: KernelSpace;
  readonly #vm: VmStruct;
  readonly #source: ChunkSource;
  /** log2 of the bytes of a chunk, and its pages. */
  readonly #chunkShift: number;
  readonly #chunkPages: number;
  readonly #limit: number;
  readonly #protection: Protection;
  /** Frames of populated chunks, by chunk index. */
  readonly #chunks = new Map<number, FrameArray>();
  /** Frames that were prepared for chunks that are not used yet. */
  readonly #ready = new Map<number, FrameArray>();
  #peak = 0;
  #faults = 0;
  #populated = 0;
  #released = 0;

  constructor(space: KernelSpace, vm: VmStruct, options: LazyPagesOptions) {
    const { chunkShift = space.pageShift } = options;
    this.#space = space;
    this.#vm = vm;
    this.#protection = options.protection;
    this.#chunkShift = chunkShift;
    this.#chunkPages = 2 ** (chunkShift - space.pageShift);
    this.#source = chunkSource(space, options, this.#chunkPages);
    const limit = options.limit ?? vm.area.bytes;
    this.#limit = Number(BigInt(limit) / space.pages);
  }

  get stats(): LazyAreaStats {
    return {
      pages: this.pages,
      populated: this.#chunks.size * this.#chunkPages,
      prepared: this.#ready.size * this.#chunkPages,
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

  touch(page: number): boolean {
    const chunk = Math.floor(page / this.#chunkPages);
    if (this.#chunks.has(chunk)) return false;
    this.#fill([chunk]);
    this.#faults++;
    return true;
  }

  /** Populates the missing chunks of a range: all or none. */
  populate(page: number, count: number): void {
    const missing = this.#missing(page, count);
    if (missing.length > 0) this.#fill(missing);
  }

  /**
   * Makes the tables of a range, and takes frames for its chunks when the area owns its frames: all or
   * nothing.
   *
   * @returns the number of tables made.
   */
  prepare(page: number, count: number): number {
    const { table } = this.#space;
    const missing = this.#source.isOwn
      ? this.#missing(page, count).filter((chunk) => !this.#ready.has(chunk))
      : [];
    this.#requireLimit(missing.length + this.#ready.size);
    const taken: FrameArray[] = [];
    try {
      for (const chunk of missing) taken.push(this.#source.take(chunk));
      const first = Math.floor(page / this.#chunkPages);
      const end = Math.ceil((page + count) / this.#chunkPages);
      const tables = prepareTables(
        table,
        this.#addressOf(first),
        BigInt((end - first) * this.#chunkPages) * this.#space.pages,
        { leafShift: this.#preparedShift() },
      );
      for (const [i, chunk] of missing.entries()) this.#ready.set(chunk, taken[i] as FrameArray);
      return tables;
    } catch (error) {
      this.#giveUp(taken, missing);
      throw error;
    }
  }

  /** log2 of the smallest leaf that chunks will have. Nothing is known of frames that a caller gives. */
  #preparedShift(): number {
    const { pageShift, linux } = this.#space;
    const blocks = linux.leaves.vmalloc.filter(
      (shift) => shift <= this.#chunkShift && this.#space.isBlockShift(shift),
    );
    return this.#source.isOwn ? Math.max(pageShift, ...blocks) : pageShift;
  }

  /** @throws VmError `ENOMEM` when this many more chunks exceed the limit. */
  #requireLimit(more: number): void {
    const pages = (this.#chunks.size + more) * this.#chunkPages;
    if (pages > this.#limit)
      throw new VmError('ENOMEM', `${nameOf(this.#vm)} may have ${this.#limit} pages, not ${pages}`, {
        address: this.#vm.area.address,
        advice: 'shrink it, or give it a larger limit',
      });
  }

  /** Gives back chunks that lie wholly in a range, after one flush, and frames that were prepared for it. */
  shrink(page: number, count: number): number {
    const first = Math.ceil(page / this.#chunkPages);
    const end = Math.floor((page + count) / this.#chunkPages);
    const going = within(this.#chunks, first, end);
    const waiting = within(this.#ready, first, end);
    for (const chunk of going) this.#source.check(this.#chunks.get(chunk) as FrameArray);
    for (const chunk of waiting) this.#source.check(this.#ready.get(chunk) as FrameArray);
    if (going.length > 0) {
      const pages = BigInt((end - first) * this.#chunkPages);
      this.#space.table.unmap(this.#addressOf(first), pages * this.#space.pages);
    }
    const errors = this.#giveBack(going, waiting);
    if (errors.length > 0) throw errors[0];
    return going.length * this.#chunkPages;
  }

  checkAllocated(): void {
    for (const frames of this.#chunks.values()) this.#source.check(frames);
    for (const frames of this.#ready.values()) this.#source.check(frames);
  }

  releaseAll(): unknown[] {
    return this.#giveBack([...this.#chunks.keys()], [...this.#ready.keys()]);
  }

  /** Chunks of a range that have no pages. */
  #missing(page: number, count: number): number[] {
    const first = Math.floor(page / this.#chunkPages);
    const end = Math.ceil((page + count) / this.#chunkPages);
    // Checked before they are listed: an area may have more chunks than an array can hold.
    const chunks = end - first - this.#chunks.size;
    const least = chunks * this.#chunkPages;
    if (least > Math.min(this.#source.most, this.#limit))
      throw new VmError('ENOMEM', `${nameOf(this.#vm)} cannot have ${least} more pages`, {
        address: this.#vm.area.address,
      });
    if (chunks > MOST_CHUNKS)
      throw new VmError('ENOMEM', `${chunks} chunks are more than one call takes: ${MOST_CHUNKS}`, {
        address: this.#vm.area.address,
        advice: 'give the area a larger chunkShift, or pass fewer pages',
      });
    const missing: number[] = [];
    for (let chunk = first; chunk < end; chunk++) if (!this.#chunks.has(chunk)) missing.push(chunk);
    return missing;
  }

  #fill(chunks: readonly number[]): void {
    const { table, linux } = this.#space;
    // Prepared chunks count already.
    let ready = 0;
    if (this.#ready.size > 0) for (const chunk of chunks) if (this.#ready.has(chunk)) ready++;
    this.#requireLimit(chunks.length - ready + this.#ready.size);
    const taken: FrameArray[] = [];
    try {
      for (const chunk of chunks) taken.push(this.#ready.get(chunk) ?? this.#source.take(chunk));
      const caps = this.#space.capsOf(linux.leaves.vmalloc, this.#chunkShift);
      const one = taken.length === 1 ? taken[0] : undefined;
      // Most uses are of one chunk: no list of pieces has to be read and checked.
      if (one !== undefined) table.map(this.#addressOf(chunks[0] as number), one, this.#protection, caps);
      else
        table.mapMany(
          chunks.map((chunk, i) => ({
            va: this.#addressOf(chunk),
            frames: taken[i] as FrameArray,
            protection: this.#protection,
            options: caps,
          })),
        );
    } catch (error) {
      this.#giveUp(taken, chunks);
      throw error;
    }
    for (let i = 0; i < chunks.length; i++) {
      this.#chunks.set(chunks[i] as number, taken[i] as FrameArray);
      this.#ready.delete(chunks[i] as number);
    }
    this.#populated += chunks.length;
    this.#peak = Math.max(this.#peak, this.#chunks.size * this.#chunkPages);
  }

  /** Gives back what a call took that failed. What was prepared before it stays. */
  #giveUp(taken: readonly FrameArray[], chunks: readonly number[]): void {
    for (const [i, frames] of taken.entries())
      try {
        if (!this.#ready.has(chunks[i] as number)) this.#source.give(frames, chunks[i] as number);
      } catch {
        // The first error says why the call failed.
      }
  }

  /** Gives all frames back, even when a caller's function throws. */
  #giveBack(populated: readonly number[], prepared: readonly number[]): unknown[] {
    const errors: unknown[] = [];
    for (const [map, list] of [
      [this.#chunks, populated],
      [this.#ready, prepared],
    ] as const)
      for (const chunk of list) {
        const frames = map.get(chunk) as FrameArray;
        map.delete(chunk);
        try {
          this.#source.give(frames, chunk);
        } catch (error) {
          errors.push(error);
        }
      }
    this.#released += populated.length;
    return errors;
  }

  #addressOf(chunk: number): bigint {
    return this.#vm.area.address + BigInt(chunk * this.#chunkPages) * this.#space.pages;
  }
}

/** Chunks of a map in a range of indices. It goes through the map or the range, whichever is shorter. */
function within(chunks: ReadonlyMap<number, FrameArray>, first: number, end: number): number[] {
  if (chunks.size < end - first) return [...chunks.keys()].filter((chunk) => chunk >= first && chunk < end);
  const found: number[] = [];
  for (let chunk = first; chunk < end; chunk++) if (chunks.has(chunk)) found.push(chunk);
  return found;
}
