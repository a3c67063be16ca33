import type { SkippedLines } from '../input/vmallocinfo.js';
import type { Kind, PageSizeSource } from '../input/workload.js';
import type { Machine } from '../machine.js';
import type { Spread } from '../spread.js';
import type { LeafPolicy } from './kernel.js';

/** What `vmarea-bench layout --json` prints. Keys are documented in the app's README and stay. */
export interface LayoutResult {
  readonly command: 'layout';
  /** Increases when a key changes its meaning or is removed. */
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
  /** Areas to rebuild, by kind. Kinds without an area are absent. */
  readonly areas: Partial<Record<Kind, number>>;
  /** Lines of areas that are already freed. */
  readonly unpurged: number;
  /** Lines whose addresses the source kernel hid. */
  readonly hashedLines: number;
  readonly unknownWords: Readonly<Record<string, number>>;
  /** Lines that could not be read and were passed over. */
  readonly skipped: SkippedLines;
}

/** One configuration under one leaf policy. */
export interface LayoutRow {
  readonly configuration: string;
  readonly title: string;
  readonly linux: string;
  readonly leafPolicy: LeafPolicy;
  readonly pageBytes: number;
  readonly areas: {
    /** Areas that are reserved. */
    readonly placed: number;
    /** Of these, areas with at least one mapped page. */
    readonly mapped: number;
    /** Of these, areas without a page because they are sparse. */
    readonly sparse: number;
    /** Of these, areas without a page because the input does not tell their contents. */
    readonly unknownContent: number;
    /** Of these, areas without a page because the format's physical addresses are too narrow. */
    readonly unreachable: number;
    /** Areas that do not fit into the vmalloc window. */
    readonly doesNotFit: number;
  };
  readonly mapped: { readonly bytes: number; readonly pages: number };
  /** Number of leaves by size, smallest first. A run with a contiguous hint is one leaf of its size. */
  readonly leaves: readonly { readonly bytes: number; readonly count: number }[];
  readonly tables: {
    /** Frames of page tables, with the root. */
    readonly frames: number;
    readonly bytes: number;
    /** `null` when nothing is mapped. */
    readonly bytesPerMappedMiB: number | null;
  };
  /** The exact work of mapping everything once. */
  readonly work: {
    readonly tablesRead: number;
    readonly entriesWritten: number;
    readonly tablesAllocated: number;
  };
  /** Time to map, in nanoseconds for each mapped base page; `null` when nothing is mapped. */
  readonly map: Spread | null;
  readonly walk: {
    /** Random mapped addresses that were translated and checked. */
    readonly addresses: number;
    readonly entriesMean: number | null;
    readonly entriesMax: number | null;
    /** Time to translate an address, in nanoseconds. */
    readonly ns: Spread | null;
  };
  /** Translations that were checked: the first and last page of every area, and the sample. */
  readonly checkedTranslations: number;
  /** Allocated frames. `before` and `after` must be equal. */
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
