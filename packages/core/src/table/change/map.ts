import { entryHi, entryLo } from '../../address-codec.js';
import { hex, VmError } from '../../errors.js';
import { classify } from '../../format/classify.js';
import type { LevelPlan } from '../../format/plan.js';
import type { Protection } from '../../format/protection.js';
import { type FrameSource, WRITTEN } from '../../kernel/run-kernels.js';
import type { Bank } from '../../memory/bank.js';
import { joinWords } from '../../words.js';
import { childPfn, isTable, refuseOwed, type TableContext, writableBankOfTable } from '../context.js';
import { addressOf, type PageRange } from '../page-range.js';
import { type ChangeSet, changing } from './change-set.js';
import { collectEmptyTables } from './empty-tables.js';
import { badFrame, frameAt, isBlock, isLinear } from './frame-source.js';
import { leafFlags } from './leaf-flags.js';

/** What one call of `map` carries down the levels. */
interface MapCall {
  readonly context: TableContext;
  readonly source: FrameSource;
  readonly protection: Protection;
  /** Cap on the leaf size, log2 bytes. */
  readonly maxLeafShift: number;
  /** First page of the call, counted from the start of the root's range. */
  readonly first: number;
  /** Leaf bits by level, as words, once they have been asked for. */
  readonly flagsLo: Int32Array;
  readonly flagsHi: Int32Array;
  readonly hasFlags: Uint8Array;
  readonly changes: ChangeSet;
}

/**
 * Maps pages to frames: one visit per table, the largest leaves that address, frames and cap allow.
 *
 * @param maxLeafShift - cap on the leaf size, log2 bytes; at least the page size is always used.
 * @throws VmError `EBUSY` for an occupied slot, `ENOMEM`, `EFAULT`, `EPERM`, `EINVAL` for a protection that the
 *   format cannot say; the tables are then as before.
 */
export function mapPages(
  context: TableContext,
  range: PageRange,
  source: FrameSource,
  protection: Protection,
  maxLeafShift: number,
): void {
  const { root, plan } = context;
  const levels = plan.levels.length;
  refuseOwed(context, range);
  changing(context, range, null, (changes) => {
    const call: MapCall = {
      context,
      source,
      protection,
      maxLeafShift,
      first: range.first,
      flagsLo: new Int32Array(levels),
      flagsHi: new Int32Array(levels),
      hasFlags: new Uint8Array(levels),
      changes,
    };
    // A protection that cannot be said is refused before a table is made.
    needFlags(call, plan.levels[plan.last] as LevelPlan);
    mapTable(call, 0, root.bank, root.word, root.pfn, false, range.first, 0, range.pages);
  });
}

/** Asks the format for a level's leaf bits, once per call: a call without blocks never asks for theirs. */
function needFlags(call: MapCall, level: LevelPlan): void {
  const { index } = level;
  if (call.hasFlags[index] === 1) return;
  const flags = leafFlags(call.context.plan, call.protection, level);
  call.flagsLo[index] = flags.lo;
  call.flagsHi[index] = flags.hi;
  call.hasFlags[index] = 1;
}

/**
 * Maps a part of one table.
 *
 * @param isNew - the call made this table: it is empty.
 * @param offset - first page, counted from the first page that this table translates.
 * @param done - pages of the call that are mapped already.
 * @param pages - pages to map here.
 */
function mapTable(
  call: MapCall,
  levelIndex: number,
  bank: Bank,
  word: number,
  pfn: number,
  isNew: boolean,
  offset: number,
  done: number,
  pages: number,
): void {
  const { context } = call;
  const { plan, counters } = context;
  const level = plan.levels[levelIndex] as LevelPlan;
  counters.tablesRead++;
  if (levelIndex === plan.last) {
    mapLastTable(call, level, bank, word + 2 * offset, pfn, isNew, done, pages);
    return;
  }
  const mayBlock = level.level.leaf !== null && level.shift <= call.maxLeafShift;
  let slot = Math.floor(offset / level.pages);
  let inside = offset - slot * level.pages;
  let at = done;
  for (let left = pages; left > 0; inside = 0) {
    let here = Math.min(level.pages - inside, left);
    const entry = word + 2 * slot;
    const isWhole = mayBlock && here === level.pages && isBlock(call.source, at, here);
    // What follows an aligned block of a linear range are more of them.
    const wanted = isLinear(call.source) ? Math.floor(left / level.pages) : 1;
    const blocks = isWhole ? writeBlocks(call, level, bank, entry, pfn, isNew, at, wanted) : 0;
    if (blocks === 0) descend(call, level, bank, entry, pfn, isNew, inside, at, here);
    else here = blocks * level.pages;
    slot += Math.max(1, blocks);
    at += here;
    left -= here;
  }
}

/** Writes a run of base pages, in a table of the last level. */
function mapLastTable(
  call: MapCall,
  level: LevelPlan,
  bank: Bank,
  at: number,
  pfn: number,
  isNew: boolean,
  done: number,
  pages: number,
): void {
  const { context, source } = call;
  const { plan, counters, records } = context;
  const flagsLo = call.flagsLo[level.index] as number;
  const flagsHi = call.flagsHi[level.index] as number;
  const { kernels } = bank;
  const result = isLinear(source)
    ? kernels.writeLinear(at, pages, source.start + done, 1, flagsLo, flagsHi, plan.address, isNew)
    : kernels.writeFrames(at, pages, source, done, flagsLo, flagsHi, plan.address, plan.pfnLimit, isNew);
  if (!isNew) counters.entriesRead += result < 0 ? pages : result + 1;
  if (result >= 0) throw occupied(call, level, bank.words, at + 2 * result, done + result);
  if (result !== WRITTEN)
    throw badFrame(frameAt(source, done - 2 - result), done - 2 - result, plan.pfnLimit);
  const record = records?.find(pfn) ?? -1;
  if (!isNew) call.changes.noteEmpty(bank, at, pages, record);
  counters.entriesWritten += pages;
  records?.add(record, pages);
}

/**
 * Continues in the table below a slot, which is made when the slot is empty.
 *
 * A new table is linked when it is written: nobody ever sees it half done, and one that is filled need not be zeroed first.
 */
function descend(
  call: MapCall,
  level: LevelPlan,
  bank: Bank,
  entry: number,
  pfn: number,
  isNew: boolean,
  inside: number,
  at: number,
  pages: number,
): void {
  const { context, changes } = call;
  const { plan, counters, records } = context;
  const { words } = bank;
  const lo = words[entry] as number;
  const hi = words[entry + 1] as number;
  const page = call.first + at;
  const below = level.index + 1;
  counters.entriesRead++;
  if ((lo | hi) !== 0) {
    if (!isTable(level, lo, hi)) throw occupied(call, level, words, entry, at);
    const child = childPfn(context, lo, hi);
    const childBank = writableBankOfTable(context, child, page);
    const word = childBank.wordOf(child, plan.pageShift);
    mapTable(call, below, childBank, word, child, false, inside, at, pages);
    return;
  }
  const record = records?.find(pfn) ?? -1;
  changes.checkOwed(page);
  const child = changes.makeTable(below, record, page, below === plan.last && pages === level.pages);
  const childBank = writableBankOfTable(context, child, page);
  mapTable(call, below, childBank, childBank.wordOf(child, plan.pageShift), child, true, inside, at, pages);
  if (!isNew) changes.noteEmpty(bank, entry, 1, record);
  changes.writeLink(bank, entry, record, child);
}

/**
 * Writes blocks over adjacent frames into the slots from one on, as many as are empty.
 *
 * A left-over table in the first slot is replaced when this page table made it and it maps nothing.
 *
 * @param wanted - slots that are to take a block.
 * @returns the number of blocks: 0 when a table with mappings is in the way: the pages go into it.
 */
function writeBlocks(
  call: MapCall,
  level: LevelPlan,
  bank: Bank,
  entry: number,
  pfn: number,
  isNew: boolean,
  at: number,
  wanted: number,
): number {
  const { context, source, changes } = call;
  const { plan, counters, records } = context;
  const { kernels } = bank;
  const record = records?.find(pfn) ?? -1;
  needFlags(call, level);
  const flagsLo = call.flagsLo[level.index] as number;
  const flagsHi = call.flagsHi[level.index] as number;
  const frame = frameAt(source, at);
  const occupant = isNew ? -1 : kernels.firstLive(entry, wanted);
  const blocks = occupant < 0 ? wanted : occupant;
  if (blocks > 0) {
    if (!isNew) changes.noteEmpty(bank, entry, blocks, record);
    records?.add(record, blocks);
    kernels.writeLinear(entry, blocks, frame, level.pages, flagsLo, flagsHi, plan.address, true);
    counters.entriesRead += blocks;
    counters.entriesWritten += blocks;
    return blocks;
  }
  const lo = bank.words[entry] as number;
  const hi = bank.words[entry + 1] as number;
  counters.entriesRead++;
  if (!isTable(level, lo, hi)) throw occupied(call, level, bank.words, entry, at);
  const page = call.first + at;
  const empty = collectEmptyTables(context, level.index + 1, childPfn(context, lo, hi), page);
  if (empty === null) return 0;
  const block = new Int32Array(2);
  block[0] = flagsLo | entryLo(plan.address, frame);
  block[1] = flagsHi | entryHi(plan.address, frame);
  changes.rewrite({ level, bank, at: entry, count: 1, record, page }, block);
  changes.widen(page, level.pages, plan.pageShift);
  for (const table of empty) changes.free(table);
  return 1;
}

function occupied(call: MapCall, level: LevelPlan, words: Int32Array, entry: number, at: number): VmError {
  const { plan } = call.context;
  const lo = words[entry] as number;
  const hi = words[entry + 1] as number;
  const kind = classify(plan.format.present, level.level, { lo, hi });
  const article = kind === 'absent' ? 'an' : 'a';
  return new VmError(
    'EBUSY',
    `the ${level.level.name} slot holds ${article} ${kind} entry ${hex(joinWords(lo, hi))}`,
    {
      address: addressOf(plan.format, call.first + at),
      advice: 'unmap the range first',
    },
  );
}
