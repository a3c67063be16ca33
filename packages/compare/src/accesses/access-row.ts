import type { LeafChoice } from './leaf-choice.js';
import type { LeafCount } from './leaf-count.js';
import type { Reach } from './reach.js';

/** What stands in for walk caches that a preset does not know. */
export type WalkCacheChoice = 'champsim' | 'none';

/** A number of cycles, as far as it is known. */
export interface Cycles {
  readonly low: number;
  readonly high: number;
}

/** One format with one choice of leaves on one processor. */
export interface AccessRow {
  readonly configuration: string;
  readonly title: string;
  readonly pageBytes: number;
  /** `own`: the leaves of a process's own table. */
  readonly leaves: LeafChoice | 'own';
  readonly preset: string;
  /** Accesses of pages: one that crosses a page is two. */
  readonly accesses: {
    readonly total: number;
    readonly fetches: number;
    readonly loads: number;
    readonly stores: number;
    /** Left out, since the table does not map the page. */
    readonly unmapped: number;
  };
  /** Pieces of 1 GiB with addresses that the format does not translate: they are moved into its range. */
  readonly movedPieces: number;
  /** Base pages that the accesses touch. */
  readonly touchedPages: number;
  readonly mapped: { readonly bytes: number; readonly leaves: readonly LeafCount[] };
  readonly tables: { readonly frames: number; readonly bytes: number };
  readonly reach: Reach;
  /** The TLBs, in the preset's order. */
  readonly tlbs: readonly {
    readonly name: string;
    readonly level: 1 | 2;
    readonly kinds: readonly string[];
    readonly hits: number;
    readonly misses: number;
    /** Misses for each thousand of all accesses. */
    readonly missesPerThousand: number;
  }[];
  readonly walks: number;
  readonly tableReads: {
    readonly total: number;
    /** For each level of the tables, root first. */
    readonly levels: readonly {
      readonly name: string;
      readonly reads: number;
      /** Walks that began below, since a walk cache had the entry. */
      readonly walkCacheHits: number;
    }[];
  };
  readonly walkCacheHits: number;
  /** Cycles that misses of the first level cost, where the preset has a sourced price. */
  readonly cycles: { readonly l2Hits: Cycles | null; readonly walks: Cycles | null };
  /** What the preset does not know, and what was taken for it. */
  readonly assumptions: readonly string[];
  /** Sixty moments: accesses and walks so far. */
  readonly moments: readonly { readonly accesses: number; readonly walks: number }[];
}
