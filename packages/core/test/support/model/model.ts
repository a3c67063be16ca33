import type { Geometry, ManualLevel } from '../manual-walk/geometry.js';
import { arm64Bits } from './arm64-bits.js';
import type { LeafBits } from './leaf-bits.js';
import { riscv64Bits } from './riscv64-bits.js';
import { x86Bits } from './x86-bits.js';

/** An entry of the model that is neither empty nor a table. */
export interface ModelEntry {
  readonly level: number;
  /** First frame; -1 for an entry that the MMU ignores. */
  readonly pfn: number;
  /** Bits without address, type and mark; the whole entry for one that the MMU ignores. */
  readonly bits: bigint;
  readonly isMarked: boolean;
}

/** Thrown inside a prediction: there are too few frames for the tables of the call. */
export class OutOfFrames extends Error {}

/**
 * What a page table must hold: a plain Map of its entries by first page, and its tables with the number of entries in use. It
 * knows nothing of bytes; the operations on it are in the files beside this one.
 */
export class Model {
  readonly geometry: Geometry;
  readonly bits: LeafBits;
  readonly entries = new Map<number, ModelEntry>();
  /** Entries in use of each table, by level and first page. */
  readonly tables = new Map<string, number>();
  /** Frames that the next tables can come from. */
  frames = 0;

  constructor(geometry: Geometry) {
    this.geometry = geometry;
    this.bits = bitsOf(geometry);
    this.tables.set(key(0, 0), 0);
  }

  /** A copy, for a call that may be refused. */
  clone(): Model {
    const copy = new Model(this.geometry);
    for (const [page, entry] of this.entries) copy.entries.set(page, entry);
    for (const [name, live] of this.tables) copy.tables.set(name, live);
    copy.frames = this.frames;
    return copy;
  }

  level(index: number): ManualLevel {
    return this.geometry.levels[index] as ManualLevel;
  }

  pagesOf(entry: ModelEntry): number {
    return this.level(entry.level).pages;
  }

  /** Entries that hold a page of a range, in address order. */
  within(first: number, end: number): [number, ModelEntry][] {
    const found: [number, ModelEntry][] = [];
    for (const [page, entry] of this.entries) {
      if (page < end && page + this.pagesOf(entry) > first) found.push([page, entry]);
    }
    return found.sort(([a], [b]) => a - b);
  }

  /** The entry that holds a page. */
  at(page: number): [number, ModelEntry] | null {
    for (let index = this.geometry.last; index >= 0; index--) {
      const { pages } = this.level(index);
      const start = page - (page % pages);
      const entry = this.entries.get(start);
      if (entry?.level === index) return [start, entry];
    }
    return null;
  }

  put(page: number, entry: ModelEntry): void {
    if (this.entries.has(page)) throw new Error(`the model has two entries at page ${page}`);
    this.entries.set(page, entry);
    this.#count(entry.level, page, 1);
  }

  remove(page: number): void {
    const entry = this.entries.get(page);
    if (entry === undefined) throw new Error(`the model has no entry at page ${page}`);
    this.entries.delete(page);
    this.#count(entry.level, page, -1);
  }

  /** Gives an entry other members; the tables stay as they are. */
  change(page: number, fields: Partial<ModelEntry>): void {
    this.entries.set(page, { ...(this.entries.get(page) as ModelEntry), ...fields });
  }

  /** First page that the table of a level translates, for any of its pages. */
  tableStart(level: number, page: number): number {
    return page - (page % this.level(level).tablePages);
  }

  hasTable(level: number, page: number): boolean {
    return this.tables.has(key(level, this.tableStart(level, page)));
  }

  live(level: number, page: number): number {
    return this.tables.get(key(level, this.tableStart(level, page))) ?? 0;
  }

  addTable(level: number, page: number): void {
    if (this.frames === 0) throw new OutOfFrames('no frame for a table of the model');
    this.frames--;
    this.tables.set(key(level, this.tableStart(level, page)), 0);
    this.#count(level - 1, page, 1);
  }

  removeTable(level: number, page: number): void {
    this.tables.delete(key(level, this.tableStart(level, page)));
    this.#count(level - 1, page, -1);
  }

  /** The tables of a level, by their first pages, ascending. */
  tablesOf(level: number): number[] {
    const found: number[] = [];
    for (const name of this.tables.keys()) {
      const [at, page] = name.split(':').map(Number) as [number, number];
      if (at === level) found.push(page);
    }
    return found.sort((a, b) => a - b);
  }

  #count(level: number, page: number, by: number): void {
    const name = key(level, this.tableStart(level, page));
    const live = this.tables.get(name);
    if (live === undefined) throw new Error(`the model has no table ${name}`);
    this.tables.set(name, live + by);
  }
}

function bitsOf(geometry: Geometry): LeafBits {
  switch (geometry.shape.architecture) {
    case 'arm64':
      return arm64Bits(geometry);
    case 'riscv64':
      return riscv64Bits();
    case 'x86-64':
      return x86Bits(geometry);
  }
}

/** The name of a table in `Model.tables`. */
export function key(level: number, start: number): string {
  return `${level}:${start}`;
}
