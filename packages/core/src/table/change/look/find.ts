import { hex, VmError } from '../../../errors.js';
import type { LevelPlan } from '../../../format/plan.js';
import type { Bank } from '../../../memory/bank.js';
import { addressOf, type PageRange } from '../../page-range.js';
import { type TableContext, visitRoot } from '../../state/context.js';
import { childPfn, highAt, isLeaf, isTable, lowAt } from '../../state/entries.js';
import { writableBankOfTable } from '../../state/table-banks.js';
import type { TableVisit } from '../../state/table-visit.js';
import { recordOf } from '../../state/tables.js';
import { partAtRuns, type RunParts, wholeOf } from './runs.js';
import type { Link, Span } from './span.js';

/**
 * A block, or a run of leaves with a contiguous hint, that must become smaller leaves before it is changed.
 */
export interface Cut extends Span {
  /** The pages of it that the call is about: the first, and the one after the last. */
  readonly from: number;
  readonly to: number;
}

/** What one visit to the tables of a range finds. Each list is in address order. */
export interface Findings {
  /**
   * Entries that lie wholly in the range. Above the last level, all of them are leaves or otherwise not
   * empty.
   */
  readonly spans: readonly Span[];
  readonly cuts: readonly Cut[];
  /**
   * Entries above the last level that a cut would need, but that are not leaves: nobody knows what they
   * mean.
   */
  readonly opaque: readonly Cut[];
  /** Tables, each before those below it. */
  readonly links: readonly Link[];
  /** Parts of the range whose tables occur in it twice. */
  readonly aliases: readonly PageRange[];
}

/**
 * What to do with a leaf or run that the range covers only in part: cut it, refuse the call, or keep it
 * because the call does not care where the range ends.
 */
export type Ends = 'cut' | 'refuse' | 'keep';

/**
 * Finds the entries of a range before anything is changed. Each table is visited once.
 *
 * @param maxShift - leaves and runs larger than this, log2 bytes, are cut even where the range covers them
 *   whole.
 * @param wantsLinks - whether to fill `links`; else it stays empty.
 * @throws VmError `EINVAL` when an end of the range lies inside a block or run that must not be cut;
 *   `EFAULT`, `EPERM` for a table without bytes or in read-only memory.
 */
export function findEntries(
  context: TableContext,
  range: PageRange,
  maxShift: number,
  ends: Ends,
  wantsLinks: boolean = false,
): Findings {
  const finder = new Finder(context, range, maxShift, ends, wantsLinks);
  finder.visit(visitRoot(context, range));
  const [alias] = finder.aliases;
  if (alias !== undefined && finder.cuts.length > 0) throw linkedTwice(context, alias.first);
  return finder;
}

/** A span that the tables after it may still join. */
type Growing = { -readonly [K in keyof Span]: Span[K] };

/** True when a last-level table follows the whole tables of a span, in memory and in the range. */
function isNext(last: Span, bank: Bank, at: number, record: number, page: number): boolean {
  const { entries } = last.level;
  return (
    last.bank === bank &&
    last.at + 2 * last.count === at &&
    last.page + last.count === page &&
    last.count % entries === 0 &&
    last.level.level.table === null &&
    (last.record < 0 ? record < 0 : last.record + last.count / entries === record)
  );
}

class Finder implements Findings, RunParts {
  readonly spans: Growing[] = [];
  readonly cuts: Cut[] = [];
  readonly opaque: Cut[] = [];
  readonly links: Link[] = [];
  readonly aliases: PageRange[] = [];
  readonly #look: number;
  /**
   * Runs of the last level are small enough to stay. In a table that the range covers whole, all of them do.
   */
  readonly #keepsRuns: boolean;
  /** Tables outside the allocator that were met. */
  readonly #strangers = new Set<number>();
  readonly #context: TableContext;
  readonly #range: PageRange;
  readonly #maxShift: number;
  readonly #ends: Ends;

  readonly #wantsLinks: boolean;

  constructor(context: TableContext, range: PageRange, maxShift: number, ends: Ends, wantsLinks: boolean) {
    this.#context = context;
    this.#range = range;
    this.#maxShift = maxShift;
    this.#ends = ends;
    this.#wantsLinks = wantsLinks;
    const { runShift } = context.plan.levels[context.plan.last] as LevelPlan;
    this.#keepsRuns = runShift <= maxShift;
    this.#look = context.records?.startLook() ?? 0;
  }

  /** Finds the entries of a part of one table. */
  visit(table: TableVisit): void {
    const { plan, counters } = this.#context;
    const { level, bank, word, record } = table;
    const { first } = this.#range;
    counters.tablesRead++;
    if (!this.#meet(table.pfn)) this.aliases.push({ first: first + table.done, pages: table.pages });
    if (level.index === plan.last) {
      const at = word + 2 * table.slot;
      const span: Span = { level, bank, at, count: table.pages, record, page: first + table.done };
      this.#add(span, table.slot);
      return;
    }
    const { words } = bank;
    let { slot, inside, done } = table;
    /** Slots from here on end their walks, lie wholly in the range, and are not yet added. */
    let open = slot;
    for (let left = table.pages; left > 0; slot++, inside = 0) {
      const here = Math.min(level.pages - inside, left);
      const at = word + 2 * slot;
      const lo = lowAt(bank, words, at);
      const hi = highAt(bank, words, at);
      counters.entriesRead++;
      // A leaf, or an entry that is neither empty nor a table.
      const isEnd = (lo | hi) !== 0 && !isTable(level, lo, hi);
      if (!isEnd || here !== level.pages || level.shift > this.#maxShift) {
        this.#addSlots(table, open, slot, done);
        open = slot + 1;
        if (isEnd) {
          const page = first + done;
          const entry: Span = { level, bank, at, count: 1, record, page: page - inside };
          this.#addCut(entry, slot, page, page + here);
        } else if ((lo | hi) !== 0) {
          const page = first + done;
          const child = childPfn(this.#context, lo, hi);
          const below = writableBankOfTable(this.#context, child, page);
          if (this.#wantsLinks) {
            this.links.push({
              pfn: child,
              level: level.index + 1,
              bank: below,
              parent: bank,
              at,
              parentRecord: record,
              page,
              pages: here,
            });
          }
          const isWhole = here === level.pages && level.index + 1 === plan.last;
          if (!isWhole || !this.#extend(below, below.wordOf(child, plan.pageShift), child, page))
            this.visit(table.below(inside, done, here).enter(child, below));
        }
      }
      done += here;
      left -= here;
    }
    this.#addSlots(table, open, slot, done);
  }

  /** Adds the entries from one slot up to another, where the call has done so many pages. */
  #addSlots({ level, bank, word, record }: TableVisit, from: number, to: number, done: number): void {
    if (from === to) return;
    const count = to - from;
    const page = this.#range.first + done - count * level.pages;
    this.#add({ level, bank, at: word + 2 * from, count, record, page }, from);
  }

  /**
   * Adds a span. Whole last-level tables that follow each other both in memory and in the range become one
   * span; tables that one call made do. Work on it then costs what its entries cost, with nothing extra for
   * each table.
   */
  span(span: Span): void {
    const { level, bank, at, count, record, page } = span;
    const last = this.spans[this.spans.length - 1];
    const isWhole = level.level.table === null && count === level.entries;
    if (isWhole && last !== undefined && isNext(last, bank, at, record, page)) last.count += count;
    else this.spans.push({ level, bank, at, count, record, page });
  }

  /**
   * Joins a whole last-level table to the span before it. It does what `visit` does, 10 ns faster.
   *
   * @returns false, and nothing is done, when the table does not follow one.
   */
  #extend(bank: Bank, at: number, pfn: number, page: number): boolean {
    const last = this.spans[this.spans.length - 1];
    if (last === undefined || !this.#keepsRuns) return false;
    const record = recordOf(this.#context, pfn);
    if (!isNext(last, bank, at, record, page)) return false;
    const { entries } = last.level;
    this.#context.counters.tablesRead++;
    if (!this.#meet(pfn)) this.aliases.push({ first: page, pages: entries });
    last.count += entries;
    return true;
  }

  /**
   * Marks a table as met. False when it was met before. Marks are by frame: a set of numbers costs 40 ns a
   * table.
   */
  #meet(pfn: number): boolean {
    const isFirst = this.#context.records?.meet(pfn, this.#look) ?? null;
    if (isFirst !== null) return isFirst;
    const { size } = this.#strangers;
    return this.#strangers.add(pfn).size > size;
  }

  /** Adds entries that lie wholly in the range. Runs that must not stay whole are cut. */
  #add(span: Span, slot: number): void {
    partAtRuns(span, slot, this.#ends === 'keep' ? null : this.#range, this.#maxShift, this);
  }

  /** Adds an entry above the last level that is too large, or that the range covers only in part. */
  #addCut(entry: Span, slot: number, from: number, to: number): void {
    const { level, bank, at } = entry;
    const group = wholeOf(entry, slot);
    const shift = group === entry ? level.shift : level.runShift;
    if (this.#ends === 'keep' && shift <= this.#maxShift) return;
    const { words } = bank;
    if (isLeaf(level, lowAt(bank, words, at), highAt(bank, words, at))) this.cut(group, from, to);
    else this.opaque.push({ ...entry, from, to });
  }

  /** Adds a cut. Another part of the same run widens the cut before it. */
  cut(group: Span, from: number, to: number): void {
    if (this.#ends === 'refuse') throw this.#inside(group.level, group.page, group.count * group.level.pages);
    const last = this.cuts[this.cuts.length - 1];
    if (
      last !== undefined &&
      last.bank === group.bank &&
      last.at === group.at &&
      last.count === group.count
    ) {
      this.cuts[this.cuts.length - 1] = { ...last, to };
    } else {
      this.cuts.push({ ...group, from, to });
    }
  }

  /** The error of a range that cuts a larger leaf or a run, which starts at page `start`. */
  #inside(level: LevelPlan, start: number, pages: number): VmError {
    const { format } = this.#context.plan;
    const { first, pages: named } = this.#range;
    const cut = first > start ? first : first + named;
    return insideOf(this.#context, level, start, pages, addressOf(format, cut));
  }
}

/** The error of a call that meets a table through two links and would have to cut or show its entries. */
export function linkedTwice(context: TableContext, page: number): VmError {
  return new VmError('EINVAL', 'the range meets the table of this address twice', {
    address: addressOf(context.plan.format, page),
    advice: 'two entries point to it: pass a range that meets it once',
  });
}

/** The error of an address inside a larger leaf or a run, which starts at page `start`. */
export function insideOf(
  context: TableContext,
  level: LevelPlan,
  start: number,
  pages: number,
  address: bigint,
): VmError {
  const { format, pageShift } = context.plan;
  const size = (BigInt(pages) << BigInt(pageShift)).toString(16);
  const what = pages === level.pages ? `a ${level.level.name} entry` : `a run of ${level.level.name} entries`;
  return new VmError('EINVAL', `the range ends inside ${what} of 0x${size} bytes`, {
    address,
    advice: `name all of it: it starts at ${hex(addressOf(format, start))}`,
  });
}
