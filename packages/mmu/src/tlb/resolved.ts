import type { AccessKind, Replacement, TlbCycles } from './description.js';

/** One array with every value known. */
export interface ArrayShape {
  readonly sets: number;
  readonly ways: number;
  readonly entries: number;
  readonly replacement: Replacement;
  /** log2 bytes of the entries' sizes, ascending; `null`: every size. */
  readonly sizes: readonly number[] | null;
  /** Base pages that an entry can cover; 1 for no coalescing. */
  readonly coalesce: number;
  /** Whether a run is one entry. */
  readonly runs: boolean;
  /** Whether a hit in a piece gives level 1 the whole leaf. */
  readonly refillsLeaf: boolean;
}

/** One TLB with every value known. */
export interface UnitShape {
  readonly name: string;
  readonly level: 1 | 2;
  readonly kinds: readonly AccessKind[];
  readonly arrays: readonly ArrayShape[];
}

/** One walk cache with every value known. */
export interface WalkCacheShape {
  readonly name: string;
  /** `null`: all. */
  readonly heights: readonly number[] | null;
  /** Its own array, or the index of the TLB that holds its entries. */
  readonly place: ArrayShape | number;
}

/** A description with every value known, and what had to be taken for that. */
export interface Resolved {
  readonly units: readonly UnitShape[];
  readonly walkCaches: readonly WalkCacheShape[];
  readonly dropsOnFault: boolean;
  readonly cycles: TlbCycles;
  /** A sentence for each value that the description lacks. */
  readonly assumptions: readonly string[];
}
