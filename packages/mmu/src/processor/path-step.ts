import type { Words } from '@vmarea/core';

/**
 * One kind of entry, met after one path of others: all that a walk wants to know of it, found once.
 *
 * Entries are of one kind when they have the same *attributes*: all bits that anything but the address depends on. What a path
 * allows depends on attributes alone, so the format is asked once for each kind, and never in a walk that meets known ones.
 *
 * An entry is of this kind when `(entry & mask) === value`. The mask has the attributes, and each address bit that a rule of the
 * format looks at: so an entry that matches breaks no rule.
 *
 * Numbers are `declare`d and first written with `| 0`, as V8 then keeps them as integers.
 */
export class PathStep {
  declare readonly maskLo: number;
  declare readonly maskHi: number;
  declare readonly valueLo: number;
  declare readonly valueHi: number;
  /** The accesses, as a mask, that may go on at once: allowed here, and with nothing for hardware to set. */
  declare readonly ready: number;
  /** log2 of the bytes that the leaf or its run covers; 0 for an entry that points to a table. */
  declare readonly coverShift: number;
  /** For a leaf: log2 of its bytes, and whether all address spaces share it. */
  declare readonly leafShift: number;
  readonly isGlobal: boolean;
  /** The entries of such a path, root first, this one last: the first that were met. */
  readonly path: readonly Words[];
  /** The steps above it, root first. */
  readonly above: readonly PathStep[];
  /** What was met last in the table below. */
  recent: PathStep | null;
  /** All that were met in the table below. */
  below: PathStep[] = [];
  /** The same, by a hash of their attributes. */
  byHash: (PathStep | null)[] = [];

  constructor(given: {
    readonly mask: Words;
    readonly value: Words;
    readonly ready: number;
    readonly leafShift: number;
    readonly coverShift: number;
    readonly isGlobal: boolean;
    readonly path: readonly Words[];
    readonly above: readonly PathStep[];
  }) {
    this.maskLo = given.mask.lo | 0;
    this.maskHi = given.mask.hi | 0;
    this.valueLo = given.value.lo | 0;
    this.valueHi = given.value.hi | 0;
    this.ready = given.ready | 0;
    this.coverShift = given.coverShift | 0;
    this.leafShift = given.leafShift | 0;
    this.isGlobal = given.isGlobal;
    this.path = given.path;
    this.above = given.above;
    this.recent = null;
  }

  /** True when an entry is of this kind. */
  is(lo: number, hi: number): boolean {
    return (((lo & this.maskLo) ^ this.valueLo) | ((hi & this.maskHi) ^ this.valueHi)) === 0;
  }
}
