import { at } from '../source/broken.js';
import type { Reader } from '../source/reader.js';
import type { PageState, Span } from './contents.js';

/** A range of physical memory, and where its bytes are. */
export interface Piece extends Span {
  /** Where the bytes are in the file. Not used for pieces without bytes. */
  readonly offset: number;
  readonly state: Exclude<PageState, 'absent'>;
}

/** Frames of all sizes begin at multiples of this. */
const LARGEST_FRAME = 65536;

/** States in the order in which they win where pieces overlap. */
const STATES = ['present', 'zero', 'excluded', 'cut'] as const;

/**
 * Physical memory as pieces of a file. Pieces may overlap, as the segments of a core do that describe virtual memory: the one
 * that has bytes wins.
 */
export class Pieces {
  readonly #reader: Reader;
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;
  readonly #offsets: Float64Array;
  readonly #states: Uint8Array;
  /** Bytes that can be read. */
  readonly bytes: number;

  constructor(reader: Reader, pieces: readonly Piece[]) {
    const disjoint = STATES.reduce<Piece[]>(
      (kept, state) =>
        fill(
          kept,
          pieces.filter((piece) => piece.state === state),
        ),
      [],
    );
    this.#reader = reader;
    this.#starts = Float64Array.from(disjoint, ({ start }) => start);
    this.#ends = Float64Array.from(disjoint, ({ end }) => end);
    this.#offsets = Float64Array.from(disjoint, ({ offset }) => offset);
    this.#states = Uint8Array.from(disjoint, ({ state }) => STATES.indexOf(state));
    this.bytes = disjoint.reduce(
      (sum, { start, end, state }) => sum + (hasBytes(state) ? end - start : 0),
      0,
    );
  }

  /** True when there is no piece. */
  get isEmpty(): boolean {
    return this.#starts.length === 0;
  }

  get start(): number {
    return this.#starts[0] ?? 0;
  }

  get end(): number {
    return this.#ends[this.#ends.length - 1] ?? 0;
  }

  stateOf(address: number): PageState {
    const piece = this.#pieceOf(address);
    return piece < 0 ? 'absent' : this.#state(piece);
  }

  adjacent(address: number): number {
    const piece = this.#pieceOf(address);
    return piece < 0 || !hasBytes(this.#state(piece)) ? 0 : (this.#ends[piece] as number) - address;
  }

  read(address: number, into: Uint8Array): void {
    const piece = this.#pieceOf(address);
    if (this.#state(piece) === 'zero') {
      into.fill(0);
      return;
    }
    const offset = (this.#offsets[piece] as number) + (address - (this.#starts[piece] as number));
    into.set(this.#reader.bytes(offset, into.length, `physical memory at ${at(address)}`));
  }

  isZeroFrame(address: number, bytes: number): boolean {
    const piece = this.#pieceOf(address);
    return (
      piece >= 0 && this.#state(piece) === 'excluded' && address + bytes <= (this.#ends[piece] as number)
    );
  }

  nextPresent(address: number): number {
    let piece = Math.max(0, lastAtOrBelow(this.#starts, address));
    for (; piece < this.#starts.length; piece++) {
      if (this.#state(piece) !== 'present' || address >= (this.#ends[piece] as number)) continue;
      const next = this.#behindHole(piece, Math.max(address, this.#starts[piece] as number));
      if (next < (this.#ends[piece] as number)) return next;
    }
    return -1;
  }

  /**
   * The first address at or after one of a piece whose frame may be something else than zero. One far chunk of a flattened file makes
   * terabytes of holes, and a loop over all memory must not go through them.
   */
  #behindHole(piece: number, address: number): number {
    const distance = (this.#offsets[piece] as number) - (this.#starts[piece] as number);
    const stored = this.#reader.nextStored(address + distance) - distance;
    return Math.max(address, stored - (stored % LARGEST_FRAME));
  }

  *spans(): IterableIterator<Span> {
    for (let i = 0; i < this.#starts.length; ) {
      const start = this.#starts[i] as number;
      let end = this.#ends[i] as number;
      for (i++; this.#starts[i] === end; i++) end = this.#ends[i] as number;
      yield { start, end };
    }
  }

  #pieceOf(address: number): number {
    const piece = lastAtOrBelow(this.#starts, address);
    return piece >= 0 && address < (this.#ends[piece] as number) ? piece : -1;
  }

  #state(piece: number): (typeof STATES)[number] {
    return STATES[this.#states[piece] as number] as (typeof STATES)[number];
  }
}

function hasBytes(state: PageState): boolean {
  return state === 'present' || state === 'zero';
}

/** Index of the last of ascending values that is not above `value`; -1 when all are above. */
export function lastAtOrBelow(values: Float64Array, value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Adds to disjoint ascending pieces what others have between and around them. Pieces that follow each other become one. */
function fill(kept: readonly Piece[], more: readonly Piece[]): Piece[] {
  if (more.length === 0) return [...kept];
  const sorted = [...more].sort((a, b) => a.start - b.start || b.end - a.end);
  const filled: Piece[] = [];
  const add = (piece: Piece): void => {
    const last = filled[filled.length - 1];
    const isNext =
      last !== undefined &&
      last.end === piece.start &&
      last.state === piece.state &&
      (piece.state !== 'present' || last.offset + (last.end - last.start) === piece.offset);
    if (isNext) filled[filled.length - 1] = { ...last, end: piece.end };
    else filled.push(piece);
  };
  let next = 0;
  let covered = 0;
  for (const piece of sorted) {
    let from = Math.max(piece.start, covered);
    while (from < piece.end) {
      while (next < kept.length && (kept[next] as Piece).end <= from) add(kept[next++] as Piece);
      const other = kept[next];
      const to = other === undefined ? piece.end : Math.min(piece.end, other.start);
      if (to > from) add({ ...piece, start: from, end: to, offset: piece.offset + (from - piece.start) });
      from = other !== undefined && other.start < piece.end ? Math.max(other.end, to) : piece.end;
    }
    covered = Math.max(covered, piece.end);
  }
  while (next < kept.length) add(kept[next++] as Piece);
  return filled;
}
