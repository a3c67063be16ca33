import type { RegionFields, RegionRecord } from './region-record.js';

/** The regions of a process, ascending. None overlaps another. */
export class RegionList {
  /** Replaced as a whole by each change. */
  all: readonly RegionRecord[] = [];
  /** Something has changed since other threads were told. */
  isChanged = false;

  /** Index of the first region that ends after a page; the length when there is none (find_vma). */
  indexAt(page: number): number {
    let low = 0;
    let high = this.all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.all[middle] as RegionRecord).end > page) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The region that holds a page; `null` for none (vma_lookup). */
  at(page: number): RegionRecord | null {
    const found = this.all[this.indexAt(page)];
    return found !== undefined && found.first <= page ? found : null;
  }

  /** The regions that have pages in a range. */
  within(first: number, end: number): readonly RegionRecord[] {
    const from = this.indexAt(first);
    let to = from;
    while (to < this.all.length && (this.all[to] as RegionRecord).first < end) to++;
    return this.all.slice(from, to);
  }
}

/** What one call changes in the regions, until it is done or undone. */
export class RegionChanges {
  readonly #list: RegionList;
  readonly #before: readonly RegionRecord[];
  readonly #fields: Map<RegionRecord, RegionFields> = new Map();
  readonly #added: Set<RegionRecord> = new Set();
  readonly #removed: Set<RegionRecord> = new Set();

  constructor(list: RegionList) {
    this.#list = list;
    this.#before = list.all;
  }

  /** Puts a region in its place. */
  add(region: RegionRecord): void {
    const { all } = this.#list;
    const at = this.#list.indexAt(region.first);
    this.#list.all = [...all.slice(0, at), region, ...all.slice(at)];
    this.#list.isChanged = true;
    region.isLive = true;
    this.#added.add(region);
    region.object?.link(region);
  }

  /** Puts regions into a list that has none. They are ascending. */
  addAll(regions: readonly RegionRecord[]): void {
    this.#list.all = regions;
    this.#list.isChanged = true;
    for (const region of regions) {
      region.isLive = true;
      this.#added.add(region);
      region.object?.link(region);
    }
  }

  /** Takes regions out. */
  remove(regions: readonly RegionRecord[]): void {
    if (regions.length === 0) return;
    for (const region of regions) {
      region.isLive = false;
      this.#removed.add(region);
      region.object?.unlink(region);
    }
    this.#list.all = this.#list.all.filter(({ isLive }) => isLive);
    this.#list.isChanged = true;
  }

  /** Changes fields of a region. Its place among the others must stay. */
  set(region: RegionRecord, fields: Partial<RegionFields>): void {
    if (!this.#fields.has(region)) {
      const { first, end, pgoff, bits, anon, isForked } = region;
      this.#fields.set(region, { first, end, pgoff, bits, anon, isForked });
    }
    Object.assign(region, fields);
    this.#list.isChanged = true;
  }

  /** Makes everything as it was. */
  undo(): void {
    this.#list.all = this.#before;
    for (const [region, fields] of this.#fields) Object.assign(region, fields);
    for (const region of this.#added) {
      region.isLive = false;
      region.object?.unlink(region);
    }
    for (const region of this.#removed) {
      if (this.#added.has(region)) continue;
      region.isLive = true;
      region.object?.relink(region);
    }
  }
}
