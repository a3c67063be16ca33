import type { WalkSource } from '../walk-source.js';
import { makeArray } from './make-array.js';
import type { WalkCacheShape } from './resolved.js';
import { keyHiOf, keyLoOf, type TlbArray } from './tlb-array.js';
import type { Unit } from './unit.js';

/** Where the entries of one level of the tables are kept. */
interface Keeper {
  /** Index of the walk cache. */
  readonly cache: number;
  readonly array: TlbArray;
  /** The class of such entries in the array. */
  readonly number: number;
}

/** All walk caches of a model. */
export class WalkCaches {
  /** Walks that used an entry, for each cache. */
  readonly hits: Float64Array;
  /** Walks that used an entry, for each level of the tables: the entry's. */
  readonly levelHits: Float64Array;
  /** Arrays that belong to a walk cache alone. */
  readonly own: readonly TlbArray[];
  /** For each level of the tables, root first: the caches that hold its entries. */
  readonly #keepers: readonly (readonly Keeper[])[];
  readonly #shifts: readonly number[];

  constructor(shapes: readonly WalkCacheShape[], units: readonly Unit[], source: WalkSource, seed: number) {
    const last = source.levels.length - 1;
    const own: TlbArray[] = [];
    const arrays = shapes.map(({ place }, i) => {
      if (typeof place === 'number') return (units[place] as Unit).arrays[0]?.array as TlbArray;
      const array = makeArray(place, Math.imul(seed + i, 0x85ebca6b));
      own.push(array);
      return array;
    });
    this.own = own;
    this.hits = new Float64Array(shapes.length);
    this.levelHits = new Float64Array(source.levels.length);
    this.#shifts = source.levels.map(({ shift }) => shift);
    this.#keepers = source.levels.map(({ shift }, level) =>
      shapes.flatMap(({ heights }, cache) => {
        const height = last - level;
        if (height === 0 || (heights !== null && !heights.includes(height))) return [];
        const array = arrays[cache] as TlbArray;
        return [{ cache, array, number: array.classOf({ shift, pageShift: 0, pageMask: 0, isTable: true }) }];
      }),
    );
  }

  /**
   * Finds where a walk begins: at the table that the deepest entry of a cache names. Only that entry counts as used.
   *
   * @param depth - entries that a walk from the root reads. An entry that names a deeper table is stale.
   * @returns the first level that the walk reads: 0 is the root.
   */
  start(vaHi: number, vaLo: number, asid: number, depth: number): number {
    for (let level = depth - 2; level >= 0; level--) {
      for (const { cache, array, number } of this.#keepers[level] as readonly Keeper[]) {
        const shift = this.#shifts[level] as number;
        if (!array.find(keyLoOf(vaHi, vaLo, shift), keyHiOf(vaHi, shift, number), asid, 1)) continue;
        array.use(array.slot);
        (this.hits[cache] as number)++;
        (this.levelHits[level] as number)++;
        return level + 1;
      }
    }
    return 0;
  }

  /** Keeps the entries that a walk read and that name tables: those of the levels `first` to `depth - 2`. */
  fill(vaHi: number, vaLo: number, asid: number, first: number, depth: number): void {
    for (let level = first; level < depth - 1; level++) {
      for (const { array, number } of this.#keepers[level] as readonly Keeper[]) {
        const shift = this.#shifts[level] as number;
        const keyLo = keyLoOf(vaHi, vaLo, shift);
        const keyHi = keyHiOf(vaHi, shift, number);
        if (array.find(keyLo, keyHi, asid, 1)) array.use(array.slot);
        else array.insert(keyLo, keyHi, asid, 1, shift, 0);
      }
    }
  }

  /** Drops what a walk of an address would use, as a page fault on x86 does. */
  forget(vaHi: number, vaLo: number, asid: number): void {
    for (let level = 0; level < this.#keepers.length; level++) {
      for (const { array, number } of this.#keepers[level] as readonly Keeper[]) {
        const shift = this.#shifts[level] as number;
        if (array.find(keyLoOf(vaHi, vaLo, shift), keyHiOf(vaHi, shift, number), asid, 1))
          array.drop(array.slot);
      }
    }
  }

  resetStats(): void {
    this.hits.fill(0);
    this.levelHits.fill(0);
  }
}
