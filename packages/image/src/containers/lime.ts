import { at, broken } from '../source/broken.js';
import { type Reader, u64 } from '../source/reader.js';
import { type AvmlBlock, AvmlMemory } from './avml-memory.js';
import { type Contents, NOTHING } from './contents.js';
import { checkRange, MOST_PIECES, pieceContents, piecesIn } from './piece-contents.js';
import type { Piece } from './pieces.js';

export const LIME_MAGIC = 'EMiL';
export const AVML_MAGIC = 'AVML';

const HEADER = 32;
const LENGTH = 8;
const LIME = 0x4c694d45;
const AVML = 0x4c4d5641;
/** AVML writes blocks of 16 MiB. The table of the pieces of one takes memory. */
const MOST_BLOCK = 2 ** 32;

/**
 * LiME: ranges with their bytes behind them. The end of a range is its last byte.
 *
 * Source: 504ensicsLabs/LiME src/lime.h.
 *
 * @throws VmError `EINVAL` where a header is none.
 */
export function openLime(reader: Reader): Contents {
  const pieces: Piece[] = [];
  for (let offset = 0; offset < reader.size; ) {
    const { start, end } = readHeader(reader, offset, LIME, 1);
    pieces.push(...piecesIn(reader, start, offset + HEADER, end - start));
    offset += HEADER + (end - start);
    if (pieces.length > MOST_PIECES) throw broken(offset, `more than ${MOST_PIECES} ranges`);
  }
  return pieceContents(reader, pieces, { ...NOTHING, kind: 'lime', warnings: [] });
}

/**
 * AVML, version 2: blocks of up to 16 MiB, each a framed stream of snappy and then its length. Blocks of zeros are left out.
 *
 * The blocks are found from the last one back, since only the length behind a stream says how long it is. Where the file is
 * cut, they are found from the first one on, by the chunks of each stream.
 *
 * Source: microsoft/avml src/image.rs.
 *
 * @throws VmError `EINVAL` where a header is none.
 */
export function openAvml(reader: Reader): Contents {
  const warnings: string[] = [];
  let blocks = blocksBack(reader);
  if (blocks === null) {
    warnings.push('the file does not end with the length of a block: is it truncated?');
    blocks = blocksOn(reader);
  }
  return new AvmlMemory(reader, blocks, warnings);
}

function blocksBack(reader: Reader): AvmlBlock[] | null {
  const blocks: AvmlBlock[] = [];
  for (let end = reader.size; end > 0; ) {
    if (end < HEADER + LENGTH || blocks.length >= MOST_PIECES) return null;
    const bytes = u64(reader.view(end - LENGTH, LENGTH, 'the length of a block'), 0);
    const offset = end - LENGTH - bytes - HEADER;
    if (offset < 0 || !isHeader(reader, offset, AVML)) return null;
    blocks.push({ ...readHeader(reader, offset, AVML, 2), offset: offset + HEADER, streamEnd: end - LENGTH });
    end = offset;
  }
  return blocks;
}

function blocksOn(reader: Reader): AvmlBlock[] {
  const blocks: AvmlBlock[] = [];
  for (let offset = 0; offset + HEADER <= reader.size; ) {
    if (blocks.length >= MOST_PIECES) throw broken(offset, `more than ${MOST_PIECES} blocks`);
    const block = { ...readHeader(reader, offset, AVML, 2), offset: offset + HEADER, streamEnd: null };
    blocks.push(block);
    const end = AvmlMemory.endOf(reader, block);
    if (end === null) break;
    offset = end + LENGTH;
  }
  return blocks;
}

function isHeader(reader: Reader, offset: number, magic: number): boolean {
  return reader.view(offset, 4, 'a header').getUint32(0, true) === magic;
}

/** @returns the range, its end behind the last byte. */
function readHeader(
  reader: Reader,
  offset: number,
  magic: number,
  version: number,
): { start: number; end: number } {
  const view = reader.view(offset, HEADER, 'the header of a range');
  const found = view.getUint32(0, true);
  if (found !== magic || view.getUint32(4, true) !== version)
    throw broken(
      offset,
      `${at(found)}, version ${view.getUint32(4, true)}: expected the header of a range, ${at(magic)}, version ${version}`,
    );
  const start = u64(view, 8);
  const end = u64(view, 16) + 1;
  checkRange(offset + 8, start, end);
  if (magic === AVML && end - start > MOST_BLOCK)
    throw broken(offset + 8, `a block of ${end - start} bytes: expected at most ${MOST_BLOCK}`);
  return { start, end };
}
