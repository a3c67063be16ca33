import { VmError } from '@vmarea/core';
import type { Run } from '../run.js';
import { Chunk } from './chunk.js';

/** A per-cpu object. */
export interface PercpuObject {
  readonly chunk: Chunk;
  readonly offset: number;
  readonly size: number;
}

/** The bytes of a unit, and its minimum pages: objects of a quarter page, aligned to half a page, must fit many times. */
const UNIT_BYTES = 2 ** 18;
const LEAST_PAGES = 16;
/** The pages of a unit with the smallest pages. */
export const UNIT_PAGES_AT_MOST = UNIT_BYTES / 2 ** 12;
/** Linux allocates multiples of four bytes (PCPU_MIN_ALLOC_SIZE). */
const STEP = 4;

/**
 * Per-cpu memory: chunks at Linux's addresses, from the top of the window. Each has a unit for every processor. An object takes the first range
 * that fits, in the oldest chunk that has one. A page is mapped when an object needs it.
 *
 * Linux searches bitmaps with hints, sorts chunks by their free bytes, and has its first chunk in the direct map.
 */
export class PercpuAllocator {
  readonly #run: Run;
  readonly #cpus: number;
  readonly #unitBytes: number;
  readonly #chunks: Chunk[] = [];

  constructor(run: Run, cpus: number) {
    this.#run = run;
    this.#cpus = cpus;
    this.#unitBytes = Math.max(UNIT_BYTES, LEAST_PAGES * run.pageBytes);
  }

  /** `__alloc_percpu`. Returns `null` where Linux returns NULL. */
  allocate(bytes: number, align: number): PercpuObject | null {
    this.#run.operations++;
    const size = Math.ceil(bytes / STEP) * STEP;
    const step = Math.max(align, STEP);
    for (const chunk of this.#chunks) {
      const offset = chunk.take(size, step);
      if (offset >= 0) return populated(chunk, offset, size);
    }
    const chunk = this.#newChunk();
    return chunk === null ? null : populated(chunk, chunk.take(size, step), size);
  }

  /** `free_percpu`. It keeps one empty chunk and frees the others at once. In Linux a worker does so later. */
  free({ chunk, offset, size }: PercpuObject): void {
    this.#run.operations++;
    chunk.give(offset, size);
    if (!chunk.isEmpty) return;
    const [, ...surplus] = this.#chunks.filter((one) => one.isEmpty);
    for (const one of surplus) this.#destroy(one);
  }

  /** Frees all chunks. */
  destroy(): void {
    for (const chunk of [...this.#chunks]) this.#destroy(chunk);
  }

  #newChunk(): Chunk | null {
    const { kernel, ram, pageBytes } = this.#run;
    try {
      const size = this.#cpus * this.#unitBytes;
      const [area] = kernel.pcpuGetVmAreas([0], [size], BigInt(pageBytes));
      if (area === undefined) return null;
      const chunk = new Chunk(area, ram, this.#unitBytes / pageBytes, pageBytes);
      this.#chunks.push(chunk);
      return chunk;
    } catch (error) {
      if (error instanceof VmError && error.code === 'ENOMEM') return null;
      throw error;
    }
  }

  #destroy(chunk: Chunk): void {
    this.#chunks.splice(this.#chunks.indexOf(chunk), 1);
    this.#run.kernel.pcpuFreeVmAreas([chunk.area]);
    chunk.release();
  }
}

function populated(chunk: Chunk, offset: number, size: number): PercpuObject | null {
  if (chunk.populate(offset, size)) return { chunk, offset, size };
  chunk.give(offset, size);
  return null;
}
