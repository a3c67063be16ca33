import { Bytes, rangesOf, type TestPage } from './bytes.js';

/** LiME: a header before each range. */
export function limeOf(pages: readonly TestPage[]): Uint8Array {
  const file = new Bytes();
  for (const { address, bytes } of rangesOf(pages))
    file
      .u32(0x4c694d45, 1)
      .u64(address, address + bytes.length - 1, 0)
      .add(bytes);
  return file.done();
}

/** AVML: ranges in framed snappy. */
export function avmlOf(pages: readonly TestPage[]): Uint8Array {
  const file = new Bytes();
  for (const { address, bytes } of rangesOf(pages)) {
    const stream = new Bytes().u8(0xff, 6, 0, 0).text('sNaPpY');
    for (let at = 0; at < bytes.length; at += 65536) {
      const chunk = bytes.subarray(at, at + 65536);
      const packed = snappyOf(chunk);
      const isPacked = packed.length < chunk.length;
      const data = isPacked ? packed : chunk;
      const length = data.length + 4;
      // The checksum is not read: the block of snappy is checked by itself.
      stream
        .u8(isPacked ? 0 : 1, length & 255, (length >> 8) & 255, length >> 16)
        .u32(0)
        .add(data);
    }
    file
      .u32(0x4c4d5641, 2)
      .u64(address, address + bytes.length - 1, 0)
      .add(stream.done())
      .u64(stream.length);
  }
  return file.done();
}

/** A block of snappy: runs of one byte are copies, all else is literal. */
export function snappyOf(bytes: Uint8Array): Uint8Array {
  const out = new Bytes();
  for (let length = bytes.length; ; length >>>= 7) {
    out.u8(length > 127 ? (length & 127) | 128 : length);
    if (length <= 127) break;
  }
  let from = 0;
  const literal = (to: number): void => {
    for (; from < to; from += 60) {
      const part = bytes.subarray(from, Math.min(to, from + 60));
      out.u8((part.length - 1) << 2).add(part);
    }
    from = to;
  };
  for (let at = 1; at < bytes.length; ) {
    let run = 0;
    while (at + run < bytes.length && run < 64 && bytes[at + run] === bytes[at - 1]) run++;
    if (run < 8) {
      at++;
      continue;
    }
    literal(at);
    out.u8(((run - 1) << 2) | 2, 1, 0);
    at += run;
    from = at;
  }
  literal(bytes.length);
  return out.done();
}

/** A chunk of a flattened file: where its bytes go. */
export interface FlatChunk {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A flattened file of chunks in the order given. */
export function flattenedOf(chunks: readonly FlatChunk[], isClosed = true): Uint8Array {
  const file = new Bytes().text('makedumpfile', 16).i64be(1, 1);
  file.zeros(4096 - file.length);
  for (const { offset, bytes } of chunks) file.i64be(offset, bytes.length).add(bytes);
  return (isClosed ? file.i64be(-1, -1) : file).done();
}

/** A file in chunks of some bytes, in the order of a permutation's numbers. */
export function chunksOf(file: Uint8Array, size: number): FlatChunk[] {
  return Array.from({ length: Math.ceil(file.length / size) }, (_, i) => ({
    offset: i * size,
    bytes: file.subarray(i * size, (i + 1) * size),
  }));
}

/** PTIMAGE1. */
export function ptimageOf(pages: readonly TestPage[], header: object = {}): Uint8Array {
  const sorted = [...pages].sort((a, b) => a.address - b.address);
  const json = JSON.stringify({ pageShift: 12, frames: sorted.length, ...header });
  const file = new Bytes().text('PTIMAGE1').u32(json.length).text(json);
  for (const { address } of sorted) file.u64(address);
  for (const { bytes } of sorted) file.add(bytes);
  return file.done();
}
