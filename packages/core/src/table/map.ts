import { hex, VmError } from '../errors.js';
import { classify } from '../format/classify.js';
import type { LevelPlan } from '../format/plan.js';
import type { Protection } from '../format/protection.js';
import {
  bankOfTable,
  childPfn,
  flush,
  freeTable,
  isTable,
  newTable,
  type TableContext,
  writeTableEntry,
} from './context.js';
import { collectEmptyTables } from './empty-tables.js';
import { type FrameSource, frameAt, isBlock } from './frame-source.js';
import { addressOf, type PageRange } from './page-range.js';
import { firstOccupied, writeLinear, writeScattered32, writeScattered64 } from './run-loops.js';
import { UndoLog } from './undo-log.js';

/** What one call of `map` carries down the levels. */
interface MapCall {
  readonly context: TableContext;
  readonly source: FrameSource;
  /** First page of the call, counted from the start of the root's range. */
  readonly first: number;
  /** Leaf bits by level, as words; a level that may not hold a leaf has `mayLeaf` 0. */
  readonly flagsLo: Int32Array;
  readonly flagsHi: Int32Array;
  readonly mayLeaf: Uint8Array;
  readonly log: UndoLog;
  /** Tables that a larger leaf replaced: freed when the call has succeeded. */
  readonly replaced: number[];
}

/**
 * Maps pages to frames: one visit per table, the largest leaves that address, frames and cap allow.
 *
 * @param maxLeafShift - cap on the leaf size, log2 bytes; at least the page size is always used.
 * @throws VmError `EBUSY` for an occupied slot, `ENOMEM`, `EFAULT`; the tables are then as before.
 */
export function mapPages(
  context: TableContext,
  range: PageRange,
  source: FrameSource,
  protection: Protection,
  maxLeafShift: number,
): void {
  const { plan } = context;
  const levels = plan.levels.length;
  const call: MapCall = {
    context,
    source,
    first: range.first,
    flagsLo: new Int32Array(levels),
    flagsHi: new Int32Array(levels),
    mayLeaf: new Uint8Array(levels),
    log: new UndoLog(),
    replaced: [],
  };
  for (const level of plan.levels) {
    const isLast = level.index === plan.last;
    const mayLeaf = level.level.leaf !== null && level.shift <= maxLeafShift && level.pages <= range.pages;
    if (!isLast && !mayLeaf) continue;
    const flags = plan.format.encode(protection, level.index);
    call.mayLeaf[level.index] = 1;
    call.flagsLo[level.index] = flags.lo;
    call.flagsHi[level.index] = flags.hi;
  }
  const { root } = context;
  try {
    mapTable(call, 0, root.bank.words, root.word, root.pfn, range.first, 0, range.pages);
  } catch (error) {
    call.log.rollBack(context, range.first, range.pages);
    throw error;
  }
  for (const pfn of call.replaced) freeTable(context, pfn, 0);
}

/**
 * Maps a part of one table.
 *
 * @param offset - first page, counted from the first page that this table translates.
 * @param done - pages of the call that are mapped already.
 * @param pages - pages to map here.
 */
function mapTable(
  call: MapCall,
  levelIndex: number,
  words: Int32Array,
  word: number,
  pfn: number,
  offset: number,
  done: number,
  pages: number,
): void {
  const { context } = call;
  const { plan, counters } = context;
  const level = plan.levels[levelIndex] as LevelPlan;
  counters.tablesRead++;
  if (levelIndex === plan.last) {
    mapLastTable(call, level, words, word + 2 * offset, pfn, done, pages);
    return;
  }
  let slot = Math.floor(offset / level.pages);
  let inside = offset - slot * level.pages;
  let at = done;
  for (let left = pages; left > 0; slot++, inside = 0) {
    const here = Math.min(level.pages - inside, left);
    const entry = word + 2 * slot;
    if (call.mayLeaf[levelIndex] === 0 || here !== level.pages || !isBlock(call.source, at, here)) {
      descend(call, level, words, entry, pfn, inside, at, here);
    } else if (!writeBlock(call, level, words, entry, pfn, at)) {
      descend(call, level, words, entry, pfn, inside, at, here);
    }
    at += here;
    left -= here;
  }
}

/** Writes a run of base pages, in a table of the last level. */
function mapLastTable(
  call: MapCall,
  level: LevelPlan,
  words: Int32Array,
  at: number,
  pfn: number,
  done: number,
  pages: number,
): void {
  const { context, source } = call;
  const { plan, counters, records } = context;
  const record = records?.find(pfn) ?? -1;
  // A table that is known to be empty needs no search.
  if (record < 0 || records?.live(record) !== 0) {
    const busy = firstOccupied(words, at, pages);
    counters.entriesRead += busy < 0 ? pages : busy + 1;
    if (busy >= 0) throw occupied(call, level, words, at + 2 * busy, done + busy);
  }
  const flagsLo = call.flagsLo[level.index] as number;
  const flagsHi = call.flagsHi[level.index] as number;
  call.log.note(words, at, pages, 0, 0, record, pages, -1);
  if (source.narrow !== null) {
    writeScattered32(words, at, pages, source.narrow, done, flagsLo, flagsHi, plan.address);
  } else if (source.wide !== null) {
    writeScattered64(words, at, pages, source.wide, done, flagsLo, flagsHi, plan.address);
  } else {
    writeLinear(words, at, pages, source.start + done, 1, flagsLo, flagsHi, plan.address);
  }
  counters.entriesWritten += pages;
  records?.add(record, pages);
}

/** Continues in the table below a slot, which is made when the slot is empty. */
function descend(
  call: MapCall,
  level: LevelPlan,
  words: Int32Array,
  entry: number,
  pfn: number,
  inside: number,
  at: number,
  pages: number,
): void {
  const { context } = call;
  const lo = words[entry] as number;
  const hi = words[entry + 1] as number;
  context.counters.entriesRead++;
  let child: number;
  if ((lo | hi) === 0) {
    child = newTable(context, level.index + 1, 0);
    const record = context.records?.find(pfn) ?? -1;
    call.log.note(words, entry, 1, 0, 0, record, 1, child);
    writeTableEntry(context, words, entry, child);
    context.records?.add(record, 1);
  } else if (isTable(level, lo, hi)) {
    child = childPfn(context, lo, hi);
  } else {
    throw occupied(call, level, words, entry, at);
  }
  const bank = bankOfTable(context, child, call.first + at);
  const word = bank.wordOf(child, context.plan.pageShift);
  mapTable(call, level.index + 1, bank.words, word, child, inside, at, pages);
}

/**
 * Writes a block into a slot.
 *
 * A left-over table is replaced when the engine made it and it maps nothing: break, flush, make.
 *
 * @returns false when a table with mappings is in the way: the pages go into it.
 */
function writeBlock(
  call: MapCall,
  level: LevelPlan,
  words: Int32Array,
  entry: number,
  pfn: number,
  at: number,
): boolean {
  const { context, source } = call;
  const { plan, counters, records } = context;
  const lo = words[entry] as number;
  const hi = words[entry + 1] as number;
  const record = records?.find(pfn) ?? -1;
  counters.entriesRead++;
  if ((lo | hi) === 0) {
    call.log.note(words, entry, 1, 0, 0, record, 1, -1);
    records?.add(record, 1);
  } else if (isTable(level, lo, hi)) {
    const empty = collectEmptyTables(context, level.index + 1, childPfn(context, lo, hi), call.first + at);
    if (empty === null) return false;
    call.log.note(words, entry, 1, lo, hi, record, 0, -1);
    words[entry] = 0;
    words[entry + 1] = 0;
    counters.entriesWritten++;
    flush(context, call.first + at, level.pages, plan.pageShift, empty);
    call.replaced.push(...empty);
  } else {
    throw occupied(call, level, words, entry, at);
  }
  const flagsLo = call.flagsLo[level.index] as number;
  const flagsHi = call.flagsHi[level.index] as number;
  writeLinear(words, entry, 1, frameAt(source, at), level.pages, flagsLo, flagsHi, plan.address);
  counters.entriesWritten++;
  return true;
}

function occupied(call: MapCall, level: LevelPlan, words: Int32Array, entry: number, at: number): VmError {
  const { plan } = call.context;
  const lo = words[entry] as number;
  const hi = words[entry + 1] as number;
  const kind = classify(plan.format.present, level.level, { lo, hi });
  const article = kind === 'absent' ? 'an' : 'a';
  const raw = hex((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0));
  return new VmError('EBUSY', `the ${level.level.name} slot holds ${article} ${kind} entry ${raw}`, {
    address: addressOf(plan.format, call.first + at),
    advice: 'unmap the range first',
  });
}
