import type { ReadableTable, Walk, WalkLeaf } from '@vmarea/core';
import type { AccessKind, TlbArrayDescription, TlbDescription, TlbUnit } from '@vmarea/mmu';
import { type PlainArray, PlainFull, PlainSets } from './plain-arrays.js';
import { down, type PlainDoom, type PlainEntry, serves, survives } from './plain-entry.js';

/** One array of the plain model. */
interface Held {
  readonly description: Partial<TlbArrayDescription> & { entries: number };
  readonly array: PlainArray;
}

/** What is known of a translation on its way up. */
interface Found {
  readonly va: bigint;
  readonly asid: number | null;
  readonly leafShift: number;
  readonly cover: number;
  readonly pa: bigint;
  /** Pages of the group around it that go along, by the group's size. */
  readonly group: (pages: number) => Set<bigint>;
}

const arrayOf = (description: { entries: number; ways?: number | 'full' | null | undefined }): PlainArray =>
  typeof description.ways === 'number' && description.ways < description.entries
    ? new PlainSets(description.entries / description.ways, description.ways)
    : new PlainFull(description.entries);

/** The same as `TlbModel`, in lists and bigints, over `table.walk`: LRU only. It looks at every entry each time. */
export class PlainModel {
  asid = 0;
  walks = 0;
  reads = 0;
  readonly walkCacheHits = new Map<string, number>();
  readonly #units: { unit: TlbUnit; held: Held[] }[];
  readonly #caches: { name: string; heights: readonly number[] | 'all'; array: PlainArray }[];

  constructor(
    readonly description: TlbDescription,
    readonly table: ReadableTable,
  ) {
    this.#units = description.tlbs.map((unit) => ({
      unit,
      held: (unit.arrays ?? []).map((array) => ({ description: array, array: arrayOf(array) })),
    }));
    this.#caches = (description.walkCaches ?? []).map(({ name, heights, entries, ways }) => ({
      name,
      heights,
      array:
        typeof entries === 'number'
          ? arrayOf({ entries, ways })
          : (this.#units.find(({ unit }) => unit.name === entries.inside)?.held[0]?.array as PlainArray),
    }));
  }

  access(kind: AccessKind, va: bigint): number {
    const path = this.#units
      .filter(({ unit }) => unit.kinds.includes(kind))
      .sort((a, b) => a.unit.level - b.unit.level);
    for (const [i, { unit, held }] of path.entries()) {
      const hit = this.#find(held, va);
      if (hit === null) continue;
      if (i > 0) for (const upper of path.slice(0, i)) this.#fill(upper.held, this.#again(hit, va));
      return unit.level;
    }
    const found = this.#walk(va);
    if (found === null) return 0;
    for (const { held } of path.reverse()) this.#fill(held, found);
    return 3;
  }

  drop(doom: PlainDoom): void {
    const arrays = new Set(
      [...this.#units.flatMap(({ held }) => held), ...this.#caches].map(({ array }) => array),
    );
    for (const array of arrays) {
      for (const entry of array.all()) {
        const left = survives(entry, doom, this.table.format.pageShift);
        if (left !== entry) array.replace(entry, left);
      }
    }
  }

  #find(held: readonly Held[], va: bigint): { entry: PlainEntry; held: Held } | null {
    for (const one of held) {
      const entry = one.array.all().find((each) => serves(each, va, this.asid, this.table.format.pageShift));
      if (entry === undefined) continue;
      one.array.use(entry);
      return { entry, held: one };
    }
    return null;
  }

  /** What level 1 gets from a hit in level 2. */
  #again({ entry, held }: { entry: PlainEntry; held: Held }, va: bigint): Found {
    const { pageShift } = this.table.format;
    const { leafShift, asid } = entry;
    const page = down(va, pageShift);
    const whole = held.description.refillsLeaf === true ? Math.max(entry.shift, leafShift) : entry.shift;
    return {
      ...{ va, asid, leafShift },
      cover: entry.pages === null ? whole : pageShift,
      pa: entry.pa + (page - entry.start),
      group: (pages) =>
        entry.pages !== null && pages === held.description.coalesce ? new Set(entry.pages) : new Set([page]),
    };
  }

  #walk(va: bigint): Found | null {
    const walk = this.table.walk(va);
    const { steps, leaf } = walk;
    const last = this.table.format.levels.length - 1;
    let first = 0;
    for (let level = steps.length - 2; level >= 0 && first === 0; level--) {
      for (const { name, array } of this.#keepersOf(last - level)) {
        const entry = array.all().find((each) => this.#isTable(each, va, level));
        if (entry === undefined || first !== 0) continue;
        array.use(entry);
        this.walkCacheHits.set(name, (this.walkCacheHits.get(name) ?? 0) + 1);
        first = level + 1;
      }
    }
    this.walks++;
    this.reads += steps.length - first;
    if (leaf === null && this.description.dropsOnFault) {
      this.#forget(va);
      return null;
    }
    for (let level = first; level < steps.length - 1; level++) this.#keep(va, level, last - level);
    return leaf === null ? null : this.#found(walk, leaf);
  }

  #keepersOf(height: number) {
    return this.#caches.filter(({ heights }) => heights === 'all' || heights.includes(height));
  }

  #isTable(entry: PlainEntry, va: bigint, level: number): boolean {
    return entry.level === level && entry.asid === this.asid && down(va, entry.shift) === entry.start;
  }

  #keep(va: bigint, level: number, height: number): void {
    const shift = this.table.format.levels[level]?.shift as number;
    for (const { array } of this.#keepersOf(height)) {
      const entry = array.all().find((each) => this.#isTable(each, va, level));
      const { asid } = this;
      if (entry !== undefined) array.use(entry);
      else
        array.add({
          ...{ start: down(va, shift), shift, asid, level },
          leafShift: shift,
          pages: null,
          pa: 0n,
        });
    }
  }

  #forget(va: bigint): void {
    for (const { array } of this.#caches)
      for (const entry of array.all())
        if (entry.level !== null && this.#isTable(entry, va, entry.level)) array.replace(entry, null);
  }

  #found(walk: Walk, leaf: WalkLeaf): Found {
    const { va } = walk;
    const { pageShift } = this.table.format;
    return {
      ...{ va, asid: leaf.protection.global ? null : this.asid },
      leafShift: leaf.leafShift,
      cover: leaf.runShift ?? leaf.leafShift,
      pa: down(walk.pa as bigint, pageShift),
      group: (pages) => {
        const start = down(va, pageShift + Math.log2(pages));
        const members = Array.from({ length: pages }, (_, i) => start + (BigInt(i) << BigInt(pageShift)));
        return new Set(members.filter((page) => this.#follows(walk, leaf, page)));
      },
    };
  }

  /** Whether a page has a leaf like another one's, at the frame that lies as far from it as the page does. */
  #follows(walk: Walk, leaf: WalkLeaf, page: bigint): boolean {
    const { pageShift } = this.table.format;
    const other = this.table.walk(page);
    if (other.leaf === null || other.leaf.leafShift !== leaf.leafShift) return false;
    if ((other.pa as bigint) - page !== (walk.pa as bigint) - walk.va) return false;
    const flags = ({ steps }: Walk) => {
      const entry = steps.at(-1)?.entry as bigint;
      let address = 0n;
      for (const { entryBit, width } of this.table.format.address)
        address |= ((1n << BigInt(width)) - 1n) << BigInt(entryBit);
      return entry & ~address;
    };
    return down(page, pageShift) === page && flags(other) === flags(walk);
  }

  #fill(held: readonly Held[], found: Found): void {
    const { pageShift } = this.table.format;
    const pieces = held.map(({ description }) => pieceOf(description, found));
    const largest = Math.max(...pieces);
    if (largest === 0) return;
    const { description, array } = held[pieces.indexOf(largest)] as Held;
    const pages = description.coalesce ?? 1;
    if (pages > 1 && largest === pageShift && found.leafShift === pageShift) {
      this.#fillGroup(array, found, pages);
      return;
    }
    const { va, asid, leafShift } = found;
    const start = down(va, largest);
    const pa = found.pa - (down(va, pageShift) - start);
    array.add({ ...{ start, shift: largest, leafShift, asid, pa }, pages: null, level: null });
  }

  #fillGroup(array: PlainArray, found: Found, pages: number): void {
    const { pageShift } = this.table.format;
    const { va, asid } = found;
    const shift = pageShift + Math.log2(pages);
    const start = down(va, shift);
    const page = down(va, pageShift);
    const pa = found.pa - (page - start);
    const others = array
      .all()
      .filter((each) => each.level === null && each.pages !== null && each.start === start)
      .filter((each) => each.asid === asid || each.asid === null);
    const same = others.find((each) => each.asid === asid && each.pa === pa);
    const taken = others.filter((each) => each !== same).flatMap((each) => [...(each.pages as Set<bigint>)]);
    const wanted = [...found.group(pages), page].filter((each) => !taken.includes(each));
    const all = new Set([...(same?.pages ?? []), ...wanted]);
    const entry: PlainEntry = {
      ...{ start, shift, leafShift: pageShift, asid, pa },
      pages: all,
      level: null,
    };
    if (same === undefined) array.add(entry);
    else {
      array.replace(same, entry);
      array.use(entry);
    }
  }
}

function pieceOf({ sizes, runs }: Partial<TlbArrayDescription>, { leafShift, cover }: Found): number {
  const most = runs === true ? cover : Math.min(cover, leafShift);
  if (sizes === 'all' || sizes === null || sizes === undefined) return most;
  return Math.max(0, ...sizes.filter((size) => size <= most));
}
