import { VmError } from '@vmarea/core';
import { shown } from './broken.js';

/**
 * Bytes that are read in pieces: a file, an array, a `Blob`. Reads are synchronous, since a walk of page tables is.
 *
 * Its bytes must not change while an image over it is in use.
 */
export interface Source {
  /** Length in bytes. */
  readonly size: number;
  /**
   * Reads bytes.
   *
   * @param offset - of the first byte, below `size`.
   * @param length - number of bytes, 1 or more.
   * @returns the bytes; fewer only where the source ends. The caller may keep them, and does not change them.
   */
  read(offset: number, length: number): Uint8Array;
}

/** A source that knows where it has bytes: all else is zero, and nobody has to look at it. */
export interface SourceWithHoles extends Source {
  /** Offset of the first byte that is stored, at or after one; its size when there is none. */
  nextStored(offset: number): number;
}

/**
 * A source over an array.
 *
 * @param bytes - used in place.
 * @throws VmError `EINVAL` when it is no Uint8Array.
 */
export function bytesSource(bytes: Uint8Array): Source {
  if (Object.prototype.toString.call(bytes) !== '[object Uint8Array]')
    throw new VmError('EINVAL', `bytesSource() got ${shown(bytes)}`, { advice: 'pass a Uint8Array' });
  return {
    size: bytes.length,
    // Not `slice`, which copies, nor the `subarray` of a Node Buffer, which gives a Buffer again.
    read: (offset, length) =>
      new Uint8Array(
        bytes.buffer,
        bytes.byteOffset + offset,
        Math.max(0, Math.min(length, bytes.length - offset)),
      ),
  };
}

/** What `fileSource` needs of Node's `node:fs`. Pass the module. */
export interface FileCalls {
  /** Reads up to `length` bytes of a file from `position` on to `offset` of the buffer, and says how many it read. */
  readSync(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): number;
  /** The bytes of a file. */
  fstatSync(fd: number): { readonly size: number };
}

/**
 * A source over an open file of Node. The caller opens and closes it.
 *
 * @param fd - the file descriptor.
 * @param fs - the module `node:fs`. This package imports no module of Node.
 * @param size - length in bytes. Default: that of the file's status. A block device needs it.
 * @throws VmError `EINVAL` for anything that is no descriptor or no such module.
 * @example
 * ```ts
 * import * as fs from 'node:fs';
 *
 * const image = openImage(fileSource(fs.openSync('vmcore', 'r'), fs));
 * ```
 */
export function fileSource(fd: number, fs: FileCalls, size?: number): Source {
  if (!Number.isInteger(fd) || fd < 0)
    throw new VmError('EINVAL', `fd is ${shown(fd)}: expected a descriptor`);
  if (typeof fs?.readSync !== 'function' || typeof fs.fstatSync !== 'function')
    throw new VmError('EINVAL', `fs is ${shown(fs)}: expected the module node:fs`);
  return {
    size: size ?? fs.fstatSync(fd).size,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      let done = 0;
      // A read may give less than it was asked for, such as 2 GiB at most.
      while (done < length) {
        const got = fs.readSync(fd, bytes, done, length - done, offset + done);
        if (got <= 0) break;
        done += got;
      }
      return bytes.subarray(0, done);
    },
  };
}

/** What `blobSource` needs of a `Blob` or `File`. */
export interface BlobLike {
  readonly size: number;
  /** The bytes from `start` to `end`, exclusive, without a copy. */
  slice(start: number, end: number): BlobLike;
}

/**
 * A source over a `Blob` or `File` of a browser. Only a worker can read it at once, by a `FileReaderSync`.
 *
 * @throws VmError `EOPNOTSUPP` where there is no `FileReaderSync`: on a page's main thread, in Node.
 */
export function blobSource(blob: BlobLike): Source {
  if (typeof blob?.size !== 'number' || typeof blob.slice !== 'function')
    throw new VmError('EINVAL', `blobSource() got ${shown(blob)}`, { advice: 'pass a Blob or a File' });
  const host = globalThis as {
    FileReaderSync?: new () => { readAsArrayBuffer(blob: BlobLike): ArrayBuffer };
  };
  if (host.FileReaderSync === undefined)
    throw new VmError('EOPNOTSUPP', 'this thread has no FileReaderSync', {
      advice: 'open the blob in a worker',
    });
  const reader = new host.FileReaderSync();
  return {
    size: blob.size,
    read: (offset, length) =>
      new Uint8Array(reader.readAsArrayBuffer(blob.slice(offset, Math.min(offset + length, blob.size)))),
  };
}
