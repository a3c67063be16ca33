import type { PlainEntry } from './plain-entry.js';

/** A list of entries with LRU replacement. Entries are in the order of their last use. */
export interface PlainArray {
  all(): PlainEntry[];
  use(entry: PlainEntry): void;
  add(entry: PlainEntry): void;
  replace(before: PlainEntry, after: PlainEntry | null): void;
}

/** Fully associative: a Map keeps the order of insertion, so to use an entry is to insert it again. */
export class PlainFull implements PlainArray {
  readonly #entries = new Map<string, PlainEntry>();
  readonly #names = new Map<PlainEntry, string>();
  #next = 0;

  constructor(readonly most: number) {}

  all(): PlainEntry[] {
    return [...this.#entries.values()];
  }

  use(entry: PlainEntry): void {
    const name = this.#names.get(entry) as string;
    this.#entries.delete(name);
    this.#entries.set(name, entry);
  }

  add(entry: PlainEntry): void {
    if (this.#entries.size === this.most) {
      const [oldest, gone] = this.#entries.entries().next().value as [string, PlainEntry];
      this.#entries.delete(oldest);
      this.#names.delete(gone);
    }
    const name = `entry ${this.#next++}`;
    this.#entries.set(name, entry);
    this.#names.set(entry, name);
  }

  /** Keeps the place in the order. */
  replace(before: PlainEntry, after: PlainEntry | null): void {
    const name = this.#names.get(before) as string;
    this.#names.delete(before);
    if (after === null) {
      this.#entries.delete(name);
      return;
    }
    this.#entries.set(name, after);
    this.#names.set(after, name);
  }
}

/** Set-associative: a Map from set to its entries, the least recently used first. */
export class PlainSets implements PlainArray {
  readonly #sets = new Map<bigint, PlainEntry[]>();

  constructor(
    readonly sets: number,
    readonly ways: number,
  ) {}

  all(): PlainEntry[] {
    return [...this.#sets.values()].flat();
  }

  use(entry: PlainEntry): void {
    this.replace(entry, null);
    this.#of(entry).push(entry);
  }

  add(entry: PlainEntry): void {
    const set = this.#of(entry);
    if (set.length === this.ways) set.shift();
    set.push(entry);
  }

  replace(before: PlainEntry, after: PlainEntry | null): void {
    const set = this.#of(before);
    set.splice(set.indexOf(before), 1, ...(after === null ? [] : [after]));
  }

  #of({ start, shift }: PlainEntry): PlainEntry[] {
    const index = (start >> BigInt(shift)) % BigInt(this.sets);
    const set = this.#sets.get(index) ?? [];
    this.#sets.set(index, set);
    return set;
  }
}
