import { type LeafItem, listLeaves, type MemoryType, type PageTableReader } from '@vmarea/core';
import { type Region, regionAt } from '@vmarea/inspect';
import { MARKS, RANGE_KINDS, type RangeColumns, type RangeCounts, type RangeFilter } from './calls.js';

/** Milliseconds of work between two looks at other calls. */
const SLICE = 12;

/** All ranges of a root, packed: a million of them take 30 MB. */
export class Ranges {
  #size = 0;
  #va = new BigUint64Array(1024);
  #bytes = new BigUint64Array(1024);
  #pa = new BigUint64Array(1024);
  #kinds = new Uint8Array(1024);
  #marks = new Uint8Array(1024);
  #shifts = new Uint8Array(1024);
  #memories = new Uint8Array(1024);
  #regions = new Uint8Array(1024);
  readonly #memoryNames: (MemoryType | null)[] = [null];
  readonly #regionNames: (string | null)[] = [null];
  #matches: Uint32Array = new Uint32Array(0);

  /** Number of ranges. */
  get size(): number {
    return this.#size;
  }

  /** Adds an item of a listing. A range over the border of a region counts to that of its first address. */
  add(item: LeafItem, regions: readonly Region[]): void {
    if (this.#size === this.#kinds.length) this.#grow();
    const at = this.#size++;
    this.#va[at] = item.va;
    this.#bytes[at] = item.bytes;
    this.#pa[at] = item.pa;
    this.#kinds[at] = RANGE_KINDS.indexOf(item.kind);
    this.#regions[at] = place(this.#regionNames, regionAt(regions, item.va, item.pa).region?.name ?? null);
    if (item.kind !== 'leaves') return;
    const { rights, protection } = item;
    this.#shifts[at] = item.leafShift;
    this.#memories[at] = place(this.#memoryNames, protection.memory);
    this.#marks[at] =
      (rights.read ? MARKS.read : 0) |
      (rights.write ? MARKS.write : 0) |
      (rights.execute ? MARKS.execute : 0) |
      (rights.user ? MARKS.user : 0) |
      (protection.accessed ? MARKS.accessed : 0) |
      (protection.dirty ? MARKS.dirty : 0) |
      (protection.global ? MARKS.global : 0) |
      (item.runShift === null ? 0 : MARKS.inRun);
  }

  /** Keeps the ranges that a filter asks for, for `columns`. */
  filter(filter: RangeFilter): RangeCounts {
    const { mask, value } = bitsOf(filter);
    const shift = filter.leafBytes === undefined ? -1 : Math.log2(filter.leafBytes);
    const region = filter.region === undefined ? -1 : this.#regionNames.indexOf(filter.region);
    const isAll = mask === 0 && shift < 0;
    const matches = new Uint32Array(this.#size);
    const counts = [0, 0, 0];
    const shifts = new Set<number>();
    let found = 0;
    let bytes = 0n;
    for (let i = 0; i < this.#size; i++) {
      const kind = this.#kinds[i] as number;
      counts[kind] = (counts[kind] as number) + 1;
      if (kind === 0) shifts.add(this.#shifts[i] as number);
      if (filter.region !== undefined && this.#regions[i] !== region) continue;
      // What a table maps that is not there, nobody knows.
      const isKept =
        kind === 0
          ? ((this.#marks[i] as number) & mask) === value && (shift < 0 || this.#shifts[i] === shift)
          : isAll;
      if (!isKept) continue;
      matches[found++] = i;
      if (kind === 0) bytes += this.#bytes[i] as bigint;
    }
    this.#matches = matches.subarray(0, found);
    return {
      total: this.#size,
      matches: found,
      bytes,
      sizes: [...shifts].sort((a, b) => a - b).map((one) => 2 ** one),
      regions: this.#regionNames.filter((name) => name !== null),
      missing: counts[1] as number,
      again: counts[2] as number,
    };
  }

  /** The ranges that the last filter kept. The arrays are new. */
  columns(): RangeColumns {
    const kept = this.#matches;
    const wide = (all: BigUint64Array): BigUint64Array<ArrayBuffer> => {
      const some = new BigUint64Array(kept.length);
      for (let i = 0; i < some.length; i++) some[i] = all[kept[i] as number] as bigint;
      return some;
    };
    const narrow = (all: Uint8Array): Uint8Array<ArrayBuffer> => {
      const some = new Uint8Array(kept.length);
      for (let i = 0; i < some.length; i++) some[i] = all[kept[i] as number] as number;
      return some;
    };
    return {
      ...{ va: wide(this.#va), bytes: wide(this.#bytes), pa: wide(this.#pa) },
      ...{ kinds: narrow(this.#kinds), marks: narrow(this.#marks), shifts: narrow(this.#shifts) },
      ...{ memories: narrow(this.#memories), regions: narrow(this.#regions) },
      ...{ memoryNames: this.#memoryNames, regionNames: this.#regionNames },
    };
  }

  #grow(): void {
    const size = 2 * this.#kinds.length;
    const wide = (old: BigUint64Array<ArrayBuffer>) => {
      const next = new BigUint64Array(size);
      next.set(old);
      return next;
    };
    const narrow = (old: Uint8Array<ArrayBuffer>) => {
      const next = new Uint8Array(size);
      next.set(old);
      return next;
    };
    this.#va = wide(this.#va);
    this.#bytes = wide(this.#bytes);
    this.#pa = wide(this.#pa);
    this.#kinds = narrow(this.#kinds);
    this.#marks = narrow(this.#marks);
    this.#shifts = narrow(this.#shifts);
    this.#memories = narrow(this.#memories);
    this.#regions = narrow(this.#regions);
  }
}

/**
 * Lists all that a root maps, a slice at a time, so that other calls are answered in between.
 *
 * @param step - awaited between slices, with the number of ranges so far. It throws to end the listing.
 */
export async function listRanges(
  table: PageTableReader,
  regions: readonly Region[],
  step: (ranges: number) => Promise<void>,
): Promise<Ranges> {
  const ranges = new Ranges();
  let until = performance.now() + SLICE;
  let next = 256;
  for (const item of listLeaves(table, { again: 'name' })) {
    ranges.add(item, regions);
    if (ranges.size < next) continue;
    next = ranges.size + 256;
    if (performance.now() < until) continue;
    await step(ranges.size);
    until = performance.now() + SLICE;
  }
  return ranges;
}

function bitsOf({ writable, executable, user }: RangeFilter): {
  readonly mask: number;
  readonly value: number;
} {
  const asked: readonly [boolean | undefined, number][] = [
    [writable, MARKS.write],
    [executable, MARKS.execute],
    [user, MARKS.user],
  ];
  let mask = 0;
  let value = 0;
  for (const [wanted, bit] of asked) {
    if (wanted === undefined) continue;
    mask |= bit;
    if (wanted) value |= bit;
  }
  return { mask, value };
}

function place<T>(names: T[], name: T): number {
  const known = names.indexOf(name);
  return known >= 0 ? known : names.push(name) - 1;
}
