import type { LeafItem, LeafRun, MemoryType, PageTableFormat, Rights } from '@vmarea/core';
import { least, type Region, regionAt } from '../machines/region.js';
import { type UnlistedRow, unlistedRow } from './rows.js';

/** Addresses that follow each other with the same rights, memory type and region. */
export interface MergedRow {
  readonly kind: 'mapped';
  /** First address, in bytes. */
  readonly va: bigint;
  readonly bytes: bigint;
  readonly rights: Rights;
  readonly memory: MemoryType;
  /** What Linux has there; `null` where its map has nothing. */
  readonly region: string | null;
  /** Physical address of the first byte. */
  readonly pa: bigint;
  /** True when all of it is in one piece of physical memory. */
  readonly isContiguous: boolean;
  /** Bytes in leaves of each size, smallest first. */
  readonly sizes: readonly { readonly leafBytes: bigint; readonly bytes: bigint }[];
}

/** What is being merged. */
interface Open {
  readonly start: bigint;
  end: bigint;
  readonly rights: Rights;
  readonly memory: MemoryType;
  readonly region: Region | null;
  readonly pa: bigint;
  isContiguous: boolean;
  readonly sizes: Map<number, bigint>;
}

/**
 * Merges runs whose addresses follow each other and which differ in leaf size, frames or unimportant bits alone: what ptdump of
 * Linux shows. A row ends where rights, memory type or region change.
 *
 * @param items - from `listLeaves`.
 * @param regions - from `kernelLayout`; none for no names.
 */
export function* mergeRuns(
  format: PageTableFormat,
  items: Iterable<LeafItem>,
  regions: readonly Region[],
): IterableIterator<MergedRow | UnlistedRow> {
  let open: Open | null = null;
  for (const item of items) {
    if (item.kind !== 'leaves') {
      if (open !== null) yield closed(open);
      open = null;
      yield unlistedRow(format, item, regions);
      continue;
    }
    for (let done = 0n; done < item.bytes; ) {
      const va = item.va + done;
      const { region, end } = regionAt(regions, va, item.pa + done);
      const bytes = least(end - va, item.bytes - done);
      if (open !== null && !goesOn(open, item, va, region)) {
        yield closed(open);
        open = null;
      }
      open ??= opened(item, va, item.pa + done, region);
      if (open.pa + (va - open.start) !== item.pa + done) open.isContiguous = false;
      open.end = va + bytes;
      open.sizes.set(item.leafShift, (open.sizes.get(item.leafShift) ?? 0n) + bytes);
      done += bytes;
    }
  }
  if (open !== null) yield closed(open);
}

function goesOn(open: Open, { rights, protection }: LeafRun, va: bigint, region: Region | null): boolean {
  return (
    open.end === va &&
    open.region === region &&
    open.memory === protection.memory &&
    open.rights.read === rights.read &&
    open.rights.write === rights.write &&
    open.rights.execute === rights.execute &&
    open.rights.user === rights.user
  );
}

function opened({ rights, protection }: LeafRun, va: bigint, pa: bigint, region: Region | null): Open {
  const { memory } = protection;
  return { start: va, end: va, rights, memory, region, pa, isContiguous: true, sizes: new Map() };
}

function closed({ start, end, rights, memory, region, pa, isContiguous, sizes }: Open): MergedRow {
  return {
    kind: 'mapped',
    va: start,
    bytes: end - start,
    ...{ rights, memory, region: region?.name ?? null, pa, isContiguous },
    sizes: [...sizes]
      .sort(([a], [b]) => a - b)
      .map(([shift, bytes]) => ({ leafBytes: 1n << BigInt(shift), bytes })),
  };
}
