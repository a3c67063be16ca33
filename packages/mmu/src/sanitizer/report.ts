import { hex } from '@vmarea/core';

/**
 * What went wrong.
 *
 * - `stale-use`: a processor served an access by a translation that the tables no longer say.
 * - `stale-fill`: a walk put one into a TLB: it went through an old entry of a walk cache.
 * - `stale-walk`: a walk cache got an entry whose table is not linked there.
 * - `stale-fault`: a processor refused what the tables allow, since it may hold an older entry.
 * - `frame-freed`, `frame-reused`: a frame went back to its allocator, or was handed out again, while a
 *   translation to it may be cached.
 * - `table-freed`, `table-reused`: the same of a table that a walk cache may name.
 * - `address-reused`: an address got a new translation while an older one may be cached.
 * - `asid-reused`: a root got an address-space id under which translations of another root may be cached.
 * - `break-before-make`: a valid entry got a value that demands that it is invalid and flushed in between.
 * - `mixed-run`: the leaves of a run with a contiguous hint are not all marked and alike.
 * - `unflushed`: `settle` found a change whose flush was not done.
 */
export type SanitizerCode =
  | 'stale-use'
  | 'stale-fill'
  | 'stale-walk'
  | 'stale-fault'
  | 'frame-freed'
  | 'frame-reused'
  | 'table-freed'
  | 'table-reused'
  | 'address-reused'
  | 'asid-reused'
  | 'break-before-make'
  | 'mixed-run'
  | 'unflushed';

/**
 * Why a processor may still have the old entry.
 *
 * - `no-flush`: nobody has asked for a flush of it.
 * - `local-flush`: a processor flushed by itself; nobody asked the others.
 * - `not-done`: the flush was requested; this processor has not done it.
 * - `purge`, `batch`: the flush is left to the next purge, or to `done` of a batch.
 * - `wrong-asid`: a flush of these addresses named another address space.
 * - `keeps-global`: one kept global translations.
 * - `stride`: one visited no address of the leaf.
 * - `tables-not-named`: one did not name the table, so walk caches may keep it.
 * - `range`: one covered its neighbours only.
 * - `kept`: the processor has done the flush, and serves the old translation all the same.
 * - `linked`: the table is still linked.
 * - `in-place`: the entry was changed without being invalid in between.
 * - `partial`, `mixed`: some leaves of the run are missing; some are different.
 * - `unknown`: the tables have not said it since they are watched.
 */
export type SanitizerCause =
  | 'no-flush'
  | 'local-flush'
  | 'not-done'
  | 'purge'
  | 'batch'
  | 'wrong-asid'
  | 'keeps-global'
  | 'stride'
  | 'tables-not-named'
  | 'range'
  | 'kept'
  | 'linked'
  | 'in-place'
  | 'partial'
  | 'mixed'
  | 'unknown';

/** What a report says. */
export interface ReportFacts {
  /** What went wrong; stable. */
  readonly code: SanitizerCode;
  /**
   * `error`: a bug. `lazy`: what Linux's lazy scheme allows: the area is freed, and its purge will flush it.
   */
  readonly class: 'error' | 'lazy';
  /** Why the old entry may still be there; stable. */
  readonly cause: SanitizerCause;
  /** The first processor that is concerned, counted from 0. */
  readonly processor: number;
  /** All processors that are concerned. */
  readonly processors: readonly number[];
  /** Address-space id of the root. */
  readonly asid: number;
  /** First address, in bytes. */
  readonly va: bigint;
  /** Bytes from there on that are concerned. */
  readonly bytes: bigint;
  /** Linux's name of the entry's level. */
  readonly level: string;
  /** Physical address of the entry, in bytes. */
  readonly entryAddress: bigint;
  /** The entry as it may be cached. */
  readonly before: bigint;
  /** The entry that the tables have in its place. */
  readonly after: bigint;
  /** The frame, or the frame of the table; `null` where none is concerned. */
  readonly frame: number | null;
  /** The event at which the entry changed; 0 when it has not changed. */
  readonly changedAt: number;
  /** The event of the flush that explains `cause`: requested, done, deferred or missed; 0 for none. */
  readonly flushAt: number;
  /** The event that went wrong. */
  readonly at: number;
}

/** One finding of a sanitizer. Its text names processor, address, both entries and both moments. */
export interface SanitizerReport extends ReportFacts {
  /** How often the same was found; only the first one is kept. */
  readonly count: number;
  /** The text, of two or three lines. */
  toString(): string;
}

/** The one implementation of `SanitizerReport`. */
export class Report implements SanitizerReport {
  declare readonly code: SanitizerCode;
  declare readonly class: 'error' | 'lazy';
  declare readonly cause: SanitizerCause;
  declare readonly processor: number;
  declare readonly processors: readonly number[];
  declare readonly asid: number;
  declare readonly va: bigint;
  declare readonly bytes: bigint;
  declare readonly level: string;
  declare readonly entryAddress: bigint;
  declare readonly before: bigint;
  declare readonly after: bigint;
  declare readonly frame: number | null;
  declare readonly changedAt: number;
  declare readonly flushAt: number;
  declare readonly at: number;
  count = 1;

  constructor(facts: ReportFacts) {
    Object.assign(this, facts);
  }

  /** What makes two findings the same. */
  get key(): string {
    const { code, cause, processor, asid, va, changedAt } = this;
    return `${code} ${this.class} ${cause} ${processor} ${asid} ${va} ${changedAt}`;
  }

  toString(): string {
    const { code, asid, va, bytes, level, entryAddress, before, after, at, changedAt } = this;
    const changed = changedAt === 0 ? '' : `, changed at event ${changedAt}`;
    return [
      `${this.class} ${code} at event ${at}: ${this.#what()}`,
      `  ${hex(va)}, 0x${bytes.toString(16)} bytes, asid ${asid}: ${level} entry at ${hex(entryAddress)} was ${hex(before)}, is ${hex(after)}${changed}`,
      `  ${this.#why()}`,
    ].join('\n');
  }

  #what(): string {
    const { frame, processors } = this;
    const who = `${processors.length === 1 ? 'processor' : 'processors'} ${processors.join(', ')}`;
    const where = frame === null ? 'a frame' : `frame 0x${frame.toString(16)}`;
    const may = `${who} may still`;
    return {
      'stale-use': `${who} used a translation to ${where} that the tables no longer say`,
      'stale-fill': `${who} filled a translation to ${where} that the tables do not say`,
      'stale-walk': `${who} cached a walk to the table in ${where}, which is not linked there`,
      'stale-fault': `${who} refused an access that the tables allow`,
      'frame-freed': `${where} was freed, and ${may} translate to it`,
      'frame-reused': `${where} was handed out, and ${may} translate to it`,
      'table-freed': `the table in ${where} was freed, and ${may} walk through it`,
      'table-reused': `${where} was handed out, and ${may} walk through it as a table`,
      'address-reused': `the address was mapped again, and ${may} translate it to ${where}`,
      'asid-reused': `another root got the address space, and ${may} translate to ${where} in it`,
      'break-before-make': 'a valid entry was changed in place, but the format demands break-before-make',
      'mixed-run': 'the leaves of a run are not all marked and alike',
      unflushed: `${may} have the old entry`,
    }[this.code];
  }

  #why(): string {
    const { flushAt, processors } = this;
    const flush = `the flush at event ${flushAt}`;
    return {
      'no-flush': 'nobody has asked for a flush of it',
      'local-flush': `${flush} was done by another processor for itself; nobody asked ${processors.join(', ')}`,
      'not-done': `${flush} was requested, but is not done there`,
      purge: `at event ${flushAt} its flush was left to the next purge`,
      batch: `at event ${flushAt} its flush was left to a batch, whose done() was not called`,
      'wrong-asid': `${flush} was for another address space`,
      'keeps-global': `${flush} kept global translations`,
      stride: `${flush} visited no address of the leaf: its stride is too large`,
      'tables-not-named': `${flush} did not name the table, so walk caches may keep it`,
      range: `${flush} covered its neighbours only`,
      kept: `it did the flush at event ${flushAt}, which covers the entry, and kept it`,
      linked: 'it is still linked in the tables',
      'in-place': 'make it invalid, flush, then write the new value',
      partial: 'some leaves of the run are not present',
      mixed: 'some leaves of the run have another frame, other flags or no mark',
      unknown: 'the tables have not said this since they are watched',
    }[this.cause];
  }
}
