import { VmError } from '@vmarea/core';

/**
 * Little-endian reads from a part of a file. Each read outside of the part is refused with the offset in the file and what was
 * expected there, so no parser needs a check of its own.
 */
export class ByteReader {
  /** The part's length in bytes. */
  readonly length: number;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #what: string;
  readonly #from: number;

  /**
   * @param bytes - of the part.
   * @param what - the part is called in messages.
   * @param from - where the part begins in the file, for messages.
   */
  constructor(bytes: Uint8Array, what: string, from = 0) {
    this.length = bytes.length;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#bytes = bytes;
    this.#what = what;
    this.#from = from;
  }

  u8(at: number): number {
    return this.#view.getUint8(this.#require(at, 1));
  }

  u16(at: number): number {
    return this.#view.getUint16(this.#require(at, 2), true);
  }

  u32(at: number): number {
    return this.#view.getUint32(this.#require(at, 4), true);
  }

  /** Reads 64 bits that must be below 2^53: an offset or a size. */
  u64(at: number): number {
    const value = this.#view.getBigUint64(this.#require(at, 8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw this.refuse(at, `0x${value.toString(16)} is beyond any file`);
    return Number(value);
  }

  /** A part of the part, without a copy. */
  bytes(at: number, length: number): Uint8Array {
    this.#require(at, length);
    return this.#bytes.subarray(at, at + length);
  }

  /**
   * Reads a text that ends with a zero byte.
   *
   * @param longest - a longer text is refused. It bounds what many names that point at one text cost.
   */
  text(at: number, longest: number = LONGEST_NAME): string {
    this.#require(at, 1);
    const end = this.#bytes.subarray(at, at + longest + 1).indexOf(0);
    if (end < 0) throw this.refuse(at, `expected a text of at most ${longest} bytes and a zero byte`);
    return String.fromCharCode(...this.#bytes.subarray(at, at + end));
  }

  /** An error about a place of the part. */
  refuse(at: number, why: string): VmError {
    return new VmError('EINVAL', `${this.#what}, byte ${this.#from + at} of the file: ${why}`);
  }

  #require(at: number, length: number): number {
    if (at < 0 || at + length > this.length) {
      throw this.refuse(at, `expected ${length} bytes, but the ${this.#what} has ${this.length}`);
    }
    return at;
  }
}

/** Linux's KSYM_NAME_LEN (include/linux/kallsyms.h): names of symbols are shorter. */
const LONGEST_NAME = 511;
