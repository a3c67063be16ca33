import { VmError } from '@vmarea/core';
import { broken, cut, shown } from './broken.js';
import type { Source, SourceWithHoles } from './source.js';

/** Bytes of a block that is kept. */
const BLOCK = 32768;
/** Blocks that are kept: 2 MiB. */
const BLOCKS = 64;

/**
 * Reads a source through a cache of blocks, so that small reads near each other cost one read of the source. The cache is
 * bounded. What it gave stays valid: a block that it no longer keeps is not used again.
 */
export class Reader {
  readonly size: number;
  /** Bytes that are stored somewhere: fewer than `size` where most of the file is holes, as a flattened one may be. */
  readonly stored: number;
  readonly #source: Source;
  readonly #blocks = new Map<number, Uint8Array>();

  /**
   * @param stored - bytes that are stored somewhere. Default: all.
   * @throws VmError `EINVAL` when it is no source.
   */
  constructor(source: Source, stored: number = source?.size) {
    if (typeof source?.read !== 'function' || !Number.isSafeInteger(source.size) || source.size < 0)
      throw new VmError('EINVAL', `the source is ${shown(source)}`, {
        advice: 'pass an object with size and read, such as bytesSource(bytes)',
      });
    this.#source = source;
    this.size = source.size;
    this.stored = Math.min(stored, source.size);
  }

  /**
   * Reads bytes that must be there.
   *
   * @param what - what they are, for the message.
   * @returns a view, which must not be changed.
   * @throws VmError `EINVAL` when the file is too short.
   */
  bytes(offset: number, length: number, what: string): Uint8Array {
    if (offset > this.size - length || offset < 0) throw cut(offset, length, this.size, what);
    if (length === 0) return new Uint8Array();
    const first = Math.floor(offset / BLOCK);
    const last = Math.floor((offset + length - 1) / BLOCK);
    if (first === last) {
      const block = this.#block(first);
      return block.subarray(offset - first * BLOCK, offset - first * BLOCK + length);
    }
    if (length >= BLOCK) return this.#fetch(offset, length);
    const joined = new Uint8Array(length);
    for (let block = first; block <= last; block++) {
      const from = Math.max(offset, block * BLOCK);
      const to = Math.min(offset + length, (block + 1) * BLOCK);
      joined.set(this.#block(block).subarray(from - block * BLOCK, to - block * BLOCK), from - offset);
    }
    return joined;
  }

  /** Offset of the first byte at or after one that may be something else than zero. */
  nextStored(offset: number): number {
    return (this.#source as Partial<SourceWithHoles>).nextStored?.(offset) ?? offset;
  }

  /** Bytes as a view for integers. */
  view(offset: number, length: number, what: string): DataView {
    const bytes = this.bytes(offset, length, what);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Text of one byte a character; empty when the file is shorter. */
  magic(offset: number, length: number): string {
    return offset + length > this.size ? '' : text(this.bytes(offset, length, 'the magic'));
  }

  #block(number: number): Uint8Array {
    let block = this.#blocks.get(number);
    if (block === undefined) {
      const offset = number * BLOCK;
      block = this.#fetch(offset, Math.min(BLOCK, this.size - offset));
      if (this.#blocks.size >= BLOCKS) this.#blocks.delete(this.#blocks.keys().next().value as number);
    } else if (this.#blocks.size > 1) {
      this.#blocks.delete(number);
    }
    this.#blocks.set(number, block);
    return block;
  }

  #fetch(offset: number, length: number): Uint8Array {
    let bytes: Uint8Array;
    try {
      bytes = this.#source.read(offset, length);
    } catch (cause) {
      if (cause instanceof VmError) throw cause;
      throw new VmError('EFAULT', `the source does not give byte 0x${offset.toString(16)}`, { cause });
    }
    if (bytes.length !== length)
      throw broken(
        offset,
        `the source gave ${bytes.length} bytes: expected ${length}`,
        'did the file change?',
      );
    return bytes;
  }
}

/** Bytes as text, a character each. */
export function text(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) out += String.fromCharCode(byte);
  return out;
}

/** Bytes up to the first NUL as text. */
export function untilNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return text(end < 0 ? bytes : bytes.subarray(0, end));
}

/**
 * An unsigned 64-bit integer as a number. Above 2^53 it is rounded: still larger than anything it may be compared with, a
 * file's size or a physical address.
 */
export function u64(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 4294967296 + view.getUint32(offset, true);
}
