/**
 * Exact work of a table's calls, in place of time: the same call on the same tables always counts the same. What others
 * wrote into the tables may be counted as if it were the engine's.
 *
 * `translate` and `translateWords` are not counted: a counter would cost more than their checks. `snapshot` and `restore`
 * count their flushes alone.
 */
export interface Counters {
  /** Tables entered by a walk: once per table and call, however many of its entries are used. */
  tablesRead: number;
  /** 64-bit entries that a call had to look at, each once however often it does. */
  entriesRead: number;
  /** 64-bit entries stored. Zeroing a new table is not counted here. */
  entriesWritten: number;
  /** Frames taken from the allocator for tables, a root of several frames as one. */
  tablesAllocated: number;
  /** Those of them that were zeroed, an empty root too: one that the call fills with base pages, or blocks of a linear range, is not. */
  tablesZeroed: number;
  /** Tables given back to the allocator. */
  tablesFreed: number;
  /** Calls of the flush sink (counted without a sink, too); two for a range around the canonical hole. */
  flushes: number;
}

/** Counters that all stand at 0. */
export function newCounters(): Counters {
  return {
    tablesRead: 0,
    entriesRead: 0,
    entriesWritten: 0,
    tablesAllocated: 0,
    tablesZeroed: 0,
    tablesFreed: 0,
    flushes: 0,
  };
}
