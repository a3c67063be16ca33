import { type Victims, victimsOf } from './replacement.js';
import type { ArrayShape } from './resolved.js';

/** The ASID of global entries: it fits every address space. */
export const EVERY_ASID = -1;

/** Bits of a key's high word below the class: a page number has at most 52 bits. */
const CLASS_SHIFT = 20;

/** What the entries of a class cover. */
export interface EntryClass {
  /** log2 bytes of the addresses that share one key. */
  readonly shift: number;
  /** log2 bytes of a page of the group, and the pages - 1; 0 where an entry is no group. */
  readonly pageShift: number;
  readonly pageMask: number;
  /** Whether the entry names a table, for walk caches. */
  readonly isTable: boolean;
}

/**
 * Entries of one array, in typed arrays: keys, and what a replacement needs. The two kinds of array differ in how they find a key.
 *
 * A key is the address without the bits that an entry of the class covers, in two words; the high word has the class too. So
 * entries of different sizes share an array, and a look-up asks once for each class that has entries.
 */
export abstract class TlbArray {
  readonly shape: ArrayShape;
  readonly keyLo: Int32Array;
  readonly keyHi: Int32Array;
  /** Address space of each entry; `EVERY_ASID` for a global one. */
  readonly asid: Int32Array;
  /** A bit for each page of a group that the entry has; 1 where it is no group. 0: the slot is free. */
  readonly valid: Int32Array;
  /** log2 bytes of the leaf in the tables, of which the entry may be a piece. */
  readonly leafShift: Uint8Array;
  /** Frame of the first base page that the entry covers; below 0 when a group has no frame for it. */
  readonly frame: Float64Array;
  readonly classes: EntryClass[] = [];
  /** Entries of each class. */
  readonly counts: number[] = [];
  /** Where the last look-up found its entry. */
  slot = -1;
  /** Entries in use. */
  protected live = 0;
  protected readonly victims: Victims;

  constructor(shape: ArrayShape, seed: number) {
    const { entries, sets, ways, replacement } = shape;
    this.shape = shape;
    this.keyLo = new Int32Array(entries);
    this.keyHi = new Int32Array(entries);
    this.asid = new Int32Array(entries);
    this.valid = new Int32Array(entries);
    this.leafShift = new Uint8Array(entries);
    this.frame = new Float64Array(entries);
    this.victims = victimsOf(replacement, sets, ways, seed);
  }

  /** The next slot with a key, after another one (-1: the first); -1 for none. Free slots may be among them. */
  abstract next(keyLo: number, keyHi: number, after: number): number;
  /** A slot for a new entry; it may be in use. */
  protected abstract choose(keyLo: number): number;
  protected abstract link(slot: number): void;
  protected abstract unlink(slot: number): void;

  /** The number of a class, which is added when it is new. */
  classOf(wanted: EntryClass): number {
    const found = this.classes.findIndex(
      (known) =>
        known.shift === wanted.shift &&
        known.pageMask === wanted.pageMask &&
        known.isTable === wanted.isTable,
    );
    if (found >= 0) return found;
    this.classes.push(wanted);
    this.counts.push(0);
    return this.classes.length - 1;
  }

  /** The class of a slot's entry. */
  classAt(slot: number): EntryClass {
    return this.classes[(this.keyHi[slot] as number) >> CLASS_SHIFT] as EntryClass;
  }

  /** Looks an address up among the translations; `slot` is where it is. It does not count as a use. */
  look(vaHi: number, vaLo: number, asid: number): boolean {
    const { classes, counts } = this;
    for (let number = 0; number < classes.length; number++) {
      if (counts[number] === 0) continue;
      const { shift, pageShift, pageMask, isTable } = classes[number] as EntryClass;
      if (isTable) continue;
      const bit = 1 << ((vaLo >>> pageShift) & pageMask);
      if (this.find(keyLoOf(vaHi, vaLo, shift), keyHiOf(vaHi, shift, number), asid, bit)) return true;
    }
    return false;
  }

  /** Finds the entry of a key that has a page. It sets `slot`. */
  find(keyLo: number, keyHi: number, asid: number, bit: number): boolean {
    for (let at = this.next(keyLo, keyHi, -1); at >= 0; at = this.next(keyLo, keyHi, at)) {
      if (((this.valid[at] as number) & bit) === 0) continue;
      const owner = this.asid[at];
      if (owner !== asid && owner !== EVERY_ASID) continue;
      this.slot = at;
      return true;
    }
    return false;
  }

  use(slot: number): void {
    this.victims.use(slot);
  }

  /** Makes an entry. It takes the place of another one when its set is full. */
  insert(keyLo: number, keyHi: number, asid: number, valid: number, leafShift: number, frame: number): void {
    const slot = this.choose(keyLo);
    if (this.valid[slot] !== 0) this.drop(slot);
    this.keyLo[slot] = keyLo;
    this.keyHi[slot] = keyHi;
    this.asid[slot] = asid;
    this.valid[slot] = valid;
    this.leafShift[slot] = leafShift;
    this.frame[slot] = frame;
    this.live++;
    (this.counts[keyHi >> CLASS_SHIFT] as number)++;
    this.link(slot);
    this.victims.use(slot);
  }

  /** Frees a slot in use. */
  drop(slot: number): void {
    this.unlink(slot);
    this.valid[slot] = 0;
    this.live--;
    (this.counts[(this.keyHi[slot] as number) >> CLASS_SHIFT] as number)--;
  }
}

/** Low word of an address without its low bits. @param shift - 12 to 63. */
export function keyLoOf(vaHi: number, vaLo: number, shift: number): number {
  return shift < 32 ? (vaLo >>> shift) | (vaHi << (32 - shift)) : (vaHi >>> (shift - 32)) | 0;
}

/** High word of an address without its low bits, with the class. */
export function keyHiOf(vaHi: number, shift: number, number: number): number {
  return (shift < 32 ? vaHi >>> shift : 0) | (number << CLASS_SHIFT);
}

/** The address of a key in units of 4 KiB: exact. */
export function firstUnit(array: TlbArray, slot: number, shift: number): number {
  const hi = (array.keyHi[slot] as number) & ((1 << CLASS_SHIFT) - 1);
  return (hi * 4294967296 + ((array.keyLo[slot] as number) >>> 0)) * 2 ** (shift - 12);
}
