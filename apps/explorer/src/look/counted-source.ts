import type { Source } from '@vmarea/image';
import { readAhead } from './read-ahead.js';

/** Bytes of the smallest block that is counted, and the most blocks: their bits take 2 MB. */
const BLOCK = 4096;
const MOST_BLOCKS = 2 ** 24;

/** The files of a dump, which say how much of them was read. */
export class CountedSources {
  readonly all: readonly Source[];
  readonly #counts: readonly Count[];

  constructor(sources: readonly Source[]) {
    this.#counts = sources.map(({ size }) => new Count(size));
    this.all = sources.map((source, i) =>
      readAhead({
        size: source.size,
        read: (offset, length) => {
          this.#counts[i]?.add(offset, length);
          return source.read(offset, length);
        },
      }),
    );
  }

  /** Bytes of all sources. */
  get size(): number {
    return this.all.reduce((sum, { size }) => sum + size, 0);
  }

  /** Bytes that were read so far, each once, in whole blocks. */
  get read(): number {
    return this.#counts.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

/** Which blocks of a file were read. */
class Count {
  readonly #size: number;
  readonly #block: number;
  readonly #bits: Uint8Array;
  bytes = 0;

  constructor(size: number) {
    this.#size = size;
    let block = BLOCK;
    while (size / block > MOST_BLOCKS) block *= 2;
    this.#block = block;
    this.#bits = new Uint8Array(Math.ceil(size / block / 8));
  }

  add(offset: number, length: number): void {
    const block = this.#block;
    for (let at = offset - (offset % block); at < offset + length && at < this.#size; at += block) {
      const number = at / block;
      const bit = 1 << (number % 8);
      const byte = Math.floor(number / 8);
      if (((this.#bits[byte] as number) & bit) !== 0) continue;
      this.#bits[byte] = (this.#bits[byte] as number) | bit;
      this.bytes += Math.min(block, this.#size - at);
    }
  }
}
