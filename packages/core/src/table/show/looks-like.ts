import type { Controls } from '../../format/access.js';
import type { LevelPlan } from '../../format/plan.js';
import type { Bank } from '../../memory/bank.js';
import type { ReadableTable } from '../readable-table.js';
import type { TableContext } from '../state/context.js';
import { childPfn, isLeaf, isPresent, isTable } from '../state/entries.js';
import { contextOf } from '../state/registry.js';
import { tableEntries } from '../walk/read-entry.js';

/** Whether tables look like tables of a format, from a sample of them. */
export interface Likeness {
  /** True when nothing speaks against it. */
  readonly isLikely: boolean;
  /** What speaks against it, in words for people; empty when nothing does. */
  readonly reasons: readonly string[];
  /** Tables that were read, the root included. */
  readonly tables: number;
  /** Entries in them that map. */
  readonly leaves: number;
  /** Entries in them that are present and fault. */
  readonly reserved: number;
  /** Entries in them that point to tables without bytes. */
  readonly missing: number;
}

/**
 * Judges whether a root is one of its format: the right number of levels, the right page size, and no page of something
 * else.
 *
 * A root opens in any format of its page size, and most bytes translate something. This reads up to 64 tables of each
 * level, chosen evenly. It speaks against the root when many entries are reserved, many tables have no bytes or no entries,
 * pages have the bits of table entries or the distance of larger leaves, or no two entries are alike. It is a guess: tables with
 * a few entries look like anything.
 *
 * @param table - a root, as somebody believes it to be.
 * @throws VmError `EINVAL` when it is no page table, or a destroyed one.
 * @example
 * ```ts
 * const asFour = new PageTableReader({ format: x8664(), memory, root });
 * if (!looksLike(asFour).isLikely) console.error(looksLike(asFour).reasons);
 * ```
 */
export function looksLike<C extends Controls>(table: ReadableTable<C>): Likeness {
  const context = contextOf(table);
  const sample = new Sample(context);
  const { root, plan } = context;
  let tables: Place[] = [{ bank: root.bank, word: root.word }];
  for (const level of plan.levels) tables = sample.read(level, spread(tables));
  const reasons = sample.reasons();
  const { tables: read, leaves, reserved, missing } = sample;
  return Object.freeze({ isLikely: reasons.length === 0, reasons, tables: read, leaves, reserved, missing });
}

/** Tables that are read of a level. */
const TABLES = 64;
/** Fewer entries prove nothing. */
const FEW = 3;
/** Kinds of entries that a kernel has at most, whatever its size. */
const KINDS = 32;

interface Place {
  readonly bank: Bank;
  readonly word: number;
}

/** Some of a list, from its beginning to its end. */
function spread(places: readonly Place[]): Place[] {
  if (places.length <= TABLES) return [...places];
  return Array.from({ length: TABLES }, (_, i) => places[Math.floor((i * places.length) / TABLES)] as Place);
}

class Sample {
  tables = 0;
  leaves = 0;
  reserved = 0;
  missing = 0;
  #empty = 0;
  #links = 0;
  /** Leaves of the last level, and those of them with the flags of a table entry. */
  #pages = 0;
  #likeLinks = 0;
  /** Adjacent pages, and those of them whose frames are as far apart as the leaves of the level above. */
  #pairs = 0;
  #strides = 0;
  readonly #linkFlags = new Map<string, number>();
  readonly #pageFlags = new Map<string, number>();
  readonly #context: TableContext;

  constructor(context: TableContext) {
    this.#context = context;
  }

  /** Reads tables of a level. @returns the tables below. */
  read(level: LevelPlan, tables: readonly Place[]): Place[] {
    const below: Place[] = [];
    for (const table of tables) {
      const { bank, word } = tableEntries(table.bank, table.word, 0, level.entries);
      let used = 0;
      let before = -1;
      this.tables++;
      for (let at = word; at < word + 2 * level.entries; at += 2) {
        const lo = bank.words[at] as number;
        const hi = bank.words[at + 1] as number;
        if ((lo | hi) !== 0) used++;
        if (!isPresent(this.#context, lo, hi)) before = -1;
        else if (isTable(level, lo, hi)) this.#link(lo, hi, below);
        else if (isLeaf(level, lo, hi)) before = this.#leaf(level, lo, hi, before);
        else this.reserved++;
      }
      if (used === 0) this.#empty++;
    }
    return below;
  }

  #link(lo: number, hi: number, below: Place[]): void {
    const { memory, plan } = this.#context;
    this.#links++;
    count(this.#linkFlags, this.#flags(lo, hi));
    const pfn = childPfn(this.#context, lo, hi);
    const bank = memory.bankOf(pfn, plan.pageShift);
    if (bank === null) this.missing++;
    else below.push({ bank, word: bank.wordOf(pfn, plan.pageShift) });
  }

  /** @returns its frame, where it is a page. */
  #leaf(level: LevelPlan, lo: number, hi: number, before: number): number {
    this.leaves++;
    if (level.index !== this.#context.plan.last) return -1;
    const pfn = childPfn(this.#context, lo, hi);
    const flags = this.#flags(lo, hi);
    this.#pages++;
    count(this.#pageFlags, flags);
    if (this.#linkFlags.has(flags)) this.#likeLinks++;
    if (before >= 0) {
      this.#pairs++;
      if (pfn - before === level.entries) this.#strides++;
    }
    return pfn;
  }

  #flags(lo: number, hi: number): string {
    const { lowLo, lowHi, highLo, highHi } = this.#context.plan.address;
    return `${lo & ~(lowLo | highLo)} ${hi & ~(lowHi | highHi)}`;
  }

  reasons(): readonly string[] {
    const present = this.#links + this.leaves + this.reserved;
    const reasons: string[] = [];
    const say = (many: number, of: number, share: number, what: string): void => {
      if (many >= FEW && many > of * share) reasons.push(`${many} of ${of} ${what}`);
    };
    if (present === 0) reasons.push('no entry of the root is present');
    say(this.reserved, present, 1 / 8, 'present entries are reserved');
    say(this.missing, this.#links, 1 / 2, 'tables have no bytes');
    say(this.#empty, this.tables, 1 / 2, 'tables have no entry');
    say(this.#likeLinks, this.#pages, 1 / 2, 'pages have the bits of entries that point to tables');
    say(this.#strides, this.#pairs, 1 / 2, 'pages are as far from the next as larger leaves');
    for (const [kinds, of, what] of [
      [this.#linkFlags, this.#links, 'entries that point to tables'],
      [this.#pageFlags, this.#pages, 'pages'],
    ] as const)
      if (kinds.size > KINDS && kinds.size > of / 8) reasons.push(`${kinds.size} kinds of ${of} ${what}`);
    return Object.freeze(reasons);
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
