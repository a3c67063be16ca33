import {
  hex,
  type Level,
  type PageTableFormat,
  type PhysicalMemory,
  toBigint,
  type Words,
} from '@vmarea/core';

/** A table that a walk can reach at the moment. */
export interface ReachedTable {
  /** Frame in which it begins. */
  readonly pfn: number;
  /** Index of its level; the root is 0. */
  readonly level: number;
  /** First address that it translates. */
  readonly va: bigint;
}

/** Addresses that caches forget. */
export interface FlushedRange {
  /** First address. */
  readonly va: bigint;
  /** Length. */
  readonly bytes: bigint;
}

/** What was seen of one table's entries. */
interface Watched extends ReachedTable {
  /** Two words for each entry: the last valid value that was seen, 0 and 0 for none. */
  readonly last: Int32Array;
  /** 1 for an entry that a flush has found invalid since: no cache holds `last`. */
  readonly broken: Uint8Array;
  /** By slot: valid values before the last one that a cache may hold still. */
  readonly older: Map<number, Words[]>;
}

/**
 * Watches that break-before-make is kept: between two valid values of an entry that need a break, by the format's word, a flush of
 * the entry's addresses must find it invalid. A write before the flush is found, and so is a flush before the write.
 *
 * It looks at every entry of the tables that it is shown, at every flush and between calls. What happens in between it cannot see.
 *
 * @example
 * ```ts
 * const watch = new BreakWatch(format, memory);
 * const sink: FlushSink = { flush: (va, bytes) => watch.look(tables(), { va, bytes }) };
 * ```
 */
export class BreakWatch {
  readonly #format: PageTableFormat;
  readonly #memory: PhysicalMemory;
  readonly #tables = new Map<number, Watched>();

  /** @param memory - holds the tables. */
  constructor(format: PageTableFormat, memory: PhysicalMemory) {
    this.#format = format;
    this.#memory = memory;
  }

  /**
   * Looks at all entries of all tables.
   *
   * @param reached - the tables that a walk can reach now.
   * @param flushed - what is flushed at this moment; absent between calls.
   * @throws Error naming the entry that became another one without a break.
   */
  look(reached: Iterable<ReachedTable>, flushed?: FlushedRange): void {
    const seen = new Set<number>();
    for (const table of reached) {
      seen.add(table.pfn);
      this.#lookAt(this.#watched(table), flushed);
    }
    if (flushed === undefined) return;
    // No cache holds entries of a table that is out of the tree when its addresses are flushed.
    for (const [pfn, { level, va }] of this.#tables) {
      if (!seen.has(pfn) && meets(flushed, va, this.#tableBytes(level))) this.#tables.delete(pfn);
    }
  }

  /** Forgets everything: the test has changed entries by itself, and flushed. */
  clear(): void {
    this.#tables.clear();
  }

  /** Forgets the tables whose frames may be given to somebody else now. */
  keep(allocated: ReadonlySet<number>): void {
    for (const pfn of this.#tables.keys()) if (!allocated.has(pfn)) this.#tables.delete(pfn);
  }

  #watched({ pfn, level, va }: ReachedTable): Watched {
    const known = this.#tables.get(pfn);
    if (known?.level === level && known.va === va) return known;
    const entries = 2 ** this.#level(level).bits;
    const made = {
      ...{ pfn, level, va, older: new Map<number, Words[]>() },
      ...{ last: new Int32Array(2 * entries), broken: new Uint8Array(entries) },
    };
    this.#tables.set(pfn, made);
    return made;
  }

  #lookAt(table: Watched, flushed: FlushedRange | undefined): void {
    const { last, broken } = table;
    const place = this.#memory.locate(table.pfn, this.#format.pageShift);
    if (place === null) throw new Error(`the table in frame 0x${table.pfn.toString(16)} has no bytes`);
    const { words } = place.bank;
    const { mask, value } = this.#format.present;
    for (let slot = 0; slot < broken.length; slot++) {
      const lo = words[place.word + 2 * slot] as number;
      const hi = words[place.word + 2 * slot + 1] as number;
      if (lo === last[2 * slot] && hi === last[2 * slot + 1]) broken[slot] = 0;
      else if ((((lo & mask.lo) ^ value.lo) | ((hi & mask.hi) ^ value.hi)) === 0) {
        this.#became(table, slot, { lo, hi });
      } else if (flushed !== undefined && this.#isIn(flushed, table, slot)) {
        broken[slot] = 1;
        table.older.delete(slot);
      }
    }
  }

  /** An entry has a valid value that it did not have at the last look. */
  #became(table: Watched, slot: number, now: Words): void {
    const { last, broken, older, level } = table;
    const before: Words = { lo: last[2 * slot] as number, hi: last[2 * slot + 1] as number };
    if ((before.lo | before.hi) !== 0 && broken[slot] === 0) {
      const cached = [...(older.get(slot) ?? []), before];
      for (const old of cached) {
        if (same(old, now) || !this.#format.needsBreak(old, now, level)) continue;
        const where = `the entry of level ${level} at ${hex(this.#addressOf(table, slot))}`;
        throw new Error(`${where} went from ${hex(toBigint(old))} to ${hex(toBigint(now))} without a break`);
      }
      older.set(
        slot,
        cached.filter((old) => !same(old, now)),
      );
    }
    last[2 * slot] = now.lo;
    last[2 * slot + 1] = now.hi;
    broken[slot] = 0;
  }

  #isIn(flushed: FlushedRange, table: Watched, slot: number): boolean {
    return meets(flushed, this.#addressOf(table, slot), 1n << BigInt(this.#level(table.level).shift));
  }

  /** First address that an entry translates. */
  #addressOf({ level, va }: Watched, slot: number): bigint {
    const { bits, upper } = this.#format.range;
    const address = va + (BigInt(slot) << BigInt(this.#level(level).shift));
    return upper === 'sign' ? BigInt.asUintN(64, BigInt.asIntN(bits, address)) : address;
  }

  #tableBytes(level: number): bigint {
    const { shift, bits } = this.#level(level);
    return 1n << BigInt(shift + bits);
  }

  #level(level: number): Level {
    return this.#format.levels[level] as Level;
  }
}

function meets(flushed: FlushedRange, va: bigint, bytes: bigint): boolean {
  return va < flushed.va + flushed.bytes && flushed.va < va + bytes;
}

function same(a: Words, b: Words): boolean {
  return a.lo === b.lo && a.hi === b.hi;
}
