import type { Source } from '../../src/index.js';

/** Reads of a source that one file may cost. A file that loops takes more. */
const MOST_READS = 100_000;

interface Part {
  readonly from: number;
  readonly to: number;
}

/**
 * A base with changes, as a source. The bytes are changed in place and put right again, and the file is parts of them. So a changed file
 * costs what is changed and read, however large its base is.
 */
export class ChangedFile implements Source {
  size: number;
  /** Reads since the last `restore`, and most bytes that one of them asked for. */
  reads = 0;
  most = 0;
  readonly #bytes: Uint8Array;
  readonly #base: Uint8Array;
  #parts: Part[];
  /** Places of bytes that were changed. */
  #changed: number[] = [];

  constructor(base: Uint8Array) {
    this.#base = base;
    this.#bytes = base.slice();
    this.#parts = [{ from: 0, to: base.length }];
    this.size = base.length;
  }

  read(offset: number, length: number): Uint8Array {
    if (++this.reads > MOST_READS) throw new Error(`more than ${MOST_READS} reads`);
    if (offset < 0 || length < 1 || offset + length > this.size)
      throw new Error(`a read of ${length} bytes at ${offset}, and the file has ${this.size}`);
    this.most = Math.max(this.most, length);
    const bytes = new Uint8Array(length);
    let start = 0;
    for (const { from, to } of this.#parts) {
      const end = start + to - from;
      const first = Math.max(offset, start);
      const last = Math.min(offset + length, end);
      if (first < last)
        bytes.set(this.#bytes.subarray(from + first - start, from + last - start), first - offset);
      start = end;
    }
    return bytes;
  }

  /** Writes bytes in place. A part that is there twice changes in both places. */
  write(offset: number, bytes: readonly number[]): void {
    for (const [i, byte] of bytes.entries()) {
      const place = this.#placeOf(offset + i);
      this.#changed.push(place);
      this.#bytes[place] = byte;
    }
  }

  byteAt(offset: number): number {
    return this.#bytes[this.#placeOf(offset)] as number;
  }

  /** The file ends at an offset. */
  cut(offset: number): void {
    this.#setParts(this.#before(offset));
  }

  /** Some bytes are missing. */
  drop(offset: number, count: number): void {
    this.#setParts([...this.#before(offset), ...this.#behind(Math.min(this.size, offset + count))]);
  }

  /** Some bytes of the base, those from the same offset on, are there once more. */
  repeat(offset: number, count: number): void {
    const { length } = this.#base;
    const twice = { from: Math.min(offset, length), to: Math.min(offset + count, length) };
    this.#setParts([...this.#before(offset), twice, ...this.#behind(offset)]);
  }

  /** Takes all changes back. */
  restore(): void {
    for (const place of this.#changed) this.#bytes[place] = this.#base[place] as number;
    this.#changed = [];
    this.#setParts([{ from: 0, to: this.#base.length }]);
    this.reads = 0;
    this.most = 0;
  }

  #setParts(parts: readonly Part[]): void {
    this.#parts = parts.filter(({ from, to }) => to > from);
    this.size = this.#parts.reduce((sum, { from, to }) => sum + to - from, 0);
  }

  #before(offset: number): Part[] {
    let start = 0;
    return this.#parts.map(({ from, to }) => {
      const end = Math.max(from, Math.min(to, from + offset - start));
      start += to - from;
      return { from, to: end };
    });
  }

  #behind(offset: number): Part[] {
    let start = 0;
    return this.#parts.map(({ from, to }) => {
      const first = Math.max(from, Math.min(to, from + offset - start));
      start += to - from;
      return { from: first, to };
    });
  }

  #placeOf(offset: number): number {
    let start = 0;
    for (const { from, to } of this.#parts) {
      if (offset < start + to - from) return from + offset - start;
      start += to - from;
    }
    throw new Error(`the file has no byte ${offset}`);
  }
}
