import type { WalkSource } from '../walk-source.js';
import { type Filling, HoldingArray, pagesInside } from './holding-array.js';
import type { UnitShape } from './resolved.js';

/** log2 of sizes that are counted: 0 to 63. */
const SIZES = 64;

/** One TLB of a model: its arrays, its last page, and its counters. */
export class Unit {
  readonly shape: UnitShape;
  readonly arrays: readonly HoldingArray[];
  /** By log2 bytes of the leaf in the tables. Misses of faults are at 0. */
  readonly hits: Float64Array = new Float64Array(SIZES);
  readonly misses: Float64Array = new Float64Array(SIZES);
  /**
   * The address that was used last, and the size of its leaf; 0 for none. Its entry is the newest of its array, so
   * another hit in the same 4 KiB, the smallest piece there is, changes nothing but a counter.
   */
  lastHi = 0;
  lastLo = 0;
  lastLeaf = 0;
  /** The array of the last look-up that hit. */
  #hit: HoldingArray;
  readonly #source: WalkSource;

  constructor(shape: UnitShape, source: WalkSource, seed: number) {
    this.shape = shape;
    this.#source = source;
    this.arrays = shape.arrays.map(
      (array, i) => new HoldingArray(array, source, Math.imul(seed + i, 0x9e3779b1)),
    );
    this.#hit = this.arrays[0] as HoldingArray;
  }

  /** Looks an address up and counts a hit. A miss is counted by `missed`, when its size is known. */
  look(vaHi: number, vaLo: number, asid: number): boolean {
    const { arrays } = this;
    for (let i = 0; i < arrays.length; i++) {
      const held = arrays[i] as HoldingArray;
      const { array } = held;
      if (!array.look(vaHi, vaLo, asid)) continue;
      array.use(array.slot);
      this.#hit = held;
      const leaf = array.leafShift[array.slot] as number;
      (this.hits[leaf] as number)++;
      this.#remember(vaHi, vaLo, leaf);
      return true;
    }
    return false;
  }

  /** Counts a miss. @param leafShift - of the leaf that was found further on; 0 for a fault. */
  missed(leafShift: number): void {
    (this.misses[leafShift] as number)++;
  }

  /** What the last look-up found, for the level above. */
  readHit(vaHi: number, vaLo: number, filling: Filling): void {
    const { array } = this.#hit;
    const { slot } = array;
    const { shift, pageMask } = array.classAt(slot);
    const { pageShift } = this.#source;
    const isGroup = pageMask !== 0;
    filling.vaHi = vaHi;
    filling.vaLo = vaLo;
    filling.asid = array.asid[slot] as number;
    filling.leafShift = array.leafShift[slot] as number;
    const leafShift = filling.leafShift;
    filling.cover = isGroup ? pageShift : this.#hit.shape.refillsLeaf ? Math.max(shift, leafShift) : shift;
    filling.pfn = (array.frame[slot] as number) + pagesInside(vaHi, vaLo, pageShift, shift);
    filling.groupPages = pageMask + 1;
    filling.groupMask = isGroup ? (array.valid[slot] as number) : 0;
  }

  /** Takes a translation that it does not have, into the array that holds the largest part of it. */
  fill(filling: Filling, fromWalk: boolean): void {
    let best: HoldingArray | null = null;
    let largest = 0;
    for (const held of this.arrays) {
      const piece = held.pieceOf(filling);
      if (piece <= largest) continue;
      largest = piece;
      best = held;
    }
    if (best === null) return;
    best.fill(filling, fromWalk);
    this.#remember(filling.vaHi, filling.vaLo, filling.leafShift);
  }

  /** Forgets the last page: its entry may have gone, or is another address space's. */
  forgetLast(): void {
    this.lastLeaf = 0;
  }

  resetStats(): void {
    this.hits.fill(0);
    this.misses.fill(0);
  }

  #remember(vaHi: number, vaLo: number, leafShift: number): void {
    this.lastHi = vaHi;
    this.lastLo = vaLo;
    this.lastLeaf = leafShift;
  }
}
