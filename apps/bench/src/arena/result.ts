import type { Machine } from '../machine.js';
import type { Spread } from '../spread.js';

/** How to measure. */
export interface Plan {
  readonly seed: number;
  /** Measured rounds. */
  readonly repeat: number;
  /** The least rounds before them. */
  readonly warmUp: number;
  readonly warmUpMs: number;
  /** Only checks: small, and without times. */
  readonly quick: boolean;
}

/** What `vmarea-bench arena --json` prints. The app's README documents the keys. */
export interface ArenaResult extends Plan {
  readonly command: 'arena';
  /** Increases when a key changes its meaning or is removed. */
  readonly schema: 1;
  readonly machine: Machine;
  /** One for each configuration. */
  readonly formats: readonly ArenaFormat[];
  readonly warnings: readonly string[];
}

/** All that was measured in one configuration. */
export interface ArenaFormat {
  readonly configuration: string;
  readonly title: string;
  readonly pageBytes: number;
  readonly rows: readonly ArenaRow[];
  readonly sparse: SparseTables;
  readonly programs: readonly ProgramRow[];
  /** Allocated frames before the arenas, and after their end. */
  readonly leakCheck: {
    readonly tables: { readonly before: number; readonly after: number };
    readonly pages: { readonly before: number; readonly after: number };
  };
}

/** One kind of call. */
export interface ArenaRow {
  readonly measure: string;
  readonly unit: 'page' | 'access';
  /** Pages of a call; 1 for an access. */
  readonly pagesPerCall: number;
  /** Pages or accesses of a round. */
  readonly units: number;
  /** Nanoseconds per unit; `null` in a quick run. */
  readonly ns: Spread | null;
  /** The same less the zeroing of the page in the same round; `null` where no page is zeroed. */
  readonly beyondZeroing: Spread | null;
}

/** The tables of an arena of 4 GiB of which few pages exist. Exact. */
export interface SparseTables {
  /** Of so many pages, the first exists. */
  readonly every: number;
  readonly pages: number;
  /** Bytes of tables of the window, as Linux makes them since 7.1: in advance. */
  readonly preparedBytes: number;
  /** Bytes of tables of the window in release 6.14, which makes those that it needs. */
  readonly neededBytes: number;
  /** Bytes of tables of a process that touched all these pages, without its root. */
  readonly processBytes: number;
}

/** A program of the list, in the interpreter. */
export interface ProgramRow {
  readonly program: string;
  /** Elements of the list. */
  readonly elements: number;
  /** Instructions of one run. Exact. */
  readonly instructions: number;
  /** Millions of instructions a second; `null` in a quick run. */
  readonly millions: Spread | null;
}
