import { optionsOf, VmError } from '@vmarea/core';
import { at, shown } from '../source/broken.js';
import type { Reader } from '../source/reader.js';
import { ADDRESS_LIMIT, type Contents, NOTHING } from './contents.js';
import { pieceContents, piecesIn } from './piece-contents.js';
import type { Piece } from './pieces.js';

/** A piece of a raw file: physical memory without a container. */
export interface RawPiece {
  /** Physical address of its first byte. */
  readonly address: bigint;
  /** Where it begins in the file, in bytes. Default: 0. */
  readonly offset?: number;
  /** Number of bytes. Default: all up to the end of the file. */
  readonly bytes?: number;
}

const NAMES = ['address', 'offset', 'bytes'] as const;

/**
 * Raw memory: the caller says where its pieces are.
 *
 * @throws VmError `EINVAL` for a piece that is none, or that the file does not have, and for two that overlap.
 */
export function openRaw(reader: Reader, map: readonly RawPiece[]): Contents {
  if (!Array.isArray(map) || map.length === 0)
    throw new VmError('EINVAL', `map is ${shown(map)}: expected an array of pieces`);
  const pieces = map.flatMap((given: RawPiece, i) => {
    const {
      address,
      offset = 0,
      bytes = reader.size - offset,
    } = optionsOf<RawPiece>(given, NAMES, `map[${i}]`) as unknown as RawPiece;
    if (typeof address !== 'bigint' || address < 0n || address >= BigInt(ADDRESS_LIMIT))
      throw new VmError(
        'EINVAL',
        `map[${i}].address is ${shown(address)}: expected a physical address below 2^52`,
      );
    if (typeof offset === 'number' && offset >= reader.size)
      throw new VmError(
        'EINVAL',
        `map[${i}].offset is ${offset}, which is behind the end: the file has ${reader.size} bytes`,
      );
    for (const [name, value] of [
      ['offset', offset],
      ['bytes', bytes],
    ] as const) {
      if (!Number.isSafeInteger(value) || value < 0)
        throw new VmError('EINVAL', `map[${i}].${name} is ${shown(value)}: expected an integer of 0 or more`);
    }
    if (bytes === 0 || offset + bytes > reader.size || Number(address) + bytes > ADDRESS_LIMIT)
      throw new VmError(
        'EINVAL',
        `map[${i}] is ${bytes} bytes from byte ${at(offset)} on: the file has ${reader.size}`,
      );
    return piecesIn(reader, Number(address), offset, bytes);
  });
  checkOverlaps(pieces);
  return pieceContents(reader, pieces, { ...NOTHING, kind: 'raw', warnings: [] });
}

/** Nothing says which of two pieces is right. The bytes of a piece are all in the file, so each is one. */
function checkOverlaps(pieces: readonly Piece[]): void {
  const order = [...pieces.keys()].sort((a, b) => (pieces[a] as Piece).start - (pieces[b] as Piece).start);
  for (const [place, i] of order.entries()) {
    const before = order[place - 1];
    if (before === undefined || (pieces[before] as Piece).end <= (pieces[i] as Piece).start) continue;
    throw new VmError('EINVAL', `${nameOf(pieces, before)} and ${nameOf(pieces, i)} overlap`, {
      advice: 'give each physical address once',
    });
  }
}

function nameOf(pieces: readonly Piece[], i: number): string {
  const { start, end } = pieces[i] as Piece;
  return `map[${i}] from ${at(start)} to ${at(end)}`;
}
