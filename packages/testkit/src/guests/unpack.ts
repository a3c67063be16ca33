import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/**
 * Reads a gzip file of less than 4 GiB. Its last word is its size, so it is unpacked into one array: Node copies what it unpacks in
 * pieces, and dumps have hundreds of megabytes.
 */
export function unpackFile(path: string): Uint8Array<ArrayBuffer> {
  const packed = readFileSync(path);
  // More than that: a full array makes Node allocate the next one.
  const { buffer, byteOffset, length } = gunzipSync(packed, {
    chunkSize: packed.readUInt32LE(packed.length - 4) + 64,
  });
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, length);
}
