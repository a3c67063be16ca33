import { at, broken } from '../source/broken.js';
import type { Reader } from '../source/reader.js';
import type { SourceWithHoles } from '../source/source.js';
import { LatestFirst } from './latest-first.js';
import { lastAtOrBelow } from './pieces.js';

export const FLATTENED_MAGIC = 'makedumpfile\0\0\0\0';

const HEADER = 4096;
const CHUNK = 16;
/** Most chunks of a file. They take 24 bytes of memory each. */
const MOST_CHUNKS = 2 ** 24;
/** Larger files than this cannot be counted exactly. */
const LIMIT = 2 ** 52;

/** A file that was flattened, and what is not as it should be. */
export interface Unflattened {
  readonly source: SourceWithHoles;
  /** Bytes that its chunks have. The size says less: one far chunk makes it enormous. */
  readonly stored: number;
  readonly warnings: readonly string[];
}

/**
 * The file inside a flattened one: makedumpfile -F, and QEMU's dump-guest-memory -z, -l, -s. Chunks may come in any order, a
 * later one overwrites an earlier one, and what no chunk has is zero.
 *
 * Source: makedumpfile makedumpfile.h, struct makedumpfile_header and makedumpfile_data_header; libkdumpfile flatmap.c. The
 * integers are big-endian.
 *
 * @throws VmError `EINVAL` for a header or a chunk that is none.
 */
export function unflatten(reader: Reader): Unflattened {
  const header = reader.view(0, HEADER, 'the header of a flattened file');
  const type = header.getBigInt64(16, false);
  const version = header.getBigInt64(24, false);
  if (type !== 1n || version !== 1n)
    throw broken(16, `a flattened file of type ${type}, version ${version}: expected 1 and 1`);
  const warnings: string[] = [];
  const chunks = readChunks(reader, warnings);
  const stored = chunks.bytes.reduce((sum, bytes) => sum + bytes, 0);
  return { source: sourceOf(reader, layered(chunks)), stored, warnings };
}

/** Chunks in columns, since there may be millions: where their bytes go, how many, and where they are. */
class Chunks {
  count = 0;
  to: Float64Array = new Float64Array(1024);
  bytes: Float64Array = new Float64Array(1024);
  from: Float64Array = new Float64Array(1024);

  push(to: number, bytes: number, from: number): void {
    if (this.count === this.to.length) {
      this.to = grown(this.to);
      this.bytes = grown(this.bytes);
      this.from = grown(this.from);
    }
    this.to[this.count] = to;
    this.bytes[this.count] = bytes;
    this.from[this.count] = from;
    this.count++;
  }

  /** Drops the room behind the last chunk. */
  finish(): this {
    this.to = this.to.slice(0, this.count);
    this.bytes = this.bytes.slice(0, this.count);
    this.from = this.from.slice(0, this.count);
    return this;
  }
}

function readChunks(reader: Reader, warnings: string[]): Chunks {
  const chunks = new Chunks();
  for (let offset = HEADER; ; ) {
    if (offset + CHUNK > reader.size) {
      warnings.push('the flattened file has no closing chunk: is it truncated?');
      break;
    }
    const head = reader.view(offset, CHUNK, 'a chunk');
    const high = head.getInt32(0, false);
    const target = high * 4294967296 + head.getUint32(4, false);
    const size = head.getInt32(8, false) * 4294967296 + head.getUint32(12, false);
    if (target === -1 && size === -1) break;
    if (target < 0 || size <= 0 || target + size > LIMIT)
      throw broken(offset, `a chunk of ${size} bytes for byte ${target}: expected 1 or more bytes`);
    if (chunks.count >= MOST_CHUNKS)
      throw broken(offset, `more than ${MOST_CHUNKS} chunks`, 'put it together with `makedumpfile -R`');
    const there = Math.min(size, reader.size - offset - CHUNK);
    if (there < size)
      warnings.push(`the flattened file ends inside the chunk at byte ${at(offset)}: is it truncated?`);
    chunks.push(target, there, offset + CHUNK);
    offset += CHUNK + size;
    if (there < size) break;
  }
  return chunks.finish();
}

function grown(column: Float64Array): Float64Array {
  const larger = new Float64Array(column.length * 2);
  larger.set(column);
  return larger;
}

/** Chunks that overlap no other, ascending. Most files need no change: then this takes one pass. */
function layered(chunks: Chunks): Chunks {
  const { to, bytes, from } = chunks;
  const order = Uint32Array.from(to.keys());
  const isSorted = to.every(
    (start, i) => i === 0 || (to[i - 1] as number) + (bytes[i - 1] as number) <= start,
  );
  if (isSorted) return chunks;
  order.sort((a, b) => (to[a] as number) - (to[b] as number) || a - b);
  const pieces = new Chunks();
  // Chunks that begin before the sweep. One that ended stays below a later one until it is the latest.
  const open = new LatestFirst();
  let swept = 0;
  const sweep = (until: number): void => {
    while (open.latest >= 0 && swept < until) {
      const chunk = open.latest;
      const start = to[chunk] as number;
      const end = start + (bytes[chunk] as number);
      const stop = Math.min(end, until);
      if (stop > swept) {
        pieces.push(swept, stop - swept, (from[chunk] as number) + (swept - start));
        swept = stop;
      }
      if (end <= swept) open.drop();
    }
  };
  for (const chunk of order) {
    sweep(to[chunk] as number);
    swept = Math.max(swept, to[chunk] as number);
    open.add(chunk);
  }
  sweep(Number.POSITIVE_INFINITY);
  return pieces.finish();
}

function sourceOf(reader: Reader, { to, bytes, from }: Chunks): SourceWithHoles {
  const last = to.length - 1;
  const size = last < 0 ? 0 : (to[last] as number) + (bytes[last] as number);
  return {
    size,
    nextStored(offset) {
      const chunk = lastAtOrBelow(to, offset);
      const isInside = chunk >= 0 && offset < (to[chunk] as number) + (bytes[chunk] as number);
      return isInside ? offset : (to[chunk + 1] ?? size);
    },
    read(offset, length) {
      const into = new Uint8Array(length);
      const end = offset + length;
      let chunk = Math.max(0, lastAtOrBelow(to, offset));
      for (; chunk <= last && (to[chunk] as number) < end; chunk++) {
        const start = Math.max(offset, to[chunk] as number);
        const stop = Math.min(end, (to[chunk] as number) + (bytes[chunk] as number));
        if (stop <= start) continue;
        const place = (from[chunk] as number) + (start - (to[chunk] as number));
        into.set(reader.bytes(place, stop - start, 'a chunk'), start - offset);
      }
      return into;
    },
  };
}
