import type { FrameArray } from '../../check/frames.js';
import { VmError } from '../../errors.js';
import { type LazyAreaStats, type LazyGrowth, nameOf, type VmStruct } from '../areas/vm-struct.js';
import type { KernelSpace } from '../kernel-space.js';
import { type ChunkSource, chunkSource } from '../lazy/chunk-sources.js';
import { mappedStretches, populatedPages } from './chunk-tables.js';
import type { GrowthShape } from './structs.js';

/** Most chunks that one call takes. */
const MOST_CHUNKS = 1 << 20;
/** How often a call begins again because another thread populates the same chunks. */
const TRIES = 100;

/** A chunk that is there: its first page, and its frames. */
interface Chunk {
  readonly index: number;
  readonly frames: FrameArray;
}

/**
 * The chunks of a lazy area that every thread may populate. Which chunks are there is in the tables alone.
 *
 * Two threads may populate the same chunk at once. One of them maps it; the other finds the slot taken, gives
 * its frames back, and looks again.
 */
export class SharedChunks implements LazyGrowth {
  readonly #space: KernelSpace;
  readonly #vm: VmStruct;
  readonly #shape: GrowthShape;
  readonly #source: ChunkSource;
  readonly #chunkPages: number;
  /** What this thread did. */
  #faults = 0;
  #populated = 0;
  #released = 0;
  #peak = 0;
  /** Chunks that are about to go with the area. */
  #going: readonly Chunk[] = [];

  constructor(space: KernelSpace, vm: VmStruct, shape: GrowthShape) {
    this.#space = space;
    this.#vm = vm;
    this.#shape = shape;
    this.#chunkPages = 2 ** (shape.chunkShift - space.pageShift);
    const { tables } = space.machine;
    this.#source = chunkSource(space, shape.source === 'tables' ? { frames: tables } : {}, this.#chunkPages);
  }

  get stats(): LazyAreaStats {
    const { pages, populated } = populatedPages(this.#space, this.#vm);
    this.#peak = Math.max(this.#peak, populated);
    return {
      ...{ pages, populated, prepared: 0, peak: this.#peak, faults: this.#faults },
      ...{ populatedChunks: this.#populated, releasedChunks: this.#released },
    };
  }

  touch(page: number): boolean {
    const chunk = Math.floor(page / this.#chunkPages);
    const va = this.#addressOf(chunk) + BigInt(page % this.#chunkPages) * this.#space.pages;
    for (let tries = 0; tries < TRIES; tries++) {
      if (this.#space.table.translate(va) !== null) return false;
      if (this.#fill(chunk, chunk + 1) > 0) {
        this.#faults++;
        return true;
      }
      // Some of the chunk is there, and the page is not: another thread is about to map it.
    }
    throw new VmError('EBUSY', 'another thread populates the chunk, and does not come to an end', {
      address: va,
      advice: 'try again; if that thread died, call recover()',
    });
  }

  populate(page: number, count: number): void {
    this.#fill(Math.floor(page / this.#chunkPages), Math.ceil((page + count) / this.#chunkPages));
  }

  prepare(): number {
    throw new VmError('EINVAL', `${nameOf(this.#vm)} is lazy, and its space has several threads`, {
      address: this.#vm.area.address,
      advice: 'populate it: frames that are taken but not mapped would be lost with their thread',
    });
  }

  /** The caller has closed the area: no other thread populates it meanwhile. */
  shrink(page: number, count: number): number {
    // What is there now counts for the most that ever was.
    this.#peak = this.stats.peak;
    const first = Math.ceil(page / this.#chunkPages);
    const going = this.#chunksOf(first, Math.floor((page + count) / this.#chunkPages));
    for (const { frames } of going) this.#source.check(frames);
    this.#unmap(going);
    const errors = this.#giveAll(going);
    if (errors.length > 0) throw errors[0];
    return going.length * this.#chunkPages;
  }

  /** Also keeps the frames for `releaseAll`: they are unmapped in between. */
  checkAllocated(): void {
    this.#going = this.#chunksOf(
      0,
      Math.ceil(populatedPages(this.#space, this.#vm).pages / this.#chunkPages),
    );
    for (const { frames } of this.#going) this.#source.check(frames);
  }

  releaseAll(): unknown[] {
    const going = this.#going;
    this.#going = [];
    return this.#giveAll(going);
  }

  /** Populates the missing chunks of a range: all or none. Returns how many. */
  #fill(first: number, end: number): number {
    for (let tries = 1; ; tries++) {
      const missing = this.#missing(first, end);
      if (missing.length === 0) return 0;
      this.#requireLimit(missing.length);
      const taken: FrameArray[] = [];
      try {
        for (const chunk of missing) taken.push(this.#source.take(chunk));
        this.#map(missing, taken);
        this.#populated += missing.length;
        return missing.length;
      } catch (error) {
        this.#giveUp(taken, missing);
        // Another thread was faster.
        if (!(error instanceof VmError) || error.code !== 'EBUSY' || tries === TRIES) throw error;
      }
    }
  }

  #giveUp(taken: readonly FrameArray[], chunks: readonly number[]): void {
    for (const [i, frames] of taken.entries())
      try {
        this.#source.give(frames, chunks[i] as number);
      } catch {
        // The first error says why the call failed.
      }
  }

  #map(chunks: readonly number[], taken: readonly FrameArray[]): void {
    const { table, linux } = this.#space;
    const options = this.#space.capsOf(linux.leaves.vmalloc, this.#shape.chunkShift);
    const { protection } = this.#shape;
    table.mapMany(
      chunks.map((chunk, i) => ({
        ...{ va: this.#addressOf(chunk), frames: taken[i] as FrameArray, protection, options },
      })),
    );
  }

  /** Chunks of a range of which no page is there. */
  #missing(first: number, end: number): number[] {
    const chunks = end - first;
    const there = new Set<number>();
    const from = first * this.#chunkPages;
    for (const { page, count } of mappedStretches(this.#space, this.#vm, from, chunks * this.#chunkPages))
      for (let at = page; at < page + count; at++) there.add(Math.floor(at / this.#chunkPages));
    const least = (chunks - there.size) * this.#chunkPages;
    if (least > this.#source.most) throw this.#tooMany(`cannot have ${least} more pages`);
    if (chunks - there.size > MOST_CHUNKS)
      throw this.#tooMany(`would get more chunks than one call takes: ${MOST_CHUNKS}`);
    const missing: number[] = [];
    for (let chunk = first; chunk < end; chunk++) if (!there.has(chunk)) missing.push(chunk);
    return missing;
  }

  /** Chunks of a range that are wholly there. */
  #chunksOf(first: number, end: number): Chunk[] {
    const found = new Map<number, Float64Array>();
    const counts = new Map<number, number>();
    const size = this.#chunkPages;
    if (end <= first) return [];
    for (const { page, count, first: pfn } of mappedStretches(
      this.#space,
      this.#vm,
      first * size,
      (end - first) * size,
    ))
      for (let i = 0; i < count; i++) {
        const index = Math.floor((page + i) / size);
        const frames = found.get(index) ?? new Float64Array(size);
        frames[(page + i) % size] = pfn + i;
        found.set(index, frames);
        counts.set(index, (counts.get(index) ?? 0) + 1);
      }
    return [...found].flatMap(([index, frames]) => (counts.get(index) === size ? [{ index, frames }] : []));
  }

  /** Unmaps chunks with one flush, as far as they are adjacent. */
  #unmap(chunks: readonly Chunk[]): void {
    for (let i = 0; i < chunks.length; ) {
      const { index } = chunks[i] as Chunk;
      let count = 1;
      while (chunks[i + count]?.index === index + count) count++;
      const bytes = BigInt(count * this.#chunkPages) * this.#space.pages;
      this.#space.table.unmap(this.#addressOf(index), bytes);
      i += count;
    }
  }

  #giveAll(chunks: readonly Chunk[]): unknown[] {
    const errors: unknown[] = [];
    for (const { frames, index } of chunks)
      try {
        this.#source.give(frames, index);
      } catch (error) {
        errors.push(error);
      }
    this.#released += chunks.length;
    return errors;
  }

  /** @throws VmError `ENOMEM` when this many more chunks exceed the limit. The caller has the log's lock. */
  #requireLimit(more: number): void {
    const { limit } = this.#shape;
    if (limit === null) return;
    const most = Number(limit / this.#space.pages);
    const pages = populatedPages(this.#space, this.#vm).populated + more * this.#chunkPages;
    if (pages > most) throw this.#tooMany(`may have ${most} pages, not ${pages}`);
  }

  #tooMany(why: string): VmError {
    return new VmError('ENOMEM', `${nameOf(this.#vm)} ${why}`, { address: this.#vm.area.address });
  }

  #addressOf(chunk: number): bigint {
    return this.#vm.area.address + BigInt(chunk * this.#chunkPages) * this.#space.pages;
  }
}
