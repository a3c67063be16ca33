import { UNPACK } from '../compression/unpack.js';
import { at } from '../source/broken.js';
import { Kept } from '../source/kept.js';
import { type Reader, u64 } from '../source/reader.js';
import type { Bitmap } from './bitmap.js';
import type { KdumpHeader } from './kdump-header.js';

/** One file of a kdump. */
export interface KdumpFile {
  readonly reader: Reader;
  readonly header: KdumpHeader;
}

/** What became of a page: its bytes, or a clause that says why there are none. */
export type FetchedPage = Uint8Array | string;

const DESCRIPTOR = 24;
/** Bytes of unpacked pages that are kept. */
const KEPT = 2 ** 20;

/** Fetches the pages of a kdump. Most zero pages share one place in the file, so pages are kept by their place. */
export class KdumpPages {
  readonly #files: readonly KdumpFile[];
  readonly #bitmap: Bitmap;
  readonly #kept: Kept<FetchedPage>;
  readonly #ranks: readonly number[];

  constructor(files: readonly KdumpFile[], bitmap: Bitmap) {
    this.#files = files;
    this.#bitmap = bitmap;
    this.#kept = new Kept(KEPT / (files[0] as KdumpFile).header.blockSize);
    this.#ranks = files.map(({ header: { part } }) =>
      part === null ? 0 : bitmap.rank(Math.min(part.first, bitmap.length - 1)),
    );
  }

  /** The bytes of a page that the bitmap has. Not to be changed. */
  page(pfn: number): FetchedPage {
    const index = this.#files.findIndex(
      ({ header: { part } }) => part === null || (pfn >= part.first && pfn < part.end),
    );
    const file = this.#files[index];
    if (file === undefined) return 'it is in a part of the split dump that was not given';
    const { reader, header } = file;
    const number = this.#bitmap.rank(pfn) - (this.#ranks[index] as number);
    const from = header.descriptors + number * DESCRIPTOR;
    if (from + DESCRIPTOR > reader.size)
      return `its descriptor ${number} is at byte ${at(from)}, behind the end of the file: is it truncated?`;
    const view = reader.view(from, DESCRIPTOR, 'a page descriptor');
    const offset = u64(view, 0);
    // Places in several files are told apart by the number of the file.
    return this.#kept.get(offset * this.#files.length + index, () =>
      fetch(file, number, offset, view.getUint32(8, true), view.getUint32(12, true)),
    );
  }
}

function fetch(
  { reader, header: { blockSize } }: KdumpFile,
  number: number,
  offset: number,
  size: number,
  flags: number,
): FetchedPage {
  const whose = `its descriptor ${number}`;
  if (offset === 0) return `${whose} has no place, as in a dump that was not finished`;
  if (size === 0 || size > blockSize) return `${whose} says ${size} bytes: expected 1 to ${blockSize}`;
  if (offset + size > reader.size)
    return `${whose} says ${size} bytes at byte ${at(offset)}, and the file has ${reader.size}: is it truncated?`;
  const packed = reader.bytes(offset, size, 'a page');
  if (flags === 0) {
    if (size !== blockSize) return `${whose} says ${size} stored bytes: expected ${blockSize}`;
    // A copy, since the view would keep a block of the reader.
    return packed.slice();
  }
  const compression = UNPACK.get(flags);
  if (compression === undefined)
    return `${whose} has the flags ${at(flags)}: expected 0, 1 (zlib), 2 (LZO), 4 (snappy) or 0x20 (zstd)`;
  const page = new Uint8Array(blockSize);
  const why = compression.unpack(packed, page);
  return why === null ? page : `its ${compression.name} data at byte ${at(offset)} is damaged: ${why}`;
}
