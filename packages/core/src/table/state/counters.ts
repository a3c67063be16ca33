/**
 * Exact work of a table's calls, instead of time. The same call on the same tables always counts the same.
 * Entries that others wrote may be counted as if the engine had written them.
 *
 * `translate` and `translateWords` are not counted: a counter would cost more than their checks.
 * `takeSnapshot` and `restoreSnapshot` count only their flushes.
 */
export interface Counters {
  /** Tables entered by a walk: once per table and call, however many of its entries are used. */
  tablesRead: number;
  /** 64-bit entries that a call had to read. Each counts once, however often the call reads it. */
  entriesRead: number;
  /** 64-bit entries stored. Zeroing a new table does not count. */
  entriesWritten: number;
  /** Tables taken from the allocator. A root of several frames counts as one. */
  tablesAllocated: number;
  /**
   * New tables that were zeroed, an empty root included. A table that the call fills with base pages, or
   * with blocks of a linear range, is not zeroed.
   */
  tablesZeroed: number;
  /** Tables given back to the allocator. */
  tablesFreed: number;
  /** Calls of the flush sink, also counted without a sink. A range around the canonical hole takes two. */
  flushes: number;
}

/** Counters that all start at 0. */
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

/** Counters that always show what others count: each member asks again. */
export function liveCounters(counters: () => Counters): Readonly<Counters> {
  const live = {} as Counters;
  for (const name of Object.keys(newCounters()) as (keyof Counters)[])
    Object.defineProperty(live, name, { enumerable: true, get: () => counters()[name] });
  return Object.freeze(live);
}
