import { lengthIs } from './inflate.js';
import { copyWithin } from './snappy.js';

/** Why a stream is refused. A class, so that the loop needs no check of each read. */
class Broken extends Error {}

/**
 * Unpacks LZO1X, as makedumpfile and QEMU write it (lzo1x_1_compress).
 *
 * Source: Linux Documentation/staging/lzo.rst, bitstream version 0.
 */
export function unpackLzo(packed: Uint8Array, into: Uint8Array): string | null {
  try {
    return new Stream(packed, into).run();
  } catch (error) {
    if (error instanceof Broken) return error.message;
    throw error;
  }
}

class Stream {
  #at = 0;
  #out = 0;
  readonly #packed: Uint8Array;
  readonly #into: Uint8Array;

  constructor(packed: Uint8Array, into: Uint8Array) {
    this.#packed = packed;
    this.#into = into;
  }

  run(): string | null {
    // Literals that the last instruction copied: 0, 1 to 3, or 4 for more. It decides what a byte below 16 means.
    let state = 0;
    const first = this.#packed[0] ?? 0;
    if (first > 17) {
      this.#at = 1;
      this.#literals(first - 17);
      state = Math.min(first - 17, 4);
    }
    for (;;) {
      const code = this.#byte();
      let length: number;
      let distance: number;
      let next: number;
      if (code >= 64) {
        next = code & 3;
        length = (code >>> 5) + 1;
        distance = (this.#byte() << 3) + ((code >>> 2) & 7) + 1;
      } else if (code >= 32) {
        length = 2 + this.#long(code & 31, 31);
        const word = this.#word();
        next = word & 3;
        distance = (word >>> 2) + 1;
      } else if (code >= 16) {
        length = 2 + this.#long(code & 7, 7);
        const word = this.#word();
        next = word & 3;
        distance = 16384 + ((code & 8) << 11) + (word >>> 2);
        // A distance of exactly 16 KiB ends the stream.
        if (distance === 16384) return this.#end(length);
      } else if (state === 0) {
        this.#literals(3 + this.#long(code, 15));
        state = 4;
        continue;
      } else {
        next = code & 3;
        length = state === 4 ? 3 : 2;
        distance = (code >>> 2) + (this.#byte() << 2) + (state === 4 ? 2049 : 1);
      }
      this.#copy(distance, length);
      this.#literals(next);
      state = next;
    }
  }

  #end(length: number): string | null {
    if (length !== 3) return 'its end is not one';
    if (this.#at !== this.#packed.length) return 'it has bytes behind its end';
    return this.#out === this.#into.length ? null : lengthIs(this.#out, this.#into.length);
  }

  #byte(): number {
    if (this.#at >= this.#packed.length) throw new Broken('it ends inside an instruction');
    return this.#packed[this.#at++] as number;
  }

  #word(): number {
    const low = this.#byte();
    return low | (this.#byte() << 8);
  }

  /** A length whose short form is 0 when bytes follow: each byte of 0 adds 255. */
  #long(short: number, most: number): number {
    if (short !== 0) return short;
    let length = most;
    for (;;) {
      const byte = this.#byte();
      if (byte !== 0) return length + byte;
      length += 255;
    }
  }

  #literals(count: number): void {
    if (count > this.#packed.length - this.#at) throw new Broken('it ends inside a literal');
    this.#room(count);
    this.#into.set(this.#packed.subarray(this.#at, this.#at + count), this.#out);
    this.#at += count;
    this.#out += count;
  }

  #copy(distance: number, length: number): void {
    if (distance > this.#out) throw new Broken('it copies from before its beginning');
    this.#room(length);
    copyWithin(this.#into, this.#out, distance, length);
    this.#out += length;
  }

  #room(count: number): void {
    if (count > this.#into.length - this.#out)
      throw new Broken(lengthIs(this.#into.length + 1, this.#into.length));
  }
}
