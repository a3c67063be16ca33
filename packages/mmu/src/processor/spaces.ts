import type { WalkRoot } from './walk-root.js';

/** Numbers that a line of the TLB has room for. */
const SPACES = 256;
/** Most roots of one processor. */
const MOST_ROOTS = 2;
/** Most modes that are remembered. */
export const MOST_MODES = 64;
/** Address-space identifiers are below this. */
export const ASIDS = 65536;

/**
 * The numbers that lines of the TLB carry. A number stands for a mode of the processor with an ASID, or with what all address
 * spaces share. To forget an address space is to give it another number: nothing is searched.
 *
 * A number is not given twice until the TLB is emptied. That happens when all numbers are used up.
 */
export class Spaces {
  /** The current address space's own number, and that of what all share. None is 0. */
  own = 1;
  shared = 1;
  /** By number: the ASID. */
  readonly #asidOf = new Int32Array(SPACES);
  /** By number: frames of the roots. An ASID that gets other roots gets another number. */
  readonly #roots = new Float64Array(SPACES * MOST_ROOTS);
  /** By number: the mode and ASID that it stands for; -1 for none any more. */
  readonly #keyOf = new Int32Array(SPACES).fill(-1);
  /** The numbers of a hash of their keys: the first one and each one's next; -1 ends the chain. */
  readonly #first = new Int16Array(SPACES).fill(-1);
  readonly #following = new Int16Array(SPACES).fill(-1);
  readonly #sharedOf = new Int32Array(MOST_MODES).fill(-1);
  #next = 1;
  /** The highest mode that was selected. */
  #lastMode = 0;
  readonly #empty: () => void;

  /** @param empty - empties the TLB. */
  constructor(empty: () => void) {
    this.#empty = empty;
  }

  /** Makes an address space in a mode the current one. */
  select(mode: number, asid: number, roots: readonly WalkRoot[]): void {
    if (this.#next > SPACES - 2) this.reset();
    if (mode > this.#lastMode) this.#lastMode = mode;
    const key = mode * ASIDS + asid;
    const known = this.#find(key);
    if (known >= 0 && this.#hasRoots(known, roots)) {
      this.own = known;
    } else {
      this.#forgetOtherRoots(asid, roots);
      this.own = this.#next++;
      this.#asidOf[this.own] = asid;
      for (let i = 0; i < roots.length; i++)
        this.#roots[this.own * MOST_ROOTS + i] = (roots[i] as WalkRoot).place;
      this.#keyOf[this.own] = key;
      this.#following[this.own] = this.#first[cellOf(key)] as number;
      this.#first[cellOf(key)] = this.own;
    }
    let shared = this.#sharedOf[mode] as number;
    if (shared < 0) {
      shared = this.#next++;
      this.#sharedOf[mode] = shared;
    }
    this.shared = shared;
  }

  /**
   * Forgets address spaces. Select the current one again afterwards.
   *
   * @param asid - which; -1 for all.
   * @param globals - whether what all share goes too.
   */
  retire(asid: number, globals: boolean): void {
    if (asid < 0) this.#keyOf.fill(-1);
    for (let mode = 0; asid >= 0 && mode <= this.#lastMode; mode++) {
      const number = this.#find(mode * ASIDS + asid);
      if (number >= 0) this.#keyOf[number] = -1;
    }
    if (globals) this.#sharedOf.fill(-1);
  }

  /** The ASID that a line's number stands for. */
  asidOf(number: number): number {
    return this.#asidOf[number] as number;
  }

  /** Empties the TLB, so that all numbers are free. */
  reset(): void {
    this.#keyOf.fill(-1);
    this.#first.fill(-1);
    this.#sharedOf.fill(-1);
    this.#next = 1;
    this.#empty();
  }

  /** An ASID that gets other roots is another address space in every mode. */
  #forgetOtherRoots(asid: number, roots: readonly WalkRoot[]): void {
    for (let mode = 0; mode <= this.#lastMode; mode++) {
      const number = this.#find(mode * ASIDS + asid);
      if (number >= 0 && !this.#hasRoots(number, roots)) this.#keyOf[number] = -1;
    }
  }

  /** The number that stands for a key; -1 for none. */
  #find(key: number): number {
    let number = this.#first[cellOf(key)] as number;
    while (number >= 0 && this.#keyOf[number] !== key) number = this.#following[number] as number;
    return number;
  }

  #hasRoots(number: number, roots: readonly WalkRoot[]): boolean {
    for (let i = 0; i < roots.length; i++) {
      if (this.#roots[number * MOST_ROOTS + i] !== (roots[i] as WalkRoot).place) return false;
    }
    return true;
  }
}

function cellOf(key: number): number {
  return (Math.imul(key, 0x9e3779b1) >>> 24) & (SPACES - 1);
}
