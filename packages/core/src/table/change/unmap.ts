import { hex, VmError } from '../../errors.js';
import { isInRun } from '../../format/classify.js';
import type { LevelPlan } from '../../format/plan.js';
import type { Bank } from '../../memory/bank.js';
import {
  childPfn,
  flush,
  freeTables,
  isLeaf,
  isOwnAndEmpty,
  isTable,
  type TableContext,
  writableBankOfTable,
} from '../context.js';
import { addressOf, type PageRange } from '../page-range.js';
import { countLive } from './run-loops.js';
import { UndoLog } from './undo-log.js';

/** Adjacent entries of one table that are going to be cleared. */
interface Span {
  readonly level: LevelPlan;
  readonly bank: Bank;
  readonly at: number;
  readonly count: number;
  readonly record: number;
  /** First page that the entries translate. */
  readonly page: number;
}

/** A table below the root that the range reaches into, and the entry that points to it. */
interface Link {
  readonly pfn: number;
  readonly level: number;
  readonly parent: Bank;
  readonly at: number;
  readonly parentRecord: number;
  /** The part of the range inside it. */
  readonly page: number;
  readonly pages: number;
}

/** What the walk of one call finds. */
interface Findings {
  readonly context: TableContext;
  readonly first: number;
  readonly end: number;
  readonly spans: Span[];
  readonly links: Link[];
}

/** What the flush of one call has to cover: the hull of what was cleared, empty while `to` is below 0. */
interface Hull {
  from: number;
  to: number;
  /** log2 of the smallest leaf that was cleared. */
  leafShift: number;
}

/**
 * Clears the entries of a range; holes are passed over.
 *
 * The walk finds what to clear and refuses what it must before anything is changed. One flush covers the hull of the
 * runs that had mappings; none is made when nothing was mapped. When the sink throws, the entries are put back.
 *
 * @param reclaim - also unlink and free the tables of this page table that are then empty.
 * @throws VmError `EINVAL` when an end of the range lies inside a block or run; `EFAULT`, `EPERM` for a table
 *   without bytes or in read-only memory. Nothing is then changed.
 */
export function unmapPages(context: TableContext, range: PageRange, reclaim: boolean): void {
  const { root } = context;
  const end = range.first + range.pages;
  const findings: Findings = { context, first: range.first, end, spans: [], links: [] };
  find(findings, 0, root.bank, root.word, root.pfn, range.first, range.first, range.pages);

  const hull: Hull = { from: Number.POSITIVE_INFINITY, to: -1, leafShift: 64 };
  // Without a sink and without tables to free nothing can fail from here on: the old entries need not be kept.
  const log = context.sink === null && !reclaim ? null : new UndoLog();
  for (const span of findings.spans) clear(context, span, log, hull);
  const emptied = new Set<number>();
  if (reclaim) {
    // Found top down, so the last ones are at the bottom.
    for (let i = findings.links.length - 1; i >= 0; i--) {
      unlinkEmpty(context, findings.links[i] as Link, log, hull, emptied);
    }
  }
  if (hull.to < 0) return;
  try {
    flush(context, hull.from, hull.to - hull.from, hull.leafShift, [...emptied]);
    freeTables(context, [...emptied]);
  } catch (error) {
    log?.restore(context);
    throw error;
  }
}

/**
 * Finds the entries of a part of one table.
 *
 * @param offset - first page, counted from the first page that this table translates.
 * @param page - the same page, counted from the start of the root's range.
 */
function find(
  findings: Findings,
  levelIndex: number,
  bank: Bank,
  word: number,
  pfn: number,
  offset: number,
  page: number,
  pages: number,
): void {
  const { context, spans, links } = findings;
  const { plan, counters, records } = context;
  const level = plan.levels[levelIndex] as LevelPlan;
  const { words } = bank;
  const record = records?.find(pfn) ?? -1;
  counters.tablesRead++;
  if (levelIndex === plan.last) {
    const at = word + 2 * offset;
    if (level.level.run !== null) refuseInsideRun(findings, level, words, at, page, pages);
    spans.push({ level, bank, at, count: pages, record, page });
    return;
  }
  let slot = Math.floor(offset / level.pages);
  let inside = offset - slot * level.pages;
  let at = page;
  for (let left = pages; left > 0; slot++, inside = 0) {
    const here = Math.min(level.pages - inside, left);
    const entry = word + 2 * slot;
    const lo = words[entry] as number;
    const hi = words[entry + 1] as number;
    counters.entriesRead++;
    if ((lo | hi) !== 0) {
      if (isTable(level, lo, hi)) {
        const child = childPfn(context, lo, hi);
        const below = writableBankOfTable(context, child, at);
        links.push({
          pfn: child,
          level: levelIndex + 1,
          parent: bank,
          at: entry,
          parentRecord: record,
          page: at,
          pages: here,
        });
        find(findings, levelIndex + 1, below, below.wordOf(child, plan.pageShift), child, inside, at, here);
      } else {
        if (here !== level.pages) throw insideOf(findings, level, at - inside, level.pages);
        if (level.level.run !== null) refuseInsideRun(findings, level, words, entry, at, here);
        spans.push({ level, bank, at: entry, count: 1, record, page: at });
      }
    }
    at += here;
    left -= here;
  }
}

/** Refuses a range whose end is inside a run of leaves that share a contiguous hint. */
function refuseInsideRun(
  findings: Findings,
  level: LevelPlan,
  words: Int32Array,
  at: number,
  page: number,
  pages: number,
): void {
  const { run } = level.level;
  if (run === null) return;
  const runPages = run.entries * level.pages;
  const isMarked = (entry: number): boolean => {
    const lo = words[entry] as number;
    const hi = words[entry + 1] as number;
    return isInRun(run, { lo, hi }) && isLeaf(level, lo, hi);
  };
  const end = page + pages;
  const last = at + 2 * (pages / level.pages - 1);
  if (page === findings.first && page % runPages !== 0 && isMarked(at)) {
    throw insideOf(findings, level, page - (page % runPages), runPages);
  }
  if (end === findings.end && end % runPages !== 0 && isMarked(last)) {
    throw insideOf(findings, level, end - (end % runPages), runPages);
  }
}

/** The error of a range that cuts a larger leaf or a run which starts at page `start`. */
function insideOf(findings: Findings, level: LevelPlan, start: number, pages: number): VmError {
  const { format, pageShift } = findings.context.plan;
  const cut = findings.first > start ? findings.first : findings.end;
  const size = (BigInt(pages) << BigInt(pageShift)).toString(16);
  const what = pages === level.pages ? `a ${level.level.name} entry` : `a run of ${level.level.name} entries`;
  return new VmError('EINVAL', `the range ends inside ${what} of 0x${size} bytes`, {
    address: addressOf(format, cut),
    advice: `name all of it: it starts at ${hex(addressOf(format, start))}`,
  });
}

function clear(context: TableContext, span: Span, log: UndoLog | null, hull: Hull): void {
  const { level, bank, at, count, record, page } = span;
  const { counters, records } = context;
  // A whole table is cleared by its count, without a look: 0.4 ns a page instead of 1. Only a count of 0 needs proof.
  const counted = record >= 0 && count === level.entries ? (records?.live(record) ?? 0) : 0;
  const live = counted > 0 ? counted : countLive(bank.words, at, count);
  if (counted <= 0) counters.entriesRead += count;
  if (live === 0) return;
  log?.noteClear(bank, at, count, record, live);
  bank.words.fill(0, at, at + 2 * count);
  counters.entriesWritten += live;
  records?.add(record, -live);
  widen(hull, page, count * level.pages, level.shift);
}

/** Takes an emptied table out of its parent. */
function unlinkEmpty(
  context: TableContext,
  link: Link,
  log: UndoLog | null,
  hull: Hull,
  emptied: Set<number>,
): void {
  const { pfn, level, parent, at, parentRecord, page, pages } = link;
  // A table that two entries name is unlinked from both.
  if (!emptied.has(pfn) && !isOwnAndEmpty(context, pfn, level, page)) return;
  const { words } = parent;
  log?.noteEntry(parent, at, words[at] as number, words[at + 1] as number, parentRecord, -1, -1);
  words[at] = 0;
  words[at + 1] = 0;
  context.counters.entriesWritten++;
  context.records?.add(parentRecord, -1);
  emptied.add(pfn);
  widen(hull, page, pages, context.plan.pageShift);
}

function widen(hull: Hull, page: number, pages: number, leafShift: number): void {
  hull.from = Math.min(hull.from, page);
  hull.to = Math.max(hull.to, page + pages);
  hull.leafShift = Math.min(hull.leafShift, leafShift);
}
