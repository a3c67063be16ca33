import type { Access, FaultCode, MemoryType, Permissions } from '@vmarea/core';
import type { ImageInfo, WalkRow } from '@vmarea/inspect';

/** A dump to open. */
export interface OpenRequest {
  /** What the page calls it. */
  readonly name: string;
  /** The file; several are the parts of a split dump. */
  readonly files: readonly Blob[];
  /** The one file is packed by gzip, as bundled tables are. */
  readonly isPacked: boolean;
  /** Physical address of the first byte of raw memory without a container; `null` when the file is a dump. */
  readonly rawFrom: bigint | null;
}

/** Which root is looked at: a number of the dump's list, or an address with the name of a format. */
export type RootChoice =
  | { readonly number: number }
  | { readonly root: bigint; readonly format: string | null };

/** A level as the page needs it. */
export interface LevelView {
  readonly name: string;
  readonly shift: number;
  readonly bits: number;
  readonly hasLeaves: boolean;
}

/** A root that is open. */
export interface RootView {
  readonly format: string;
  readonly root: bigint;
  readonly from: string;
  readonly pageShift: number;
  readonly levels: readonly LevelView[];
  /** Bits of an address that the tables translate, and what those above must be. */
  readonly bits: number;
  readonly upper: 'zeros' | 'ones' | 'sign';
  /** The named ranges of the kernel's addresses, and what was assumed for them. */
  readonly regions: readonly { readonly name: string; readonly start: bigint; readonly end: bigint }[];
  readonly assumed: string | null;
  /** Processor modes that an access is judged under. */
  readonly controls: Readonly<Record<string, boolean | number | bigint | string>>;
  /** Where to look first: the lowest address that is mapped, or the start of the range. */
  readonly first: bigint;
}

/** Kinds of a cell, by number. */
export const KINDS = ['none', 'absent', 'table', 'leaf', 'reserved', 'missing'] as const;
export type CellKind = (typeof KINDS)[number];

/** Bits of a cell's `marks`. */
export const MARKS = {
  read: 1,
  write: 2,
  execute: 4,
  user: 8,
  accessed: 16,
  dirty: 32,
  global: 64,
  inRun: 128,
} as const;

/** One table, entry by entry. */
export interface TableView {
  /** Index into `RootView.levels`. */
  readonly level: number;
  /** Physical address of the table. */
  readonly pa: bigint;
  /** First address that it translates. */
  readonly va: bigint;
  readonly entries: BigUint64Array;
  /** Indexes into `KINDS`. */
  readonly kinds: Uint8Array;
  /** Sums of `MARKS`. Of a table entry: what it leaves of all rights. */
  readonly marks: Uint8Array;
}

/** What one access comes to. */
export interface Verdict {
  readonly access: Access;
  /** `null` when it is allowed. */
  readonly fault: { readonly kind: string; readonly level: string; readonly code: FaultCode } | null;
}

/** An entry that the processor changed: it set accessed or dirty. */
interface Touched {
  readonly level: string;
  readonly before: bigint;
  readonly after: bigint;
}

/** All that is known of an address. */
export interface WalkView {
  readonly row: WalkRow;
  /** The tables on the way, root first: those that have a cell map. */
  readonly tables: readonly { readonly level: number; readonly pa: bigint; readonly index: number }[];
  readonly permissions: Permissions | null;
  /** All six accesses: read, write, execute by the kernel, then by user mode. */
  readonly verdicts: readonly Verdict[];
  /** What the processor's access did: an `Mmu` over a copy of the tables on the way. */
  readonly processor: {
    readonly access: Access;
    readonly pa: bigint | null;
    readonly fault: { readonly kind: string; readonly level: string; readonly code: FaultCode } | null;
    readonly entriesRead: number;
    readonly touched: readonly Touched[];
  };
}

/** The same mapping in another format. */
export interface BesideView {
  readonly format: string;
  readonly title: string;
  readonly levels: readonly LevelView[];
  readonly bits: number;
  readonly upper: 'zeros' | 'ones' | 'sign';
  /** The address there. */
  readonly va: bigint;
  /** What had to change, in words. */
  readonly notes: readonly string[];
  readonly walk: WalkView;
  /** Tables that the run of leaves around the address takes. */
  readonly tables: number;
  readonly tableBytes: number;
}

/** A format that an address can be shown in. */
export interface FormatName {
  readonly name: string;
  readonly title: string;
}

/** Which ranges are listed. What is not given does not matter. */
export interface RangeFilter {
  readonly writable?: boolean;
  readonly executable?: boolean;
  readonly user?: boolean;
  /** Bytes of one leaf. */
  readonly leafBytes?: number;
  /** A name of a region. */
  readonly region?: string;
}

/** Ranges in columns, as many as there are: a million take 30 MB. `rangeAt` reads one. */
export interface RangeColumns {
  readonly va: BigUint64Array<ArrayBuffer>;
  readonly bytes: BigUint64Array<ArrayBuffer>;
  readonly pa: BigUint64Array<ArrayBuffer>;
  /** Indexes into `RANGE_KINDS`. */
  readonly kinds: Uint8Array<ArrayBuffer>;
  /** Sums of `MARKS`. */
  readonly marks: Uint8Array<ArrayBuffer>;
  /** log2 of the bytes of a leaf. */
  readonly shifts: Uint8Array<ArrayBuffer>;
  /** Indexes into `memoryNames` and `regionNames`. */
  readonly memories: Uint8Array<ArrayBuffer>;
  readonly regions: Uint8Array<ArrayBuffer>;
  readonly memoryNames: readonly (MemoryType | null)[];
  readonly regionNames: readonly (string | null)[];
}

/** What a listing found. */
export interface RangeCounts {
  /** Ranges of all the root maps. */
  readonly total: number;
  /** Those that the filter keeps. */
  readonly matches: number;
  readonly bytes: bigint;
  /** Bytes of leaves that occur. */
  readonly sizes: readonly number[];
  /** Regions that occur. */
  readonly regions: readonly string[];
  /** Tables that the dump lacks, and that were met again. */
  readonly missing: number;
  readonly again: number;
}

/** How much of a dump was read. */
export interface Reading {
  readonly bytes: number;
  /** Bytes of its files. */
  readonly of: number;
}

/** Kinds of a range, by number. */
export const RANGE_KINDS = ['leaves', 'missing', 'again'] as const;

/** A row of the list. */
export interface RangeView {
  readonly kind: (typeof RANGE_KINDS)[number];
  readonly va: bigint;
  readonly bytes: bigint;
  readonly pa: bigint;
  readonly leafBytes: number;
  /** Sum of `MARKS`. */
  readonly marks: number;
  readonly memory: MemoryType | null;
  readonly region: string | null;
}

/** The calls of the worker that looks into a dump. */
export type LookCalls = {
  readonly open: { readonly ask: OpenRequest; readonly answer: ImageInfo };
  readonly choose: { readonly ask: RootChoice; readonly answer: RootView };
  readonly processes: {
    readonly ask: null;
    readonly answer: readonly { readonly root: bigint; readonly userBytes: bigint }[];
  };
  readonly table: {
    /** An address, and the level of the table on its way. */
    readonly ask: { readonly va: bigint; readonly level: number };
    readonly answer: TableView;
  };
  readonly walk: {
    readonly ask: { readonly va: bigint; readonly access: Access; readonly controls: object };
    readonly answer: WalkView;
  };
  readonly formats: { readonly ask: null; readonly answer: readonly FormatName[] };
  readonly beside: {
    readonly ask: { readonly va: bigint; readonly access: Access; readonly format: string };
    readonly answer: BesideView;
  };
  readonly list: {
    readonly ask: RangeFilter;
    /** The rows are moved to the page: it draws any of them at once, however fast it is scrolled. */
    readonly answer: { readonly counts: RangeCounts; readonly rows: RangeColumns };
  };
  readonly reading: { readonly ask: null; readonly answer: Reading };
};
