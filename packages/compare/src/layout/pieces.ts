import type { AddressSpace, Protection, VmArea } from '@vmarea/core';

/** A part of an area that one call maps. */
export type Piece =
  | { readonly type: 'device'; readonly start: bigint; readonly end: bigint; readonly physical: bigint }
  /** Frames in aligned chunks of `2 ** shift` bytes. */
  | {
      readonly type: 'chunks';
      readonly start: bigint;
      readonly end: bigint;
      readonly shift: number;
      readonly frames: Uint32Array;
    }
  /** Single frames, starting at a page of the area. */
  | { readonly type: 'pages'; readonly start: bigint; readonly page: number; readonly frames: Uint32Array };

/** Work between two reports of progress: some tens of milliseconds. */
export interface Portion {
  /** The area's index in the plan. */
  readonly index: number;
  readonly protection: Protection;
  readonly piece: Piece;
  /** Base pages that the piece maps. */
  readonly pages: number;
}

/** Most pages of a portion. */
export const PORTION_PAGES: number = 2 ** 22;

/** One call maps whole chunks, another the single frames after them: a call has one size for all its frames. */
export function piecesOf(
  start: bigint,
  chunks: number,
  order: number,
  frames: Uint32Array,
  pageShift: number,
): Piece[] {
  const whole = chunks * 2 ** order;
  const end = start + (BigInt(whole) << BigInt(pageShift));
  const pieces: Piece[] = [
    { type: 'chunks', start, end, shift: pageShift + order, frames: frames.subarray(0, whole) },
    { type: 'pages', start: end, page: whole, frames: frames.subarray(whole) },
  ];
  return pieces.filter((piece) => piece.type === 'device' || piece.frames.length > 0);
}

/**
 * Cuts a piece into portions. A cut is at a multiple of the portion's bytes, so that no leaf is cut.
 *
 * @param most - most pages of a portion: a power of two, and no less than the pages of the largest leaf.
 */
export function portionsOf(
  piece: Piece,
  index: number,
  protection: Protection,
  pageShift: number,
  most: number = PORTION_PAGES,
): Portion[] {
  const pages =
    piece.type === 'device' ? Number((piece.end - piece.start) >> BigInt(pageShift)) : piece.frames.length;
  const lead = Number((piece.start >> BigInt(pageShift)) % BigInt(most));
  const portions: Portion[] = [];
  for (let from = 0; from < pages; ) {
    const to = Math.min(pages, from === 0 ? most - lead : from + most);
    portions.push({ index, protection, piece: cut(piece, from, to, pageShift), pages: to - from });
    from = to;
  }
  return portions;
}

/** The pages `from .. to` of a piece. */
function cut(piece: Piece, from: number, to: number, pageShift: number): Piece {
  const offset = BigInt(from) << BigInt(pageShift);
  const start = piece.start + offset;
  const end = piece.start + (BigInt(to) << BigInt(pageShift));
  if (piece.type === 'device') return { ...piece, start, end, physical: piece.physical + offset };
  const frames = piece.frames.subarray(from, to);
  if (piece.type === 'chunks') return { ...piece, start, end, frames };
  return { ...piece, start, page: piece.page + from, frames };
}

/** Maps one piece of a reserved area. */
export function mapPiece(kernel: AddressSpace, area: VmArea, piece: Piece, protection: Protection): void {
  if (piece.type === 'device') kernel.vmapPageRange(piece.start, piece.end, piece.physical, protection);
  else if (piece.type === 'chunks')
    kernel.vmapPagesRange(piece.start, piece.end, protection, piece.frames, piece.shift);
  else area.map(piece.page, piece.frames, protection);
}
