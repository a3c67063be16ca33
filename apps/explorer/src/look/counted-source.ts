import type { Source } from '@vmarea/image';
import { readAhead } from './read-ahead.js';

/** The files of a dump, which say how much of them was read. */
export class CountedSources {
  readonly all: readonly Source[];
  #bytes = 0;

  constructor(sources: readonly Source[]) {
    this.all = sources.map((source) =>
      readAhead({
        size: source.size,
        read: (offset, length) => {
          const bytes = source.read(offset, length);
          this.#bytes += bytes.length;
          return bytes;
        },
      }),
    );
  }

  /** Bytes of all sources. */
  get size(): number {
    return this.all.reduce((sum, { size }) => sum + size, 0);
  }

  /** Bytes that were read so far; those that were read twice count twice. */
  get read(): number {
    return this.#bytes;
  }
}
