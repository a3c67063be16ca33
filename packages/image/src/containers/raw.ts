import { optionsOf, VmError } from '@vmarea/core';
import { at, shown } from '../source/broken.js';
import type { Reader } from '../source/reader.js';
import { ADDRESS_LIMIT, type Contents, NOTHING } from './contents.js';
import { pieceContents, piecesIn } from './piece-contents.js';

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
 * Raw memory: the caller says where its pieces are. Where they overlap, the first one counts.
 *
 * @throws VmError `EINVAL` for a piece that is none, or that the file does not have.
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
  return pieceContents(reader, pieces, { ...NOTHING, kind: 'raw', warnings: [] });
}
