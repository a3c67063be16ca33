import { optionsOf } from '@vmarea/core';
import { integer, refused } from './check-values.js';
import { makeArray } from './make-array.js';
import type { TableCache } from './options.js';
import type { TlbArray } from './tlb-array.js';

/** Most lines that are modelled: 64 MiB of 64 bytes. */
const MOST_LINES = 2 ** 20;

/** A cache of the lines in which table entries are. It has LRU replacement, and counts. */
export class LineCache {
  hits = 0;
  misses = 0;
  readonly #array: TlbArray;
  readonly #lineBytes: number;

  /** @throws VmError `EINVAL` for values that no cache has. */
  constructor(given: TableCache) {
    const cache = optionsOf(given, ['sets', 'ways', 'lineBytes'], 'tableCache', 'member');
    const sets = powerOfTwo('sets of tableCache', cache.sets, 1, MOST_LINES);
    const ways = integer('ways of tableCache', cache.ways, 1, MOST_LINES / sets);
    this.#lineBytes = powerOfTwo('lineBytes of tableCache', cache.lineBytes ?? 64, 8, 4096);
    this.#array = makeArray(
      {
        sets,
        ways,
        entries: sets * ways,
        replacement: 'lru',
        sizes: null,
        coalesce: 1,
        runs: false,
        refillsLeaf: false,
      },
      0,
    );
    this.#array.classOf({ shift: 0, pageShift: 0, pageMask: 0, isTable: true });
  }

  /** Reads an entry. @param address - physical address in bytes. */
  read(address: number): void {
    const array = this.#array;
    const line = Math.floor(address / this.#lineBytes);
    const lo = line | 0;
    const hi = Math.floor(line / 4294967296);
    if (array.find(lo, hi, 0, 1)) {
      this.hits++;
      array.use(array.slot);
      return;
    }
    this.misses++;
    array.insert(lo, hi, 0, 1, 0, 0);
  }

  resetStats(): void {
    this.hits = 0;
    this.misses = 0;
  }
}

function powerOfTwo(where: string, value: unknown, least: number, most: number): number {
  const number = integer(where, value, least, most);
  if (!Number.isInteger(Math.log2(number)))
    throw refused(where, value, `a power of two from ${least} to ${most}`);
  return number;
}
