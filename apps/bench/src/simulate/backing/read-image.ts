import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { UsageError } from '@vmarea/cli';
import type { FrameImage } from '@vmarea/compare';
import { printable } from '@vmarea/core';
import { whyUnreadable } from '../../input/unreadable.js';

/** Physical memory in a file. */
export interface MemoryImage extends FrameImage {
  /** Roots that the file itself names: physical addresses. */
  readonly roots: ReadonlyMap<string, bigint>;
  close(): Promise<void>;
}

/** Bytes of the file that are at a physical address. */
interface Piece {
  readonly address: bigint;
  readonly bytes: bigint;
  readonly offset: number;
}

/** The largest packed image, unpacked. */
const MOST_PACKED = 2 ** 30;
const PTIMAGE = 'PTIMAGE1';
const PTIMAGE_FRAMES = 2 ** 31;
const ELF = '\x7fELF';
const ELF_HEADER = 64;
const PT_LOAD = 1;

/** Reads bytes of the file; fewer at its end. */
type ReadAt = (offset: number, bytes: number) => Promise<Uint8Array>;

/**
 * Opens an image of physical memory: a container `PTIMAGE1` (plain or gzip), or an ELF core whose segments have physical addresses, as QEMU's
 * dump-guest-memory and kdump's /proc/vmcore write it.
 *
 * ```text
 * "PTIMAGE1" | u32 length of the header | header (JSON) | frames × u64 physical address | frames × frame   (little-endian)
 * ```
 *
 * @throws UsageError when the file cannot be read, or is neither.
 */
export async function openImage(path: string): Promise<MemoryImage> {
  const file = printable(path);
  let handle: FileHandle | null = null;
  try {
    handle = await open(path);
    const readAt = await unpacked(handle, file);
    const magic = new TextDecoder('latin1').decode(await readAt(0, PTIMAGE.length));
    const layout =
      magic === PTIMAGE
        ? await container(readAt, file)
        : magic.startsWith(ELF)
          ? await core(readAt, file)
          : null;
    if (layout === null)
      throw new UsageError(
        `${file} is no image of memory; expected a container ${PTIMAGE}, or an ELF core with physical addresses`,
      );
    const opened = handle;
    return {
      file,
      roots: layout.roots,
      frame: async (address, bytes) => {
        const piece = layout.pieces.find(
          (one) => one.address <= address && address + BigInt(bytes) <= one.address + one.bytes,
        );
        if (piece === undefined) return null;
        const found = await readAt(piece.offset + Number(address - piece.address), bytes);
        return found.length === bytes ? found : null;
      },
      close: () => opened.close(),
    };
  } catch (error) {
    await handle?.close();
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot read ${file}: ${whyUnreadable(error, file)}`, { cause: error });
  }
}

async function unpacked(handle: FileHandle, file: string): Promise<ReadAt> {
  const fromFile: ReadAt = async (offset, bytes) => {
    const buffer = new Uint8Array(bytes);
    const { bytesRead } = await handle.read(buffer, 0, bytes, offset);
    return buffer.subarray(0, bytesRead);
  };
  const [first, second] = await fromFile(0, 2);
  if (first !== 0x1f || second !== 0x8b) return fromFile;
  try {
    const all: Uint8Array = await promisify(gunzip)(await handle.readFile(), {
      maxOutputLength: MOST_PACKED,
    });
    return async (offset, bytes) => all.slice(offset, offset + bytes);
  } catch (error) {
    throw new UsageError(`cannot unpack the gzip data of ${file}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

interface ImageLayout {
  readonly pieces: readonly Piece[];
  readonly roots: ReadonlyMap<string, bigint>;
}

async function container(readAt: ReadAt, file: string): Promise<ImageLayout> {
  const at = PTIMAGE.length + 4;
  const length = viewOf(await whole(readAt, PTIMAGE.length, 4, file)).getUint32(0, true);
  const header = jsonOf(await whole(readAt, at, length, file), file);
  const { pageShift, frames } = header;
  if (!isWithin(pageShift, 12, 16) || !isWithin(frames, 1, PTIMAGE_FRAMES))
    throw new UsageError(`${file}: expected a header with pageShift from 12 to 16 and frames from 1`);
  const addresses = viewOf(await whole(readAt, at + length, 8 * frames, file));
  const bytes = 2 ** pageShift;
  const pieces = Array.from({ length: frames }, (_, i) => ({
    address: addresses.getBigUint64(8 * i, true),
    bytes: BigInt(bytes),
    offset: at + length + 8 * frames + i * bytes,
  }));
  return { pieces, roots: rootsOf(header.roots) };
}

async function core(readAt: ReadAt, file: string): Promise<ImageLayout> {
  const header = viewOf(await whole(readAt, 0, ELF_HEADER, file));
  // Class: 64 bits; data: little-endian.
  if (header.getUint8(4) !== 2 || header.getUint8(5) !== 1)
    throw new UsageError(`${file}: expected an ELF file of 64 bits, little-endian`);
  const at = Number(header.getBigUint64(32, true));
  const size = header.getUint16(54, true);
  const count = header.getUint16(56, true);
  const segments = viewOf(await whole(readAt, at, size * count, file));
  const pieces: Piece[] = [];
  for (let i = 0; i < count; i++) {
    const one = i * size;
    if (segments.getUint32(one, true) !== PT_LOAD) continue;
    const bytes = segments.getBigUint64(one + 32, true);
    if (bytes === 0n) continue;
    pieces.push({
      address: segments.getBigUint64(one + 24, true),
      bytes,
      offset: Number(segments.getBigUint64(one + 8, true)),
    });
  }
  if (pieces.length === 0) throw new UsageError(`${file}: expected an ELF core with segments (PT_LOAD)`);
  return { pieces, roots: new Map() };
}

async function whole(readAt: ReadAt, offset: number, bytes: number, file: string): Promise<Uint8Array> {
  const found = await readAt(offset, bytes);
  if (found.length === bytes) return found;
  throw new UsageError(
    `${file} ends after ${offset + found.length} bytes; expected ${offset + bytes}: is it truncated?`,
  );
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function jsonOf(bytes: Uint8Array, file: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // The same mistake as another value.
  }
  throw new UsageError(`${file}: expected a header in JSON behind ${PTIMAGE}`);
}

function isWithin(value: unknown, low: number, high: number): value is number {
  return Number.isInteger(value) && (value as number) >= low && (value as number) <= high;
}

function rootsOf(value: unknown): ReadonlyMap<string, bigint> {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return new Map(
    entries
      .filter(([, address]) => typeof address === 'string' && /^0x[0-9a-f]{1,16}$/i.test(address))
      .map(([name, address]) => [name, BigInt(address as string)]),
  );
}
