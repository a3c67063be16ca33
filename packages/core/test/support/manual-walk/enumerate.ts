import type { Manual } from './descriptor.js';
import type { Geometry, ManualLevel } from './geometry.js';
import type { Read64 } from './walk.js';

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

/** Reads every entry of every table that the root reaches, so that nothing can be mapped unseen. */
export function enumerate(read64: Read64, root: bigint, geometry: Geometry, manual: Manual): Enumeration {
  const entries: FoundEntry[] = [];
  const tables: FoundTable[] = [];
  const frame = (pa: bigint): number => Number(pa >> BigInt(geometry.pageShift));
  const visit = (table: bigint, index: number, first: number): void => {
    const { bits: slotBits, pages } = geometry.levels[index] as ManualLevel;
    const here = { pfn: frame(table), level: index, page: first, live: 0 };
    tables.push(here);
    for (let slot = 0, at = table; slot < 2 ** slotBits; slot++, at += 8n) {
      const entry = read64(at);
      if (entry === 0n) continue;
      here.live++;
      const page = first + slot * pages;
      const found = manual.read(entry, index, slot);
      if (found.kind === 'none') continue;
      if (found.kind === 'table') visit(found.pa, index + 1, page);
      else if (found.kind === 'leaf') {
        const { bits, isMarked } = found;
        entries.push({ page, level: index, at, kind: 'leaf', entry, pfn: frame(found.pa), bits, isMarked });
      } else {
        entries.push({
          page,
          level: index,
          at,
          kind: found.kind,
          entry,
          pfn: -1,
          bits: entry,
          isMarked: false,
        });
      }
    }
  };
  visit(root, 0, 0);
  return { entries, tables };
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
