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
/** Descriptors of a file that tell whether it was cut. */
const LAST = 1024;
/** Bytes of unpacked pages that are kept. */
const KEPT = 2 ** 20;

/** A page that was unpacked, and how its descriptor says that it is packed. */
interface KeptPage {
  readonly size: number;
  readonly flags: number;
  readonly page: FetchedPage;
}

/** Fetches the pages of a kdump. Most zero pages share one place in the file, so pages are kept by their place. */
export class KdumpPages {
  readonly #files: readonly KdumpFile[];
  readonly #bitmap: Bitmap;
  readonly #kept: Kept<KeptPage>;
  readonly #ranks: readonly number[];

  constructor(files: readonly KdumpFile[], bitmap: Bitmap) {
    this.#files = files;
    this.#bitmap = bitmap;
    this.#kept = new Kept(KEPT / (files[0] as KdumpFile).header.blockSize);
    this.#ranks = files.map(({ header: { part } }) =>
      part === null ? 0 : bitmap.rank(Math.min(part.first, bitmap.length - 1)),
    );
  }

  /**
   * How many of the last pages of all files are behind the end of their file. Writers store pages in the order of their
   * descriptors, so a file that was cut lacks the last ones. Pages of zeros share an early place, so one alone would not tell.
   */
  lost(): number {
    let lost = 0;
    for (const [index, { reader, header }] of this.#files.entries()) {
      const { descriptors, part } = header;
      const end =
        part === null || part.end >= this.#bitmap.length ? this.#bitmap.count : this.#bitmap.rank(part.end);
      const pages = end - (this.#ranks[index] as number);
      for (let number = Math.max(0, pages - LAST); number < pages; number++) {
        const from = descriptors + number * DESCRIPTOR;
        const isThere = from + DESCRIPTOR <= reader.size;
        const view = isThere ? reader.view(from, DESCRIPTOR, 'a page descriptor') : null;
        if (view === null || u64(view, 0) + view.getUint32(8, true) > reader.size) lost++;
      }
    }
    return lost;
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
    const size = view.getUint32(8, true);
    const flags = view.getUint32(12, true);
    const why = whyWrong(file, offset, size, flags);
    if (why !== null) return `its descriptor ${number} ${why}`;
    // Places in several files are told apart by the number of the file.
    const kept = this.#kept.get(offset * this.#files.length + index, () => ({
      ...{ size, flags },
      page: unpacked(file, offset, size, flags),
    }));
    // A damaged descriptor may have the place of another page.
    return kept.size === size && kept.flags === flags ? kept.page : unpacked(file, offset, size, flags);
  }
}

/** What is wrong with a descriptor; `null` for nothing. */
function whyWrong(
  { reader, header: { blockSize } }: KdumpFile,
  offset: number,
  size: number,
  flags: number,
): string | null {
  if (offset === 0) return 'has no place, as in a dump that was not finished';
  if (size === 0 || size > blockSize) return `says ${size} bytes: expected 1 to ${blockSize}`;
  if (offset + size > reader.size)
    return `says ${size} bytes at byte ${at(offset)}, and the file has ${reader.size}: is it truncated?`;
  if (flags === 0) return size === blockSize ? null : `says ${size} stored bytes: expected ${blockSize}`;
  return UNPACK.has(flags)
    ? null
    : `has the flags ${at(flags)}: expected 0, 1 (zlib), 2 (LZO), 4 (snappy) or 0x20 (zstd)`;
}

/** The bytes of a page whose descriptor is right, or why they are damaged. */
function unpacked(
  { reader, header: { blockSize } }: KdumpFile,
  offset: number,
  size: number,
  flags: number,
): FetchedPage {
  const packed = reader.bytes(offset, size, 'a page');
  const compression = UNPACK.get(flags);
  // A copy, since the view would keep a block of the reader.
  if (compression === undefined) return packed.slice();
  const page = new Uint8Array(blockSize);
  const why = compression.unpack(packed, page);
  return why === null ? page : `its ${compression.name} data at byte ${at(offset)} is damaged: ${why}`;
}
