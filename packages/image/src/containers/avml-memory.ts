import { type SnappyChunk, snappyChunk, unpackChunk } from '../compression/snappy-frames.js';
import { at } from '../source/broken.js';
import { Kept } from '../source/kept.js';
import type { Reader } from '../source/reader.js';
import { type Contents, NOTHING, noPage, type PageState, type Span } from './contents.js';
import { lastAtOrBelow } from './pieces.js';

/** Blocks whose chunks are known, and unpacked chunks of 64 KiB, that are kept. */
const BLOCKS = 8;
const CHUNKS = 16;
/** AVML's chunks are 64 KiB. Smaller ones are allowed, but not so many that their table is large. */
const LEAST_CHUNK = 4096;

/** A block of AVML: a range, and where its stream of snappy begins. */
export interface AvmlBlock {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
  /** Where its stream ends in the file; `null` when only the stream itself can say it. */
  readonly streamEnd: number | null;
}

/** Where the bytes of a block are: its chunks, and the place of the first byte of each in the block. */
interface BlockTable {
  readonly chunks: readonly SnappyChunk[];
  readonly starts: Float64Array;
  /** What is wrong behind the last chunk; null for nothing. */
  readonly why: string | null;
  /** Where the stream ends in the file. */
  readonly end: number;
}

/**
 * The memory of an AVML file. What lies between its blocks it leaves out: AVML writes no block of zeros, nor what
 * is no memory, and the file does not say which of both it was. So it is not zero, but a frame there reads as an empty table.
 */
export class AvmlMemory implements Contents {
  readonly kind = 'avml';
  readonly machine: Contents['machine'] = NOTHING.machine;
  readonly pageSize: Contents['pageSize'] = NOTHING.pageSize;
  readonly notes: Contents['notes'] = NOTHING.notes;
  readonly vmcoreinfo: Contents['vmcoreinfo'] = NOTHING.vmcoreinfo;
  readonly uts: Contents['uts'] = NOTHING.uts;
  readonly registers: Contents['registers'] = NOTHING.registers;
  readonly warnings: readonly string[];
  readonly start: number;
  readonly end: number;
  readonly bytes: number;
  readonly #reader: Reader;
  readonly #blocks: readonly AvmlBlock[];
  readonly #starts: Float64Array;
  readonly #tables = new Kept<BlockTable>(BLOCKS);
  readonly #unpacked = new Kept<Uint8Array | string>(CHUNKS);

  constructor(reader: Reader, blocks: readonly AvmlBlock[], warnings: readonly string[]) {
    const sorted = [...blocks].sort((a, b) => a.start - b.start);
    this.#reader = reader;
    this.#blocks = sorted.filter((block, i) => i === 0 || block.start >= (sorted[i - 1] as AvmlBlock).end);
    this.#starts = Float64Array.from(this.#blocks, ({ start }) => start);
    this.start = this.#starts[0] ?? 0;
    this.end = this.#blocks[this.#blocks.length - 1]?.end ?? 0;
    this.bytes = this.#blocks.reduce((sum, { start, end }) => sum + end - start, 0);
    this.warnings = warnings;
  }

  /** Where the stream of a block ends in the file; `null` when the file ends before. */
  static endOf(reader: Reader, block: AvmlBlock): number | null {
    const { why, end } = readTable(reader, block);
    return why === null ? end : null;
  }

  adjacent(address: number): number {
    if (address < this.start || address >= this.end) return 0;
    const index = lastAtOrBelow(this.#starts, address);
    const block = this.#blocks[index] as AvmlBlock;
    if (address >= block.end) return 0;
    const found = this.#chunkOf(index, address);
    return typeof found === 'string' || typeof found.data === 'string' ? 0 : found.data.length - found.inside;
  }

  read(address: number, into: Uint8Array): void {
    const index = lastAtOrBelow(this.#starts, address);
    if (address >= (this.#blocks[index] as AvmlBlock).end) throw noPage(address);
    const found = this.#chunkOf(index, address);
    if (typeof found === 'string' || typeof found.data === 'string') throw noPage(address);
    into.set(found.data.subarray(found.inside, found.inside + into.length));
  }

  isZeroFrame(address: number, bytes: number): boolean {
    const index = lastAtOrBelow(this.#starts, address);
    const next = this.#starts[index + 1];
    return (
      index >= 0 &&
      next !== undefined &&
      address >= (this.#blocks[index] as AvmlBlock).end &&
      address + bytes <= next
    );
  }

  stateOf(address: number): PageState {
    if (address < this.start || address >= this.end) return 'absent';
    if (address >= (this.#blocks[lastAtOrBelow(this.#starts, address)] as AvmlBlock).end) return 'excluded';
    return this.whyNot(address) === null ? 'present' : 'cut';
  }

  whyNot(address: number): string | null {
    const index = lastAtOrBelow(this.#starts, address);
    const block = this.#blocks[index];
    if (block === undefined || address >= this.end) return null;
    if (address >= block.end) return 'no block has it: it was zero, or is no memory';
    const found = this.#chunkOf(index, address);
    if (typeof found === 'string') return found;
    return typeof found.data === 'string' ? found.data : null;
  }

  nextPresent(address: number): number {
    const index = Math.max(0, lastAtOrBelow(this.#starts, address));
    const block = this.#blocks[index];
    if (block === undefined) return -1;
    if (address < block.end) return Math.max(address, block.start);
    return this.#starts[index + 1] ?? -1;
  }

  *spans(): IterableIterator<Span> {
    for (let i = 0; i < this.#blocks.length; ) {
      const { start } = this.#blocks[i] as AvmlBlock;
      let { end } = this.#blocks[i] as AvmlBlock;
      for (i++; this.#starts[i] === end; i++) end = (this.#blocks[i] as AvmlBlock).end;
      yield { start, end };
    }
  }

  /** The unpacked chunk that has an address, and where in it; text when there is none. */
  #chunkOf(index: number, address: number): { data: Uint8Array | string; inside: number } | string {
    const block = this.#blocks[index] as AvmlBlock;
    const table = this.#tables.get(index, () => readTable(this.#reader, block));
    const place = address - block.start;
    const number = lastAtOrBelow(table.starts, place);
    const chunk = table.chunks[number];
    const inside = place - (table.starts[number] as number);
    if (chunk === undefined || inside >= chunk.bytes)
      return table.why ?? 'its block has fewer bytes than it says';
    return { data: this.#unpacked.get(chunk.offset, () => unpacked(this.#reader, chunk)), inside };
  }
}

function unpacked(reader: Reader, chunk: SnappyChunk): Uint8Array | string {
  if (chunk.offset + chunk.length > reader.size)
    return 'the file ends inside its chunk of snappy: is it truncated?';
  const into = new Uint8Array(chunk.bytes);
  const why = unpackChunk(chunk, reader.bytes(chunk.offset, chunk.length, 'a chunk of snappy'), into);
  return why === null ? into : `its snappy data at byte ${at(chunk.offset)} is damaged: ${why}`;
}

function readTable(reader: Reader, { start, end, offset, streamEnd }: AvmlBlock): BlockTable {
  const bytes = end - start;
  const most = Math.ceil(bytes / LEAST_CHUNK) + 1;
  const chunks: SnappyChunk[] = [];
  const starts: number[] = [];
  let done = 0;
  let place = offset;
  let why: string | null = null;
  // The stream begins with a chunk without data, so a few more are read than there is data in.
  for (let read = 0; done < bytes; read++) {
    if (read > 2 * most) why = `its block has more than ${2 * most} chunks of snappy`;
    else if (streamEnd !== null && place + 8 > streamEnd)
      why = `its stream ends at byte ${at(streamEnd)}, after ${done} of ${bytes} bytes`;
    else if (place + 8 > reader.size) why = 'the file ends inside its block: is it truncated?';
    if (why !== null) break;
    const found = snappyChunk((from, length) => within(reader, from, length), place);
    if (typeof found === 'string') {
      why = `byte ${at(place)}: ${found}`;
      break;
    }
    if (streamEnd !== null && found.next > streamEnd) {
      why = `byte ${at(place)}: a chunk of snappy ends behind its stream, which ends at byte ${at(streamEnd)}`;
      break;
    }
    place = found.next;
    if (found.chunk === null || found.chunk.bytes === 0) continue;
    chunks.push(found.chunk);
    starts.push(done);
    done += found.chunk.bytes;
  }
  return { chunks, starts: Float64Array.from(starts), why, end: place };
}

/** Bytes of the file; fewer at its end. */
function within(reader: Reader, offset: number, length: number): Uint8Array {
  const there = Math.max(0, Math.min(length, reader.size - offset));
  return there === 0 ? new Uint8Array() : reader.bytes(offset, there, 'a chunk of snappy');
}
