import type { LeafItem, LeafRun, MemoryType, PageTableFormat, Rights, UnlistedSpan } from '@vmarea/core';
import { type Region, regionAt } from '../machines/region.js';

/** A run of leaves, as data. */
export interface LeafRow {
  readonly kind: 'leaves';
  /** First address, in bytes. */
  readonly va: bigint;
  /** Length of all leaves, in bytes. */
  readonly bytes: bigint;
  /** Number of leaves. */
  readonly count: number;
  /** Bytes of one leaf. */
  readonly leafBytes: bigint;
  /** Bytes of the contiguous or NAPOT run that each leaf is part of; `null` for none. */
  readonly runBytes: bigint | null;
  /** The level's name: `PTE`, `PMD`. */
  readonly level: string;
  /** Physical address of the first byte. */
  readonly pa: bigint;
  /** The entry without its address. */
  readonly flags: bigint;
  /** What all levels together allow the side that the pages belong to. */
  readonly rights: Rights;
  readonly global: boolean;
  readonly accessed: boolean;
  readonly dirty: boolean;
  readonly memory: MemoryType;
  /** What Linux has there; `null` where its map has nothing. */
  readonly region: string | null;
}

/** A table whose leaves are not listed at its place, as data. */
export interface UnlistedRow {
  /** `missing`: the dump lacks the table. `again`: it is listed elsewhere. */
  readonly kind: 'missing' | 'again';
  readonly va: bigint;
  readonly bytes: bigint;
  /** Level of the table. */
  readonly level: string;
  /** Physical address of the table. */
  readonly pa: bigint;
  /** Physical address of the entry that points to it. */
  readonly entryAddress: bigint;
  readonly entry: bigint;
  /** Where it is listed; `null` for a missing one. */
  readonly listedAt: bigint | null;
  readonly region: string | null;
}

/** A run as data. */
export function leafRow({ levels }: PageTableFormat, run: LeafRun, regions: readonly Region[]): LeafRow {
  const { va, bytes, count, leafShift, runShift, level, pa, flags, rights, protection } = run;
  const { global, accessed, dirty, memory } = protection;
  return {
    kind: 'leaves',
    ...{ va, bytes, count },
    leafBytes: 1n << BigInt(leafShift),
    runBytes: runShift === null ? null : 1n << BigInt(runShift),
    level: levels[level]?.name ?? String(level),
    ...{ pa, flags, rights, global, accessed, dirty, memory },
    region: regionAt(regions, va, pa).region?.name ?? null,
  };
}

/** A table that is not listed, as data. */
export function unlistedRow(
  { levels }: PageTableFormat,
  span: UnlistedSpan,
  regions: readonly Region[],
): UnlistedRow {
  const { kind, va, bytes, level, pa, entry, address, listedAt } = span;
  return {
    ...{ kind, va, bytes },
    level: levels[level]?.name ?? String(level),
    ...{ pa, entryAddress: address, entry, listedAt },
    region: regionAt(regions, va, pa).region?.name ?? null,
  };
}

/** Items of a list as data, one by one. */
export function* rowsOf(
  format: PageTableFormat,
  items: Iterable<LeafItem>,
  regions: readonly Region[],
): IterableIterator<LeafRow | UnlistedRow> {
  for (const item of items)
    yield item.kind === 'leaves' ? leafRow(format, item, regions) : unlistedRow(format, item, regions);
}
