import type { Kind, PageSizeSource } from '../input/workload.js';
import type { Machine } from '../machine.js';
import type { Spread } from '../spread.js';
import type { LeafPolicy } from './kernel.js';

/** What `vmarea-bench layout --json` prints. Keys are documented in the app's README and stay. */
export interface LayoutResult {
  readonly command: 'layout';
  /** Raised when a key changes its meaning or goes away. */
  readonly schema: 1;
  readonly machine: Machine;
  readonly input: LayoutInput;
  readonly seed: number;
  readonly repeat: number;
  readonly rows: readonly LayoutRow[];
  readonly warnings: readonly string[];
}

/** The input of a run. */
export interface LayoutInput {
  readonly file: string;
  readonly title: string;
  readonly lines: number;
  readonly pageBytes: number;
  readonly pageBytesFrom: PageSizeSource;
  readonly guardPages: number;
  /** Areas to rebuild, by kind; kinds that do not occur are left out. */
  readonly areas: Partial<Record<Kind, number>>;
  /** Lines of areas that were freed already. */
  readonly unpurged: number;
  /** Lines whose addresses the source kernel hid. */
  readonly hashedLines: number;
  readonly unknownWords: Readonly<Record<string, number>>;
}

/** One configuration under one leaf policy. */
export interface LayoutRow {
  readonly configuration: string;
  readonly title: string;
  readonly linux: string;
  readonly leafPolicy: LeafPolicy;
  readonly pageBytes: number;
  readonly areas: {
    /** Areas that have a place. */
    readonly placed: number;
    /** Of these, areas with at least one mapped page. */
    readonly mapped: number;
    /** Of these, areas without a page because the input says so (sparse). */
    readonly sparse: number;
    /** Of these, areas left empty because the input does not tell what is in them. */
    readonly unknownContent: number;
    /** Of these, areas left empty because the format's physical addresses are too narrow. */
    readonly unreachable: number;
    /** Areas that the vmalloc window had no room for. */
    readonly doesNotFit: number;
  };
  readonly mapped: { readonly bytes: number; readonly pages: number };
  /** Number of leaves by size, smallest first; a run with a contiguous hint is one leaf of its size. */
  readonly leaves: readonly { readonly bytes: number; readonly count: number }[];
  readonly tables: {
    /** Frames that page tables take, the root included. */
    readonly frames: number;
    readonly bytes: number;
    /** `null` when nothing is mapped. */
    readonly bytesPerMappedMiB: number | null;
  };
  /** Exact work of mapping everything once. */
  readonly work: {
    readonly tablesRead: number;
    readonly entriesWritten: number;
    readonly tablesAllocated: number;
  };
  /** Time of mapping, in nanoseconds per mapped base page; `null` when nothing is mapped. */
  readonly map: Spread | null;
  readonly walk: {
    /** Random mapped addresses that were walked and checked. */
    readonly addresses: number;
    readonly entriesMean: number | null;
    readonly entriesMax: number | null;
    /** Time of a translation in nanoseconds. */
    readonly ns: Spread | null;
  };
  /** Translations that were compared with the frame that was given: first and last page of every area, and the sample. */
  readonly checkedTranslations: number;
  /** Frames before the run and after the teardown: `before` and `after` must be equal. */
  readonly leakCheck: {
    readonly tables: FrameBalance;
    readonly frames: FrameBalance;
  };
}

/** Allocated frames of one allocator over a run. */
export interface FrameBalance {
  readonly before: number;
  readonly peak: number;
  readonly after: number;
}
