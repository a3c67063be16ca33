import type { ImageRange } from '@vmarea/image';

/** log2 of the frames of a chunk. */
const CHUNK_SHIFT = 15;
const CHUNK = 2 ** CHUNK_SHIFT;

/** Chunks that are kept at most: 128 MiB. A file may say that it describes any memory, and map all of it. */
const MOST_CHUNKS = 4096;

/** What is known of a frame. */
const ONCE = 1;
const SEVERAL = 2;
const WRITABLE = 4;
const EXECUTABLE = 8;

/** Frames of memory: from the first to before the last. */
interface FrameRange {
  readonly first: number;
  readonly end: number;
}

/** Counts, for each frame of a dump, by how many leaves it is mapped. It keeps a byte for each frame that is mapped, and no more than 128 MiB. */
export class FrameCounts {
  readonly #pageShift: number;
  readonly #ranges: readonly FrameRange[];
  readonly #chunks = new Map<number, Uint8Array>();
  readonly #most: number;
  /** False when there were more frames than are kept. */
  isComplete = true;

  /**
   * @param ranges - the memory of the dump, ascending. Other frames are not counted.
   * @param most - chunks of 2^15 frames that are kept. Default: 4096.
   */
  constructor(ranges: Iterable<ImageRange>, pageShift: number, most: number = MOST_CHUNKS) {
    this.#most = most;
    const shift = BigInt(pageShift);
    this.#pageShift = pageShift;
    this.#ranges = Array.from(ranges, ({ address, bytes }) => ({
      first: Number(address >> shift),
      end: Number((address + bytes + (1n << shift) - 1n) >> shift),
    }));
  }

  /** Adds a run of leaves. */
  add(pa: bigint, bytes: bigint, rights: { readonly write: boolean; readonly execute: boolean }): void {
    const first = Number(pa >> BigInt(this.#pageShift));
    const end = first + Number(bytes >> BigInt(this.#pageShift));
    const marks = (rights.write ? WRITABLE : 0) | (rights.execute ? EXECUTABLE : 0);
    for (let i = this.#firstAfter(first); i < this.#ranges.length; i++) {
      const range = this.#ranges[i] as FrameRange;
      if (range.first >= end) break;
      const to = Math.min(end, range.end);
      for (let pfn = Math.max(first, range.first); pfn < to; ) {
        const chunk = this.#chunk(Math.floor(pfn / CHUNK));
        const stop = Math.min(to, (Math.floor(pfn / CHUNK) + 1) * CHUNK);
        if (chunk === null) {
          this.isComplete = false;
          pfn = stop;
          continue;
        }
        for (; pfn < stop; pfn++) {
          const at = pfn % CHUNK;
          const known = chunk[at] as number;
          chunk[at] = known | marks | ((known & ONCE) === 0 ? ONCE : SEVERAL);
        }
      }
    }
  }

  /** Frames that are mapped; by several leaves; and writable by one leaf and executable by another or the same. */
  totals(): { readonly mapped: number; readonly several: number; readonly writableAndExecutable: number } {
    let mapped = 0;
    let several = 0;
    let writableAndExecutable = 0;
    const both = WRITABLE | EXECUTABLE;
    for (const chunk of this.#chunks.values()) {
      for (const known of chunk) {
        if ((known & ONCE) !== 0) mapped++;
        if ((known & SEVERAL) !== 0) several++;
        if ((known & both) === both) writableAndExecutable++;
      }
    }
    return { mapped, several, writableAndExecutable };
  }

  /** The first range that ends behind a frame, by halves. */
  #firstAfter(pfn: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle] as FrameRange).end > pfn) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The chunk of an index; `null` when there are too many. */
  #chunk(index: number): Uint8Array | null {
    const known = this.#chunks.get(index);
    if (known !== undefined) return known;
    if (this.#chunks.size >= this.#most) return null;
    const chunk = new Uint8Array(CHUNK);
    this.#chunks.set(index, chunk);
    return chunk;
  }
}
