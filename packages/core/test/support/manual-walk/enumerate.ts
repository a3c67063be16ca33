import type { Manual } from './descriptor.js';
import type { Geometry, ManualLevel } from './geometry.js';

/** An entry that is neither empty nor a table, where it stands. */
export interface FoundEntry {
  /** First page that it covers, counted from the start of the root's range. */
  readonly page: number;
  readonly level: number;
  /** Physical address of the entry itself. */
  readonly at: bigint;
  readonly kind: 'leaf' | 'absent' | 'reserved';
  readonly entry: bigint;
  /** First frame of a leaf; -1 for what does not map. */
  readonly pfn: number;
  /** Bits without address, type and mark; the whole entry for what does not map. */
  readonly bits: bigint;
  readonly isMarked: boolean;
}

/** A table that a walk can reach. */
export interface FoundTable {
  readonly pfn: number;
  readonly level: number;
  /** First page that it translates. */
  readonly page: number;
  /** Entries that are not 0. */
  readonly live: number;
}

/** All that stands in the tables. */
export interface Enumeration {
  /** In address order. */
  readonly entries: readonly FoundEntry[];
  /** Each before those below it; the root first. A table that two entries name is there twice. */
  readonly tables: readonly FoundTable[];
}

/** The bytes that hold the tables. */
export interface TableBytes {
  /** Little-endian, two for each entry. */
  readonly words: Int32Array;
  /** Physical address of the first one. */
  readonly base: bigint;
}

/** An entry as it was read before, at this place in a table of this level. */
interface Known {
  readonly lo: number;
  readonly hi: number;
  readonly page: number;
  readonly level: number;
  readonly found: FoundEntry | { readonly kind: 'table'; readonly pa: bigint };
}

/**
 * Reads every entry of every table that a root reaches, so that nothing can be mapped unseen.
 *
 * All words are read each time. What the manual says of a word is remembered by place, level and value, and asked again as
 * soon as one of them differs: most entries of full tables are as they were at the last call.
 */
export class Enumerator {
  readonly #bytes: TableBytes;
  readonly #geometry: Geometry;
  readonly #manual: Manual;
  /** By table, as an index into the words; then by slot. */
  readonly #known = new Map<number, (Known | undefined)[]>();

  constructor(bytes: TableBytes, geometry: Geometry, manual: Manual) {
    this.#bytes = bytes;
    this.#geometry = geometry;
    this.#manual = manual;
  }

  read(root: bigint): Enumeration {
    const entries: FoundEntry[] = [];
    const tables: FoundTable[] = [];
    this.#visit(root, 0, 0, entries, tables);
    return { entries, tables };
  }

  #visit(table: bigint, level: number, first: number, entries: FoundEntry[], tables: FoundTable[]): void {
    const { words, base } = this.#bytes;
    const { bits, pages } = this.#geometry.levels[level] as ManualLevel;
    const here = { pfn: this.#frame(table), level, page: first, live: 0 };
    tables.push(here);
    const start = Number(table - base) / 4;
    const slots = 2 ** bits;
    if (!(start >= 0 && start + 2 * slots <= words.length)) {
      throw new Error(`no table at physical 0x${table.toString(16)}`);
    }
    let known = this.#known.get(start);
    if (known === undefined) {
      known = new Array<Known | undefined>(slots);
      this.#known.set(start, known);
    }
    for (let slot = 0, at = start; slot < slots; slot++, at += 2) {
      const lo = words[at] as number;
      const hi = words[at + 1] as number;
      if ((lo | hi) === 0) continue;
      here.live++;
      const page = first + slot * pages;
      let now = known[slot];
      if (now?.lo !== lo || now.hi !== hi || now.page !== page || now.level !== level) {
        const found = this.#ask(lo, hi, level, slot, page, table + 8n * BigInt(slot));
        now = { lo, hi, page, level, found };
        known[slot] = now;
      }
      const { found } = now;
      if (found.kind === 'table') this.#visit(found.pa, level + 1, page, entries, tables);
      else entries.push(found);
    }
  }

  #ask(lo: number, hi: number, level: number, slot: number, page: number, at: bigint): Known['found'] {
    const entry = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
    const read = this.#manual.read(entry, level, slot);
    switch (read.kind) {
      case 'none':
        throw new Error('an entry that is not 0 is not empty');
      case 'table':
        return { kind: 'table', pa: read.pa };
      case 'leaf': {
        const { bits, isMarked } = read;
        return { page, level, at, kind: 'leaf', entry, pfn: this.#frame(read.pa), bits, isMarked };
      }
      default:
        return { page, level, at, kind: read.kind, entry, pfn: -1, bits: entry, isMarked: false };
    }
  }

  #frame(pa: bigint): number {
    return Number(pa >> BigInt(this.#geometry.pageShift));
  }
}

/**
 * What is wrong with the runs of an enumeration; empty when nothing is.
 *
 * A mark is a promise about a whole aligned group: every entry of it is a leaf that carries the mark, with adjacent frames
 * from an aligned one on, and the same attributes. Otherwise the processor may use any of the translations (Arm ARM
 * D8.7.1, "Misprogramming the Contiguous bit"), or an address has two of them (Svnapot).
 */
export function brokenRuns({ levels, last }: Geometry, { entries }: Enumeration): string[] {
  const wrong: string[] = [];
  for (let i = 0; i < entries.length; i++) {
    const first = entries[i] as FoundEntry;
    if (!first.isMarked) continue;
    const { run, pages } = levels[first.level] as ManualLevel;
    const name = `the run at page 0x${first.page.toString(16)} of level ${first.level} of ${last}`;
    if (first.page % (run * pages) !== 0) {
      wrong.push(`${name} does not begin where a run may`);
      continue;
    }
    if (first.pfn % (run * pages) !== 0) wrong.push(`${name} has a frame that is not aligned`);
    for (let k = 1; k < run; k++) {
      const here = entries[i + k];
      const isSame =
        here?.isMarked === true &&
        here.level === first.level &&
        here.page === first.page + k * pages &&
        here.pfn === first.pfn + k * pages &&
        here.bits === first.bits;
      if (!isSame) {
        wrong.push(`${name} is broken at its entry ${k}`);
        break;
      }
    }
    i += run - 1;
  }
  return wrong;
}
