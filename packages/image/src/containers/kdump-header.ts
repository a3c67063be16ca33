import { at, broken } from '../source/broken.js';
import { type Reader, u64, untilNul } from '../source/reader.js';
import { ADDRESS_LIMIT } from './contents.js';

export const KDUMP_MAGIC = 'KDUMP   ';

/** The header of a kdump file, checked. */
export interface KdumpHeader {
  readonly version: number;
  /** Bytes of a block: what one bit and one descriptor stand for. */
  readonly blockSize: number;
  readonly uts: readonly string[];
  /** Pages: the bits of the bitmaps that count. */
  readonly pages: number;
  /** Where the bitmap of pages that exist begins, and that of pages in the dump. They may be the same. */
  readonly exists: number;
  readonly dumped: number;
  /** Where the descriptors begin. */
  readonly descriptors: number;
  /** makedumpfile's -d: what was left out. */
  readonly dumpLevel: number;
  readonly isIncomplete: boolean;
  /** The pages of one part of a split dump, from the first to before the last; `null` for a whole one. */
  readonly part: { readonly first: number; readonly end: number } | null;
  /** Where they are in the file; `null` for none. */
  readonly vmcoreinfo: { readonly offset: number; readonly bytes: number } | null;
  readonly notes: { readonly offset: number; readonly bytes: number } | null;
}

const HEADER = 464;
const SUB_HEADER = 104;
const UTS_FIELDS = 6;
const UTS_BYTES = 65;
/** Status bit of a dump whose writer ran out of space. Source: makedumpfile diskdump_mod.h. */
const INCOMPLETE = 8;
/** A table of their sums takes 32 MiB. That is 64 TiB of pages of 4 KiB. */
const MOST_PAGES = 2 ** 34;
const MOST_TEXT = 2 ** 20;

/**
 * Reads the header and the sub-header of a kdump file.
 *
 * Source: crash diskdump.h; makedumpfile diskdump_mod.h.
 *
 * @throws VmError `EINVAL` for one of a 32-bit or big-endian machine, and for sizes that the file does not have.
 */
export function readKdumpHeader(reader: Reader): KdumpHeader {
  const view = reader.view(0, HEADER, 'the kdump header');
  const version = view.getInt32(8, true);
  const blockSize = view.getInt32(428, true);
  if (blockSize < 4096 || blockSize > 65536 || (blockSize & (blockSize - 1)) !== 0)
    throw broken(
      428,
      `block_size is ${blockSize}: expected 4096 to 65536`,
      'a dump of a 32-bit or big-endian machine has another header, which is not read',
    );
  if (version < 1) throw broken(8, `header_version is ${version}: expected 1 to 6`);
  const subBlocks = view.getInt32(432, true);
  if (subBlocks < 1 || subBlocks > 65536)
    throw broken(432, `sub_hdr_size is ${subBlocks} blocks: expected 1 or more`);
  const bitmapBlocks = view.getUint32(436, true);
  const sub = reader.view(blockSize, SUB_HEADER, 'the kdump sub-header');
  /** A field of the sub-header that came with a version; 0 before. */
  const since = (needs: number, offset: number): number => (version >= needs ? u64(sub, offset) : 0);

  const exists = (1 + subBlocks) * blockSize;
  const descriptors = exists + bitmapBlocks * blockSize;
  if (bitmapBlocks === 0 || descriptors > reader.size)
    throw broken(
      436,
      `bitmap_blocks is ${bitmapBlocks}: the file has ${reader.size} bytes, expected bitmaps before byte ${at(descriptors)}`,
      'is it truncated?',
    );
  if (bitmapBlocks * blockSize > reader.stored)
    throw broken(
      436,
      `bitmap_blocks is ${bitmapBlocks}: the chunks of the flattened file have ${reader.stored} bytes in all, expected ${bitmapBlocks * blockSize} for the bitmaps`,
    );
  const pages = since(6, 96) || view.getUint32(440, true);
  const blocks = Math.ceil(pages / 8 / blockSize);
  if (pages === 0 || pages > MOST_PAGES || blocks > bitmapBlocks || pages * blockSize > ADDRESS_LIMIT)
    throw broken(
      version >= 6 ? blockSize + 96 : 440,
      `max_mapnr is ${pages}: expected 1 or more pages, with a bit for each in ${bitmapBlocks} blocks`,
    );
  const half = Math.floor(bitmapBlocks / 2) * blockSize;
  const first = since(6, 80);
  const end = since(6, 88);
  const isSplit = version >= 2 && sub.getInt32(12, true) !== 0;
  return {
    version,
    blockSize,
    uts: Array.from({ length: UTS_FIELDS }, (_, i) =>
      untilNul(reader.bytes(12 + i * UTS_BYTES, UTS_BYTES, 'utsname')),
    ),
    pages,
    exists,
    dumped: bitmapBlocks >= 2 * blocks ? exists + half : exists,
    descriptors,
    dumpLevel: version >= 1 ? sub.getInt32(8, true) : 0,
    isIncomplete: (view.getUint32(424, true) & INCOMPLETE) !== 0,
    part: isSplit ? partOf(version, first, end, view.getUint32(440, true), sub) : null,
    vmcoreinfo: placeOf(since(3, 32), Math.min(since(3, 40), MOST_TEXT)),
    notes: placeOf(since(4, 48), since(4, 56)),
  };
}

/** Versions before 6 have the pages of a part in fields of the same meaning. */
function partOf(
  version: number,
  first: number,
  end: number,
  pages: number,
  sub: DataView,
): { first: number; end: number } {
  if (version >= 6) return { first, end };
  return { first: u64(sub, 16), end: Math.min(u64(sub, 24), pages) };
}

function placeOf(offset: number, bytes: number): { offset: number; bytes: number } | null {
  return offset === 0 || bytes === 0 ? null : { offset, bytes };
}
