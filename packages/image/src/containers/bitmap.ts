import type { Reader } from '../source/reader.js';

/** Bits whose sum one number of the rank table holds, and their bytes. */
const BUCKET = 4096;
const BUCKET_BYTES = BUCKET / 8;
/** Bytes that are read at once when the sums are made. */
const PIECE = 65536;

/**
 * A bitmap in a file, a bit for each page. The file keeps the bits: only a sum for each 4,096 of them is in memory.
 */
export class Bitmap {
  readonly length: number;
  /** Bits that are set. */
  readonly count: number;
  readonly #reader: Reader;
  readonly #offset: number;
  /** For each bucket, bits set before it; one more for the end. */
  readonly #sums: Float64Array;

  /** @param bits - how many there are; the caller has checked that the file has them. */
  constructor(reader: Reader, offset: number, bits: number) {
    this.#reader = reader;
    this.#offset = offset;
    this.length = bits;
    const buckets = Math.ceil(bits / BUCKET);
    const sums = new Float64Array(buckets + 1);
    const bytes = Math.ceil(bits / 8);
    let sum = 0;
    for (let done = 0; done < bytes; done += PIECE) {
      const piece = reader.bytes(offset + done, Math.min(PIECE, bytes - done), 'a bitmap');
      for (let from = 0; from < piece.length; from += BUCKET_BYTES) {
        sum += ones(piece, from, Math.min(from + BUCKET_BYTES, piece.length));
        sums[(done + from) / BUCKET_BYTES + 1] = sum;
      }
    }
    // Bits behind the last page are not pages.
    if (bits % 8 !== 0) sum -= bitsOf(this.#byte(bytes - 1) >>> (bits % 8));
    sums[buckets] = sum;
    this.#sums = sums;
    this.count = sum;
  }

  has(bit: number): boolean {
    return bit < this.length && ((this.#byte(Math.floor(bit / 8)) >>> (bit % 8)) & 1) === 1;
  }

  /** How many bits before one are set. */
  rank(bit: number): number {
    const bucket = Math.floor(bit / BUCKET);
    const inside = bit - bucket * BUCKET;
    const bytes = this.#bytes(bucket);
    const whole = inside >>> 3;
    const rest = inside & 7;
    const part = rest === 0 ? 0 : bitsOf((bytes[whole] as number) & ((1 << rest) - 1));
    return (this.#sums[bucket] as number) + ones(bytes, 0, whole) + part;
  }

  /** The first bit from one on that is set, or is not; -1 when there is none. */
  next(from: number, isSet = true): number {
    for (let bucket = Math.floor(from / BUCKET); bucket * BUCKET < this.length; bucket++) {
      const first = bucket * BUCKET;
      const size = Math.min(BUCKET, this.length - first);
      const set = (this.#sums[bucket + 1] as number) - (this.#sums[bucket] as number);
      if (set === (isSet ? 0 : size)) continue;
      const bytes = this.#bytes(bucket);
      for (let i = Math.max(0, from - first); i < size; ) {
        const byte = bytes[i >>> 3] as number;
        if ((i & 7) === 0 && byte === (isSet ? 0 : 255)) i += 8;
        else if (((byte >>> (i & 7)) & 1) === (isSet ? 1 : 0)) return first + i;
        else i++;
      }
    }
    return -1;
  }

  #byte(index: number): number {
    return this.#reader.bytes(this.#offset + index, 1, 'a bitmap')[0] as number;
  }

  #bytes(bucket: number): Uint8Array {
    const from = bucket * BUCKET_BYTES;
    const bytes = Math.min(BUCKET_BYTES, Math.ceil(this.length / 8) - from);
    return this.#reader.bytes(this.#offset + from, bytes, 'a bitmap');
  }
}

/** Bits set in some bytes. Four at a time: dumps of large machines have megabytes of them. */
function ones(bytes: Uint8Array, from: number, to: number): number {
  let sum = 0;
  let i = from;
  for (; i + 4 <= to; i += 4) {
    const word =
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    const pairs = word - ((word >>> 1) & 0x55555555);
    const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
    sum += Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  for (; i < to; i++) sum += bitsOf(bytes[i] as number);
  return sum;
}

function bitsOf(byte: number): number {
  const pairs = byte - ((byte >>> 1) & 0x55);
  const fours = (pairs & 0x33) + ((pairs >>> 2) & 0x33);
  return (fours + (fours >>> 4)) & 15;
}
