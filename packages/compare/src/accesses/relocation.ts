import type { VirtualRange } from '@vmarea/core';
import { PART_SHIFT, type TouchedPages } from './touched-pages.js';

/** log2 of the bytes that are moved together. No leaf that this command makes is larger. */
export const MOVED_SHIFT = 30;
/** Numbers of such pieces: 64 bits of address. */
const ALL = 2 ** (64 - MOVED_SHIFT);

/**
 * Moves addresses that a format does not translate to some that it does, in aligned pieces of 1 GiB. What the format translates stays.
 *
 * An address of the lower half goes to the same offset of a range of the upper half. Pieces that lie beyond the range go, in their
 * order, to the highest free ones, as Linux places stacks and libraries at the end of a smaller address space.
 */
export class Relocation {
  /** Pieces that lie beyond the range. */
  readonly beyond: number;
  readonly #to: ReadonlyMap<number, number>;
  readonly #from: ReadonlyMap<number, number>;
  #lastFrom = -1;
  #lastTo = -1;

  private constructor(to: ReadonlyMap<number, number>, beyond: number) {
    this.#to = to;
    this.#from = new Map([...to].map(([from, target]) => [target, from]));
    this.beyond = beyond;
  }

  /**
   * The moves of a trace's pages into a range; `null` when the range has no room for them.
   */
  static into({ bits, upper }: VirtualRange, touched: TouchedPages): Relocation | null {
    const room = 2 ** ((upper === 'sign' ? bits - 1 : bits) - MOVED_SHIFT);
    if (room < 1) return null;
    const start = upper === 'ones' ? ALL - room : 0;
    const isInside = (piece: number): boolean =>
      (piece >= start && piece < start + room) || (upper === 'sign' && piece >= ALL - room);
    const to = new Map<number, number>();
    const taken = new Set<number>();
    const beyond: number[] = [];
    for (const piece of piecesOf(touched)) {
      const target = isInside(piece) ? piece : piece < room ? start + piece : -1;
      if (target < 0) beyond.push(piece);
      else {
        taken.add(target);
        if (target !== piece) to.set(piece, target);
      }
    }
    let free = start + room - 1;
    for (const piece of beyond.reverse()) {
      while (taken.has(free)) free--;
      if (free < start) return null;
      to.set(piece, free--);
    }
    return new this(to, beyond.length);
  }

  /** Whether every address stays. */
  get isIdentity(): boolean {
    return this.#to.size === 0;
  }

  /** Moves addresses into other arrays. */
  apply(
    hi: Uint32Array,
    lo: Uint32Array,
    length: number,
    into: { readonly hi: Uint32Array; readonly lo: Uint32Array },
  ): void {
    for (let i = 0; i < length; i++) {
      const low = lo[i] as number;
      const from = (hi[i] as number) * 4 + (low >>> 30);
      if (from !== this.#lastFrom) {
        this.#lastFrom = from;
        this.#lastTo = this.#to.get(from) ?? from;
      }
      const target = this.#lastTo;
      into.hi[i] = Math.floor(target / 4);
      into.lo[i] = (low & 0x3fffffff) | ((target & 3) << 30);
    }
  }

  /** Where a piece came from, by its number. */
  source(piece: number): number {
    return this.#from.get(piece) ?? piece;
  }

  /** Where a piece goes, by its number. */
  target(piece: number): number {
    return this.#to.get(piece) ?? piece;
  }
}

/** The numbers of all pieces with touched pages, ascending. */
function piecesOf(touched: TouchedPages): Set<number> {
  const parts = 2 ** (MOVED_SHIFT - PART_SHIFT);
  return new Set(Array.from(touched.numbers(), (number) => Math.floor(number / parts)));
}
