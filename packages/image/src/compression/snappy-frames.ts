import { lengthIs } from './inflate.js';
import { snappyLength, unpackSnappy } from './snappy.js';

/** The identifier that a stream begins with, and the most bytes that a chunk unpacks to. */
const STREAM = 0xff;
const PACKED = 0x00;
const STORED = 0x01;
const CHUNK = 65536;
const CHECKSUM = 4;

/** A chunk of data in a framed snappy stream. */
export interface SnappyChunk {
  /** Where its data begins in the file, in bytes. */
  readonly offset: number;
  /** Bytes of its data in the file. */
  readonly length: number;
  readonly isPacked: boolean;
  /** Bytes that it unpacks to. */
  readonly bytes: number;
}

/**
 * The header of a chunk, and where the next one begins.
 *
 * Source: google/snappy framing_format.txt.
 *
 * @param read - reads bytes of the file.
 * @returns the chunk, or null for one without data; text when it is wrong.
 */
export function snappyChunk(
  read: (offset: number, length: number) => Uint8Array,
  offset: number,
): { readonly chunk: SnappyChunk | null; readonly next: number } | string {
  const [type = 0, low = 0, middle = 0, high = 0] = read(offset, 4);
  const length = low | (middle << 8) | (high << 16);
  const data = offset + 4 + CHECKSUM;
  const next = offset + 4 + length;
  if (type === STREAM || type >= 0x80) return { chunk: null, next };
  if (type !== PACKED && type !== STORED) return `a chunk of snappy has the type ${type}`;
  if (length < CHECKSUM) return `a chunk of snappy has ${length} bytes`;
  const inFile = length - CHECKSUM;
  const bytes =
    type === STORED ? inFile : (snappyLength(read(data, Math.min(5, inFile)))?.length ?? CHUNK + 1);
  if (bytes > CHUNK) return `a chunk of snappy unpacks to more than ${CHUNK} bytes`;
  return { chunk: { offset: data, length: inFile, isPacked: type === PACKED, bytes }, next };
}

/** Unpacks a chunk. @returns null, or what is wrong. */
export function unpackChunk(chunk: SnappyChunk, data: Uint8Array, into: Uint8Array): string | null {
  if (into.length !== chunk.bytes) return lengthIs(chunk.bytes, into.length);
  if (chunk.isPacked) return unpackSnappy(data, into);
  into.set(data);
  return null;
}
