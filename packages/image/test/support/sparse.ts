import { bytesSource, openImage, type Source } from '../../src/index.js';
import { dumpOf, type SetName } from './dumps.js';
import { pagesOf } from './same-memory.js';
import { Bytes, type TestPage } from './writers/bytes.js';

/** Bytes of memory that the dump of a large machine describes. */
export const SPARSE_BYTES: number = 2 ** 32;

/** A large file of which little is stored: its length, and what is not zero. */
export interface SparseFile {
  readonly size: number;
  readonly parts: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
}

/** The pages of a real kernel in 4 GiB of memory that is zero everywhere else, in a container. */
export function sparseDump(set: SetName, kind: 'raw' | 'lime' | 'elf'): SparseFile {
  const dump = openImage(bytesSource(dumpOf(set, 'zlib')));
  // QEMU's dump has its firmware at the end of 4 GiB, too.
  const pages = pagesOf(dump).filter(({ address }) => address < SPARSE_BYTES - 2 ** 20);
  const header = HEADERS[kind]();
  return {
    size: header.length + SPARSE_BYTES,
    parts: [
      { offset: 0, bytes: header },
      ...pages.map(({ address, bytes }: TestPage) => ({ offset: header.length + address, bytes })),
    ],
  };
}

const HEADERS: Readonly<Record<'raw' | 'lime' | 'elf', () => Uint8Array>> = {
  raw: () => new Uint8Array(),
  lime: () =>
    new Bytes()
      .u32(0x4c694d45, 1)
      .u64(0, SPARSE_BYTES - 1, 0)
      .done(),
  // A core of x86-64 with one segment, which begins behind its header.
  elf: () =>
    new Bytes()
      .text('\x7fELF')
      .u8(2, 1, 1)
      .zeros(9)
      .u16(4, 62)
      .u32(1)
      .u64(0, 64, 0)
      .u32(0)
      .u16(64, 56, 1, 0, 0, 0)
      .u32(1, 7)
      .u64(120, 0, 0, SPARSE_BYTES, SPARSE_BYTES, 0)
      .done(),
};

/** A source that makes the zeros of a sparse file when they are asked for, and counts. */
export class SparseSource implements Source {
  readonly size: number;
  reads = 0;
  bytes = 0;
  readonly #parts: SparseFile['parts'];

  constructor({ size, parts }: SparseFile) {
    this.size = size;
    this.#parts = parts;
  }

  read(offset: number, length: number): Uint8Array {
    this.reads++;
    this.bytes += length;
    const into = new Uint8Array(length);
    for (const { offset: start, bytes } of this.#parts) {
      const from = Math.max(offset, start);
      const to = Math.min(offset + length, start + bytes.length);
      if (from < to) into.set(bytes.subarray(from - start, to - start), from - offset);
    }
    return into;
  }
}
