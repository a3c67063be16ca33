import type { ImageRange } from '@vmarea/image';

/** log2 of the frames of a chunk. */
const CHUNK_SHIFT = 15;
const CHUNK = 2 ** CHUNK_SHIFT;

/** What is known of a frame. */
const ONCE = 1;
const SEVERAL = 2;
const WRITABLE = 4;
const EXECUTABLE = 8;

/** Counts, for each frame of a dump, by how many leaves it is mapped. It keeps a byte for each frame that is mapped. */
export class FrameCounts {
  readonly #pageShift: number;
  readonly #ranges: readonly { readonly first: number; readonly end: number }[];
  readonly #chunks = new Map<number, Uint8Array>();

  /** @param ranges - the memory of the dump. Other frames are not counted. */
  constructor(ranges: Iterable<ImageRange>, pageShift: number) {
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
    for (const range of this.#ranges) {
      const to = Math.min(end, range.end);
      for (let pfn = Math.max(first, range.first); pfn < to; ) {
        const chunk = this.#chunk(Math.floor(pfn / CHUNK));
        const stop = Math.min(to, (Math.floor(pfn / CHUNK) + 1) * CHUNK);
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

  #chunk(index: number): Uint8Array {
    let chunk = this.#chunks.get(index);
    if (chunk === undefined) {
      chunk = new Uint8Array(CHUNK);
      this.#chunks.set(index, chunk);
    }
    return chunk;
  }
}
