import { at, broken } from '../source/broken.js';
import type { Reader } from '../source/reader.js';
import { ADDRESS_LIMIT, type Contents } from './contents.js';
import { type Piece, Pieces } from './pieces.js';

/** Most pieces of a file: more take too much memory to keep. */
export const MOST_PIECES: number = 2 ** 20;

/** The members of `Contents` that are about bytes. */
type About = Pick<
  Contents,
  'kind' | 'machine' | 'pageSize' | 'notes' | 'vmcoreinfo' | 'uts' | 'registers' | 'warnings'
>;

/**
 * Contents whose memory is pieces of a file.
 *
 * @throws VmError `EINVAL` when no piece has an address.
 */
export function pieceContents(reader: Reader, pieces: readonly Piece[], about: About): Contents {
  const map = new Pieces(reader, pieces);
  if (map.isEmpty) throw broken(0, 'no memory is described: expected at least one range');
  const left = pieces.reduce((sum, { start, end, state }) => sum + (state === 'cut' ? end - start : 0), 0);
  const warnings =
    left === 0
      ? about.warnings
      : [...about.warnings, `the file is cut: ${left} bytes of memory that it describes are behind its end`];
  return {
    ...about,
    warnings,
    start: map.start,
    end: map.end,
    bytes: map.bytes,
    adjacent: (address) => map.adjacent(address),
    read: (address, into) => map.read(address, into),
    isZeroFrame: (address, bytes) => map.isZeroFrame(address, bytes),
    stateOf: (address) => map.stateOf(address),
    nextPresent: (address) => map.nextPresent(address),
    spans: () => map.spans(),
    whyNot: (address) => WHY[map.stateOf(address)] ?? null,
  };
}

const WHY: { readonly [state: string]: string | undefined } = {
  excluded: 'the dump left the page out: it was zero, or not of interest',
  cut: 'the file ends before these bytes: is it truncated?',
};

/**
 * The pieces of bytes that a file should have: those before its end, and those behind.
 *
 * @param start - physical address of the first.
 * @param offset - where they are in the file.
 */
export function piecesIn(reader: Reader, start: number, offset: number, bytes: number): Piece[] {
  const there = Math.max(0, Math.min(bytes, reader.size - offset));
  const pieces: Piece[] = [];
  if (there > 0) pieces.push({ start, end: start + there, offset, state: 'present' });
  if (there < bytes) pieces.push({ start: start + there, end: start + bytes, offset: 0, state: 'cut' });
  return pieces;
}

/** @throws VmError `EINVAL` when a range is no range of physical addresses. */
export function checkRange(offset: number, start: number, end: number): void {
  if (!(start < end) || end > ADDRESS_LIMIT)
    throw broken(
      offset,
      `a range from ${at(start)} to ${at(end)}: expected one of physical addresses below 2^52`,
    );
}
