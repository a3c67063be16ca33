import { hex, VmError } from '../errors.js';
import type { LevelPlan } from '../format/plan.js';
import { bankOfTable, childPfn, flush, freeTable, isTable, type TableContext } from './context.js';
import { addressOf, type PageRange } from './page-range.js';
import { countLive } from './run-loops.js';
import { visitTables } from './visit.js';

/** What one call of `unmap` gathers. */
interface UnmapCall {
  readonly context: TableContext;
  readonly reclaim: boolean;
  /** Hull of the pages whose entries were cleared; empty while `from` is above `to`. */
  from: number;
  to: number;
  /** log2 of the smallest leaf that was cleared. */
  leafShift: number;
  /** Tables that were emptied and unlinked. */
  readonly freed: number[];
}

/**
 * Clears the entries of a range; holes are passed over.
 *
 * One flush covers the hull of the runs that had mappings; none is made when nothing was mapped.
 *
 * @param reclaim - also unlink and free the tables of the engine that this call empties.
 * @throws VmError `EINVAL` when an end of the range lies inside a block; nothing is then changed.
 */
export function unmapPages(context: TableContext, range: PageRange, reclaim: boolean): void {
  if (context.records === null || context.records.find(context.root.pfn) < 0) requireBytes(context, range);
  refuseInsideBlock(context, range.first);
  refuseInsideBlock(context, range.first + range.pages);
  const call: UnmapCall = {
    context,
    reclaim,
    from: Number.POSITIVE_INFINITY,
    to: -1,
    leafShift: 64,
    freed: [],
  };
  const { root } = context;
  unmapTable(call, 0, root.bank.words, root.word, root.pfn, range.first, range.first, range.pages);
  if (call.to < 0) return;
  flush(context, call.from, call.to - call.from, call.leafShift, call.freed);
  for (const pfn of call.freed) freeTable(context, pfn, 0);
}

/**
 * Visits every table of a range, so that a table without bytes is met before anything is changed.
 *
 * Only tables that the engine did not make can point outside the memory.
 */
function requireBytes(context: TableContext, range: PageRange): void {
  visitTables(context, range, () => {});
}

/**
 * Refuses a boundary that cuts an entry above the last level which is not a table.
 *
 * @param page - the boundary: the page right after it is the first one on its upper side.
 */
function refuseInsideBlock(context: TableContext, page: number): void {
  const { plan, counters } = context;
  if (page === plan.pages) return;
  let { bank, word } = context.root;
  let offset = page;
  for (const level of plan.levels) {
    const slot = Math.floor(offset / level.pages);
    const inside = offset - slot * level.pages;
    if (inside === 0) return;
    const lo = bank.words[word + 2 * slot] as number;
    const hi = bank.words[word + 2 * slot + 1] as number;
    counters.tablesRead++;
    counters.entriesRead++;
    if ((lo | hi) === 0) return;
    if (!isTable(level, lo, hi)) {
      const start = page - inside;
      throw new VmError(
        'EINVAL',
        `the range ends inside a ${level.level.name} entry of 0x${(2n ** BigInt(level.shift)).toString(16)} bytes`,
        {
          address: addressOf(plan.format, page),
          advice: `name all of it: it starts at ${hex(addressOf(plan.format, start))}`,
        },
      );
    }
    const child = childPfn(context, lo, hi);
    bank = bankOfTable(context, child, page);
    word = bank.wordOf(child, plan.pageShift);
    offset = inside;
  }
}

/**
 * Clears a part of one table.
 *
 * @param offset - first page, counted from the first page that this table translates.
 * @param page - the same page, counted from the start of the root's range.
 */
function unmapTable(
  call: UnmapCall,
  levelIndex: number,
  words: Int32Array,
  word: number,
  pfn: number,
  offset: number,
  page: number,
  pages: number,
): void {
  const { context } = call;
  const { plan, counters, records } = context;
  const level = plan.levels[levelIndex] as LevelPlan;
  const record = records?.find(pfn) ?? -1;
  counters.tablesRead++;
  if (levelIndex === plan.last) {
    clearRun(call, level, words, word + 2 * offset, record, page, pages);
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
        const bank = bankOfTable(context, child, at);
        const childWord = bank.wordOf(child, plan.pageShift);
        unmapTable(call, levelIndex + 1, bank.words, childWord, child, inside, at, here);
        if (call.reclaim) unlinkEmpty(call, words, entry, record, child, at, here);
      } else {
        clearRun(call, level, words, entry, record, at, here);
      }
    }
    at += here;
    left -= here;
  }
}

/** Clears adjacent entries that cover `pages` pages from `page` on. */
function clearRun(
  call: UnmapCall,
  level: LevelPlan,
  words: Int32Array,
  at: number,
  record: number,
  page: number,
  pages: number,
): void {
  const { counters, records } = call.context;
  const count = pages / level.pages;
  let live: number;
  if (record >= 0 && count === level.entries) {
    live = records?.live(record) ?? 0;
  } else {
    live = countLive(words, at, count);
    counters.entriesRead += count;
  }
  if (live === 0) return;
  words.fill(0, at, at + 2 * count);
  counters.entriesWritten += live;
  records?.add(record, -live);
  call.from = Math.min(call.from, page);
  call.to = Math.max(call.to, page + pages);
  call.leafShift = Math.min(call.leafShift, level.shift);
}

/** Takes an emptied table out of its parent. */
function unlinkEmpty(
  call: UnmapCall,
  words: Int32Array,
  entry: number,
  parent: number,
  child: number,
  page: number,
  pages: number,
): void {
  const { counters, records, plan } = call.context;
  const record = records?.find(child) ?? -1;
  if (records === null || record < 0 || records.live(record) !== 0) return;
  words[entry] = 0;
  words[entry + 1] = 0;
  counters.entriesWritten++;
  records.add(parent, -1);
  call.freed.push(child);
  call.from = Math.min(call.from, page);
  call.to = Math.max(call.to, page + pages);
  call.leafShift = Math.min(call.leafShift, plan.pageShift);
}
