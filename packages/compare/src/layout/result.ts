import type { AddressWindow } from '@vmarea/core';
import type { LeafPolicy } from './kernel.js';
import type { CallerCost, PlacedArea } from './places.js';

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
  /** The addresses for areas: the start, and the byte behind the end. */
  readonly window: AddressWindow;
  /** Mapped bytes, also those of devices, and base pages. */
  readonly mapped: { readonly bytes: number; readonly pages: number };
  /** Mapped memory that nobody asked for: sizes are rounded up to pages. */
  readonly rounding: { readonly bytes: number };
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
  readonly walk: {
    /** Random mapped addresses that were translated and checked. */
    readonly addresses: number;
    /** Entries that a walk to one of them reads; `null` when nothing is mapped. */
    readonly entriesMean: number | null;
    readonly entriesMax: number | null;
  };
  /** Measured rounds, in nanoseconds: to map a base page, and to translate an address. Empty without a clock, and when nothing is mapped. */
  readonly times: { readonly nsPerPage: readonly number[]; readonly nsPerWalk: readonly number[] };
  /** Translations that were checked: the first and last page of every area, and the sample. */
  readonly checkedTranslations: number;
  /** Allocated frames. `before` and `after` must be equal. */
  readonly leakCheck: {
    readonly tables: FrameBalance;
    readonly frames: FrameBalance;
  };
  /** The areas that fit, in the order of the input. */
  readonly places: readonly PlacedArea[];
  /** Their callers. The one whose rounding and tables cost most is the first. */
  readonly callers: readonly CallerCost[];
}

/** Allocated frames of one allocator over a run. */
export interface FrameBalance {
  readonly before: number;
  readonly peak: number;
  readonly after: number;
}
