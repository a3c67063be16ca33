import type { Invalidation } from '@vmarea/core';

/** An entry of the plain model, in whole addresses. */
export interface PlainEntry {
  /** First address that it covers, and log2 of how many bytes. */
  readonly start: bigint;
  readonly shift: number;
  /** The leaf in the tables. */
  readonly leafShift: number;
  /** `null`: global. */
  readonly asid: number | null;
  /** First addresses of the pages that it has, where it covers a group; `null` where it is no group. */
  readonly pages: Set<bigint> | null;
  /** Physical address of the first byte that it covers, as far as it has that. */
  readonly pa: bigint;
  /** Level of the table entry, for an entry of a walk cache; `null` for a translation. */
  readonly level: number | null;
}

export const down = (va: bigint, shift: number): bigint => (va >> BigInt(shift)) << BigInt(shift);

interface PlainRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** What an invalidation names, in whole addresses. */
export interface PlainDoom {
  readonly range: PlainRange;
  /** `null`: all. */
  readonly asid: number | null;
  readonly globals: boolean;
  readonly tables: Invalidation['tables'];
}

const overlaps = (range: PlainRange, start: bigint, bytes: bigint) =>
  start < range.end && range.start < start + bytes;

/** Whether a translation serves an address. */
export function serves(entry: PlainEntry, va: bigint, asid: number, pageShift: number): boolean {
  if (entry.level !== null || (entry.asid !== null && entry.asid !== asid)) return false;
  if (down(va, entry.shift) !== entry.start) return false;
  return entry.pages === null || entry.pages.has(down(va, pageShift));
}

/** What is left of an entry after an invalidation: `null` for nothing. */
export function survives(entry: PlainEntry, doom: PlainDoom, pageShift: number): PlainEntry | null {
  if (entry.level !== null) {
    if (doom.tables === 'none' || (doom.asid !== null && doom.asid !== entry.asid)) return entry;
    if (doom.tables === 'all') return null;
    return overlaps(doom.range, entry.start, 1n << BigInt(entry.shift)) ? null : entry;
  }
  const isNamed = entry.asid === null ? doom.globals : doom.asid === null || doom.asid === entry.asid;
  if (!isNamed) return entry;
  if (entry.pages !== null) {
    const pages = [...entry.pages].filter((page) => !overlaps(doom.range, page, 1n << BigInt(pageShift)));
    return pages.length === 0 ? null : { ...entry, pages: new Set(pages) };
  }
  const size = Math.max(entry.shift, entry.leafShift);
  return overlaps(doom.range, down(entry.start, size), 1n << BigInt(size)) ? null : entry;
}
