import type { AccessKind, CycleRange } from './description.js';

/** What a `TlbModel` counted since it was made or `resetStats` was called. A copy: it does not change. */
export interface TlbStats {
  /** Calls of `access`. */
  readonly accesses: number;
  /** Those of each kind. */
  readonly accessesByKind: Readonly<Record<AccessKind, number>>;
  /** The TLBs, in the description's order. */
  readonly tlbs: readonly TlbUnitStats[];
  /**
   * Walks of the tables: one for each access that no TLB served, also where it ended without a translation.
   */
  readonly walks: number;
  /** Walks that found a translation, by the leaf's size: ascending. */
  readonly walksBySize: readonly { readonly leafShift: number; readonly walks: number }[];
  /** Walks that found none: page faults, and addresses outside the root's range. */
  readonly faults: number;
  /** Entries that walks read, for each level of the tables, root first. */
  readonly levels: readonly TableLevelStats[];
  /** All entries that walks read: the sum over `levels`. */
  readonly tableReads: number;
  /** The walk caches, in the description's order. */
  readonly walkCaches: readonly WalkCacheStats[];
  /** Table reads that hit and missed the cache of the option `tableCache`; `null` without one. */
  readonly tableCache: { readonly hits: number; readonly misses: number } | null;
  /** Calls of `invalidate` and `flush`. */
  readonly invalidations: number;
  /** Entries of TLBs and walk caches that those calls dropped, or took a page from. */
  readonly entriesDropped: number;
  /** Cycles that misses of the first level cost, where the description has a sourced price. */
  readonly cycles: {
    /** Of hits in the second level; `null` when the price is unknown. */
    readonly l2Hits: CycleRange | null;
    /** Of walks; `null` when the price is unknown. */
    readonly walks: CycleRange | null;
  };
}

/** What one TLB counted. */
export interface TlbUnitStats {
  /** As in the description. */
  readonly name: string;
  /** As in the description. */
  readonly level: 1 | 2;
  /** Look-ups that found the translation. */
  readonly hits: number;
  /** Look-ups that did not, also those of faults. */
  readonly misses: number;
  /** The same by size of the leaf in the tables, ascending. Misses of faults have no size. */
  readonly bySize: readonly TlbSizeStats[];
}

/** Hits and misses of leaves of one size. */
export interface TlbSizeStats {
  /** log2 bytes of the leaf in the tables. An entry that holds a piece or a run counts for its leaf. */
  readonly leafShift: number;
  /** Hits in entries of such leaves. */
  readonly hits: number;
  /** Misses that found such a leaf further on. */
  readonly misses: number;
}

/** What one level of the tables counted. */
export interface TableLevelStats {
  /** Linux's name: `PGD`, `P4D`, `PUD`, `PMD`, `PTE`. */
  readonly name: string;
  /** log2 bytes that an entry covers. */
  readonly shift: number;
  /** Entries of this level that walks read. */
  readonly reads: number;
  /** Walks that began below this level, because a walk cache had its entry. */
  readonly walkCacheHits: number;
}

/** What one walk cache counted. A walk counts as a hit in the cache whose entry it used. */
export interface WalkCacheStats {
  /** As in the description. */
  readonly name: string;
  /** Walks that began at a table that an entry of this cache named. */
  readonly hits: number;
}
