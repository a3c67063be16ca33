import { createReadStream, createWriteStream, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createGunzip } from 'node:zlib';
import { type TemporaryFolder, temporaryFolder, UsageError } from '@vmarea/cli';
import { whyUnreadable } from '../../input/unreadable.js';

/** Bytes that are read at once. */
const CHUNK = 2 ** 18;

/** A trace that can be read several times. */
export interface TraceSource {
  /** Path, or `standard input`: for people. */
  readonly file: string;
  /** Bytes of the file, packed as they are. */
  readonly size: number;
  /** Whether it is gzip. */
  readonly isPacked: boolean;
  /** Bytes of the file that the last `bytes` has read. */
  readonly read: number;
  /** Whether the gzip data ends too early. Known when `bytes` has thrown `TruncatedGzip`. */
  readonly isTruncated: boolean;
  /**
   * The unpacked bytes, from the start.
   *
   * @throws TruncatedGzip when the gzip data ends too early, the first time. Read again: then all that came is given.
   * @throws UsageError when the file cannot be read or unpacked, or has changed.
   */
  bytes(): AsyncIterable<Uint8Array>;
  /** Removes the copy of standard input. */
  close(): void;
}

/** The gzip data of a source ends too early. */
export class TruncatedGzip extends Error {
  override readonly name = 'TruncatedGzip';
}

/**
 * Opens a trace. What can be read only once (standard input, a pipe) is first copied to a temporary file, as it is.
 *
 * @param path - a file, or `-` for standard input.
 * @param step - is called with the bytes copied so far.
 * @param name - the file, for people.
 * @throws UsageError with the reason when it cannot be read, or is empty.
 */
export async function openTrace(
  path: string,
  stdin: AsyncIterable<unknown>,
  step: (bytes: number) => Promise<void>,
  name: string,
): Promise<TraceSource> {
  const fromStdin = path === '-';
  const file = fromStdin ? 'standard input' : name;
  let folder: TemporaryFolder | null = null;
  try {
    const found = fromStdin ? null : await stat(path);
    if (found?.isDirectory() === true) throw Object.assign(new Error(), { code: 'EISDIR' });
    if (found?.isFile() === true) return await FileSource.open(file, path, found, null);
    folder = temporaryFolder('vmarea-trace-');
    const copy = join(folder.path, 'trace');
    await pipeline(counted(fromStdin ? stdin : createReadStream(path), step), createWriteStream(copy));
    return await FileSource.open(file, copy, await stat(copy), folder);
  } catch (error) {
    folder?.remove();
    throw unreadable(error, file);
  }
}

async function* counted(
  stream: AsyncIterable<unknown>,
  step: (bytes: number) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of stream) {
    const part = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array);
    bytes += part.length;
    await step(bytes);
    yield part;
  }
}

class FileSource implements TraceSource {
  read = 0;
  isTruncated = false;
  readonly size: number;
  readonly isPacked: boolean;
  readonly file: string;
  readonly #path: string;
  readonly #found: Stats;
  readonly #folder: TemporaryFolder | null;

  private constructor(
    file: string,
    path: string,
    found: Stats,
    folder: TemporaryFolder | null,
    isPacked: boolean,
  ) {
    this.file = file;
    this.size = found.size;
    this.isPacked = isPacked;
    this.#path = path;
    this.#found = found;
    this.#folder = folder;
  }

  static async open(
    file: string,
    path: string,
    found: Stats,
    folder: TemporaryFolder | null,
  ): Promise<FileSource> {
    const [first, second] = await firstBytes(path);
    if (first === undefined) throw new UsageError(`${file} is empty; expected a trace of memory accesses`);
    return new FileSource(file, path, found, folder, first === 0x1f && second === 0x8b);
  }

  async *bytes(): AsyncGenerator<Uint8Array> {
    const { size, mtimeMs } = await stat(this.#path);
    if (size !== this.#found.size || mtimeMs !== this.#found.mtimeMs)
      throw new UsageError(`${this.file} has changed while it was read; wait until its writer ends`);
    const file = createReadStream(this.#path, { highWaterMark: CHUNK });
    try {
      const stream = this.isPacked ? this.#unpacked(file) : file;
      for await (const chunk of stream) {
        this.read = file.bytesRead;
        yield chunk as Uint8Array;
      }
      this.read = this.size;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (this.isPacked && code === 'Z_BUF_ERROR') {
        this.isTruncated = true;
        throw new TruncatedGzip();
      }
      if (this.isPacked && code?.startsWith('Z_') === true)
        throw new UsageError(`cannot unpack the gzip data of ${this.file}: ${(error as Error).message}`, {
          cause: error,
        });
      throw unreadable(error, this.file);
    } finally {
      file.destroy();
    }
  }

  #unpacked(file: AsyncIterable<unknown>): AsyncIterable<unknown> {
    // With a soft flush at its end, zlib gives all that came and does not miss the rest.
    const finishFlush = this.isTruncated ? constants.Z_SYNC_FLUSH : constants.Z_FINISH;
    const gunzip = createGunzip({ chunkSize: CHUNK, finishFlush });
    pipeline(file, gunzip).catch(() => {
      // The reader of `gunzip` gets the error, too.
    });
    return gunzip;
  }

  close(): void {
    this.#folder?.remove();
  }
}

async function firstBytes(path: string): Promise<Uint8Array> {
  for await (const chunk of createReadStream(path, { end: 1 })) return chunk as Uint8Array;
  return new Uint8Array();
}

function unreadable(error: unknown, file: string): Error {
  if (error instanceof UsageError || error instanceof TruncatedGzip) return error;
  if ((error as NodeJS.ErrnoException).code === 'ENOSPC')
    return new UsageError(
      `no room for a copy of ${file} in the folder for temporary files; TMPDIR names another`,
      { cause: error },
    );
  return new UsageError(`cannot read ${file}: ${whyUnreadable(error, file)}`, { cause: error });
}
