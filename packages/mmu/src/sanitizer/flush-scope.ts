import type { Invalidation } from '@vmarea/core';

/** The end of all addresses, in pages of any size. */
const ALL = Number.POSITIVE_INFINITY;

/** What one flush makes a processor forget. Addresses are numbers of base pages: the address >> pageShift. */
export interface FlushScope {
  /** First address in bytes and length, as the caller gave them; a length of 0 is a page, -1 all addresses. */
  readonly va: bigint;
  readonly bytes: bigint;
  /** log2 of the bytes between two addresses that the flush visits; 0 for every page. */
  readonly stride: number;
  /** Whose translations go; `null` for those of all address spaces. */
  readonly asid: number | null;
  /** Global translations go too. */
  readonly globals: boolean;
  /** Entries of walk caches that go: none, those on the way to the addresses, or all of the address spaces. */
  readonly tables: 'none' | 'addresses' | 'all';
  /** Tables that a walk cache must not name any more, in whatever address space; `null` when tables are not named. */
  readonly named: ReadonlySet<number> | null;
}

/** What a call of `FlushSink.flush` makes a processor forget. */
export function scopeOfFlush(
  va: bigint,
  bytes: bigint,
  leafShift: number,
  tablesFreed: readonly number[],
  asid: number,
): FlushScope {
  const named = new Set(tablesFreed);
  return { va, bytes, stride: leafShift, asid, globals: true, tables: 'none', named };
}

/** What an invalidation of an architecture makes a processor forget. */
export function scopeOf(
  { addresses, asids, globals, tables }: Invalidation,
  asid: number,
  va: bigint,
  bytes: bigint,
): FlushScope {
  const range = { all: -1n, page: 0n, range: bytes }[addresses];
  return {
    ...{ va, bytes: range, stride: 0, globals, tables, named: null },
    asid: asids === 'all' ? null : asid,
  };
}

/** First page and the page after the last of a scope, in pages of a size. */
export function pagesOfScope({ va, bytes }: FlushScope, pageShift: number): [number, number] {
  if (bytes < 0n) return [0, ALL];
  const first = Number(va >> BigInt(pageShift));
  if (bytes === 0n) return [first, first + 1];
  return [first, Number((va + bytes + (1n << BigInt(pageShift)) - 1n) >> BigInt(pageShift))];
}

/** What a flush that is left for later will make processors forget. */
export function scopeOfDeferred(va: bigint, bytes: bigint, asid: number): FlushScope {
  return { va, bytes, stride: 0, asid, globals: true, tables: 'addresses', named: null };
}
