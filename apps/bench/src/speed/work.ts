import type { Counters } from '@vmarea/core';

/** Exact work of the timed calls of one round. */
export interface Work {
  /** Tables entered by a walk, once per table and call. */
  readonly tablesRead: number;
  /** 64-bit entries that a call had to look at. */
  readonly entriesRead: number;
  /** 64-bit entries stored. */
  readonly entriesWritten: number;
  /** Tables made. */
  readonly tablesAllocated: number;
  /** Those of them that were zeroed, since the call does not fill them. */
  readonly tablesZeroed: number;
}

/** The work that tables have counted since their counters were reset. Translations are not counted by the engine. */
export function workOf({ counters }: { readonly counters: Readonly<Counters> }): Work {
  const { tablesRead, entriesRead, entriesWritten, tablesAllocated, tablesZeroed } = counters;
  return { tablesRead, entriesRead, entriesWritten, tablesAllocated, tablesZeroed };
}

/** The work between two looks at the counters. */
export function differenceOf(after: Work, before: Work): Work {
  return {
    tablesRead: after.tablesRead - before.tablesRead,
    entriesRead: after.entriesRead - before.entriesRead,
    entriesWritten: after.entriesWritten - before.entriesWritten,
    tablesAllocated: after.tablesAllocated - before.tablesAllocated,
    tablesZeroed: after.tablesZeroed - before.tablesZeroed,
  };
}

/** The work of two calls. */
export function sumOf(a: Work, b: Work): Work {
  return {
    tablesRead: a.tablesRead + b.tablesRead,
    entriesRead: a.entriesRead + b.entriesRead,
    entriesWritten: a.entriesWritten + b.entriesWritten,
    tablesAllocated: a.tablesAllocated + b.tablesAllocated,
    tablesZeroed: a.tablesZeroed + b.tablesZeroed,
  };
}

/**
 * Bytes that work stores: 8 for each entry, and a page for each table that was zeroed.
 *
 * @param tableBytes - bytes of one table: the page size.
 */
export function bytesWritten({ entriesWritten, tablesZeroed }: Work, tableBytes: number): number {
  return 8 * entriesWritten + tableBytes * tablesZeroed;
}
