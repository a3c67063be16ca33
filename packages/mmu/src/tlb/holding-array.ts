import type { WalkSource } from '../walk-source.js';
import { makeArray } from './make-array.js';
import type { ArrayShape } from './resolved.js';
import { EVERY_ASID, keyHiOf, keyLoOf, type TlbArray } from './tlb-array.js';

/** A translation on its way into a TLB. One object serves all. */
export interface Filling {
  vaHi: number;
  vaLo: number;
  /** The address space; `EVERY_ASID` for a global translation. */
  asid: number;
  /** log2 bytes of the leaf in the tables. */
  leafShift: number;
  /**
   * log2 bytes that one entry may cover at most: the leaf's, those of the run that it is part of, or those of the piece
   * that the level below has.
   */
  cover: number;
  /** Frame of the address's own base page. */
  pfn: number;
  /** The group that the level below has: its pages (1: none) and the bits of those that are valid. */
  groupPages: number;
  groupMask: number;
}

/** An array that holds translations: which part of a leaf one of its entries covers, and its entries. */
export class HoldingArray {
  readonly array: TlbArray;
  readonly #source: WalkSource;
  readonly shape: ArrayShape;
  /** For each log2 of bytes that may be covered, the largest size that an entry has; 0 for none. */
  readonly #pieces: Uint8Array;
  /** For each log2 of bytes, the class of entries that cover so much; -1: not asked for yet. */
  readonly #classes: Int16Array = new Int16Array(64).fill(-1);
  /** log2 bytes of a group, and the class of groups; 0 and -1 without coalescing. */
  readonly #groupShift: number;
  readonly #groupClass: number;

  constructor(shape: ArrayShape, source: WalkSource, seed: number) {
    this.array = makeArray(shape, seed);
    this.shape = shape;
    this.#source = source;
    this.#pieces = Uint8Array.from({ length: 64 }, (_, shift) =>
      shape.sizes === null ? shift : Math.max(0, ...shape.sizes.filter((size) => size <= shift)),
    );
    const { pageShift } = source;
    const { coalesce } = shape;
    this.#groupShift = coalesce === 1 ? 0 : pageShift + Math.log2(coalesce);
    this.#groupClass =
      coalesce === 1
        ? -1
        : this.array.classOf({ shift: this.#groupShift, pageShift, pageMask: coalesce - 1, isTable: false });
  }

  /** log2 bytes that an entry for a translation covers here; 0 when the array cannot hold it. */
  pieceOf({ leafShift, cover }: Filling): number {
    return this.#pieces[this.shape.runs ? cover : Math.min(cover, leafShift)] as number;
  }

  /** Takes a translation that it does not hold. @param fromWalk - the source's last walk found it. */
  fill(filling: Filling, fromWalk: boolean): void {
    const { pageShift } = this.#source;
    const piece = this.pieceOf(filling);
    const isGroup = this.shape.coalesce > 1 && piece === pageShift && filling.leafShift === pageShift;
    if (isGroup) this.#fillGroup(filling, fromWalk);
    else this.#fillPiece(filling, piece);
  }

  #fillPiece({ vaHi, vaLo, asid, leafShift, pfn }: Filling, shift: number): void {
    const { array } = this;
    const number = this.#pieceClass(shift);
    const first = pfn - pagesInside(vaHi, vaLo, this.#source.pageShift, shift);
    array.insert(keyLoOf(vaHi, vaLo, shift), keyHiOf(vaHi, shift, number), asid, 1, leafShift, first);
  }

  #pieceClass(shift: number): number {
    const known = this.#classes[shift] as number;
    if (known >= 0) return known;
    const number = this.array.classOf({ shift, pageShift: 0, pageMask: 0, isTable: false });
    this.#classes[shift] = number;
    return number;
  }

  /**
   * One entry takes all pages of a group whose frames follow each other. An entry that is already there for such frames takes
   * the new page too. Where another entry has a page of the group, it keeps it.
   */
  #fillGroup(filling: Filling, fromWalk: boolean): void {
    const { array } = this;
    const { pageShift } = this.#source;
    const { coalesce } = this.shape;
    const { vaHi, vaLo, asid } = filling;
    const shift = this.#groupShift;
    const number = this.#groupClass;
    const keyLo = keyLoOf(vaHi, vaLo, shift);
    const keyHi = keyHiOf(vaHi, shift, number);
    const index = (vaLo >>> pageShift) & (coalesce - 1);
    const frame = filling.pfn - index;
    let mask = this.#maskOf(filling, fromWalk, index);
    let same = -1;
    for (let at = array.next(keyLo, keyHi, -1); at >= 0; at = array.next(keyLo, keyHi, at)) {
      const owner = array.asid[at] as number;
      if (array.valid[at] === 0 || (owner !== asid && owner !== EVERY_ASID)) continue;
      if (owner === asid && array.frame[at] === frame) same = at;
      else mask &= ~(array.valid[at] as number);
    }
    if (same < 0) {
      array.insert(keyLo, keyHi, asid, mask, pageShift, frame);
      return;
    }
    (array.valid[same] as number) |= mask;
    array.use(same);
  }

  #maskOf({ groupPages, groupMask }: Filling, fromWalk: boolean, index: number): number {
    const { coalesce } = this.shape;
    const known = fromWalk ? this.#source.groupMask(coalesce) : groupPages === coalesce ? groupMask : 0;
    return known | (1 << index);
  }
}

/** 2 to the power of each number: `**` of a variable is a call, which took a fifth of a miss. */
const POWERS: Float64Array = Float64Array.from({ length: 64 }, (_, i) => 2 ** i);

/** Base pages between the start of an aligned part of memory and an address in it. */
export function pagesInside(vaHi: number, vaLo: number, pageShift: number, shift: number): number {
  if (shift < 32) return (vaLo & ((1 << shift) - 1)) >>> pageShift;
  const high = shift === 32 ? 0 : vaHi & (-1 >>> (64 - shift));
  return high * (POWERS[32 - pageShift] as number) + (vaLo >>> pageShift);
}
