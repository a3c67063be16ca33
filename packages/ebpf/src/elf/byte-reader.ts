import { VmError } from '@vmarea/core';
import { printableText } from './printable-text.js';

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
   * Reads a name that ends with a zero byte. It is printable, so messages may have it as it is. A longer one than 511 bytes is refused: that
   * bounds what many names at one place cost.
   */
  text(at: number): string {
    this.#require(at, 1);
    const end = this.#bytes.subarray(at, at + LONGEST_NAME + 1).indexOf(0);
    if (end < 0) throw this.refuse(at, `expected a text of at most ${LONGEST_NAME} bytes and a zero byte`);
    return printableText(this.#bytes.subarray(at, at + end));
  }

  /**
   * Reads a text for people: printable but for its tabs. A longer one is cut, and ends with `…`.
   *
   * @param longest - in bytes.
   */
  shownText(at: number, longest: number): string {
    this.#require(at, 1);
    const bytes = this.#bytes.subarray(at, at + longest + 1);
    const end = bytes.indexOf(0);
    if (end >= 0) return printableText(bytes.subarray(0, end), '\t');
    if (bytes.length <= longest) return printableText(bytes, '\t');
    let cut = longest;
    // A character of UTF-8 is not cut: bytes that go on with one are 10xxxxxx.
    while (cut > 0 && ((bytes[cut] as number) & 0xc0) === 0x80) cut--;
    return `${printableText(bytes.subarray(0, cut), '\t')}…`;
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
