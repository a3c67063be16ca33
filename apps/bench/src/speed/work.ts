import type { Counters } from '@vmarea/core';

/** The exact work of the timed calls of one round. */
export interface Work {
  /** Tables that a walk entered, once for each table and call. */
  readonly tablesRead: number;
  /** 64-bit entries that a call read. */
  readonly entriesRead: number;
  /** 64-bit entries that a call wrote. */
  readonly entriesWritten: number;
  /** Tables that a call allocated. */
  readonly tablesAllocated: number;
  /** Those of them that it zeroed, since it does not fill them. */
  readonly tablesZeroed: number;
}

/** No work on tables. */
export const NO_WORK: Work = {
  tablesRead: 0,
  entriesRead: 0,
  entriesWritten: 0,
  tablesAllocated: 0,
  tablesZeroed: 0,
};

/** The work that tables counted since the last reset. The engine does not count translations. */
export function workOf({ counters }: { readonly counters: Readonly<Counters> }): Work {
  const { tablesRead, entriesRead, entriesWritten, tablesAllocated, tablesZeroed } = counters;
  return { tablesRead, entriesRead, entriesWritten, tablesAllocated, tablesZeroed };
}

/** The work between two readings of the counters. */
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
 * The bytes that work writes: 8 for each entry, and a page for each zeroed table.
 *
 * @param tableBytes - the bytes of a table: the page size.
 */
export function bytesWritten({ entriesWritten, tablesZeroed }: Work, tableBytes: number): number {
  return 8 * entriesWritten + tableBytes * tablesZeroed;
}
