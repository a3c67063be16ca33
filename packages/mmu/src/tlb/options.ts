import type { Invalidation } from '@vmarea/core';
import type { WalkCache } from './description.js';

/** A small cache in front of the page tables: each entry that a walk reads is looked up in it. LRU. */
export interface TableCache {
  /** Number of sets: a power of two. */
  readonly sets: number;
  /** Lines in a set. */
  readonly ways: number;
  /** Bytes of a line: a power of two, 8 or more. Default: 64. */
  readonly lineBytes?: number;
}

/** What a `TlbModel` may be given besides its description and its tables. */
export interface TlbModelOptions {
  /** Seed of random replacement: an integer from 0 to 2^32 - 1. Equal seeds give equal results. Default: 1. */
  readonly seed?: number;
  /** The address-space id of the first accesses: 0 to 65535. Default: 0. */
  readonly asid?: number;
  /** Counts which table reads a cache would serve. Default: none. */
  readonly tableCache?: TableCache;
  /** What to take where the description says `null`. Numbers that it has stay. */
  readonly assume?: {
    /** `TlbArrayDescription.runs`. */
    readonly runs?: boolean;
    /** `TlbDescription.walkCaches`. */
    readonly walkCaches?: readonly WalkCache[];
  };
  /**
   * The instruction with which `flush`, as a sink, forgets. Default: one that drops a range of the flush's
   * ASID, with globals, and the walk caches on the way to it when tables were freed.
   */
  readonly flushWith?: Invalidation;
}

/** Which translations an invalidation is for. */
export interface InvalidationTarget {
  /** First address, for kinds that name a page or a range. */
  readonly va?: bigint;
  /** Length in bytes, for kinds that name a range. */
  readonly bytes?: bigint | number;
  /** Address-space id, for kinds that name one: 0 to 65535. */
  readonly asid?: number;
}
