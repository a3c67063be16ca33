import type { PageTable } from '@vmarea/core';

/** Exact work of the timed calls of one round. */
export interface Work {
  /** Tables entered by a walk, once per table and call. */
  readonly tablesRead: number;
  /** 64-bit entries that a call had to look at. */
  readonly entriesRead: number;
  /** 64-bit entries stored. */
  readonly entriesWritten: number;
  /** Tables made; zeroed, unless the call fills them. */
  readonly tablesAllocated: number;
}

/** The work that a table has counted since its counters were reset. Translations are not counted by the engine. */
export function workOf({ counters }: PageTable): Work {
  const { tablesRead, entriesRead, entriesWritten, tablesAllocated } = counters;
  return { tablesRead, entriesRead, entriesWritten, tablesAllocated };
}

/** The work of two calls. */
export function sumOf(a: Work, b: Work): Work {
  return {
    tablesRead: a.tablesRead + b.tablesRead,
    entriesRead: a.entriesRead + b.entriesRead,
    entriesWritten: a.entriesWritten + b.entriesWritten,
    tablesAllocated: a.tablesAllocated + b.tablesAllocated,
  };
}

/**
 * Bytes that work stores at most: 8 for each entry, and a page for each new table, which is not zeroed when the call fills it.
 *
 * @param tableBytes - bytes of one table: the page size.
 */
export function bytesWritten({ entriesWritten, tablesAllocated }: Work, tableBytes: number): number {
  return 8 * entriesWritten + tableBytes * tablesAllocated;
}
