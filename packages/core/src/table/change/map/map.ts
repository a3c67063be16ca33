import { entryHi, entryLo } from '../../../address-codec.js';
import type { LevelPlan } from '../../../format/plan.js';
import type { Protection } from '../../../format/protection.js';
import type { FrameSource } from '../../../loops/run-loops.js';
import type { Bank } from '../../../memory/bank.js';
import type { LeafCaps } from '../../arguments.js';
import { hullOf, type PageRange } from '../../page-range.js';
import type { TableContext } from '../../state/context.js';
import { childPfn, isTable } from '../../state/entries.js';
import { refuseOwed } from '../../state/flush.js';
import { writableBankOfTable } from '../../state/table-banks.js';
import { recordOf } from '../../state/tables.js';
import { type ChangeSet, changing } from '../set/change-set.js';
import { collectEmptyTables } from './empty-tables.js';
import { frameAt, isBlock, isLinear } from './frame-source.js';
import { type MapCall, needFlags, occupied } from './map-call.js';
import { mapTables } from './map-tables.js';
import { runEntries, writeLeaves } from './write-leaves.js';
import { writePages } from './write-pages.js';

/** One range to map, checked. */
export interface CheckedPiece {
  readonly range: PageRange;
  readonly source: FrameSource;
  readonly protection: Protection;
  /** Caps on leaves and runs. The page size is always allowed. */
  readonly caps: LeafCaps;
}

/**
 * Maps pages to frames. Each table is visited once. Leaves are the largest that address, frames and cap
 * allow.
 *
 * @param pieces - one or more, mapped in their order; all or none.
 * @throws VmError `EBUSY` for an occupied slot; `ENOMEM`, `EFAULT`, `EPERM`; `EINVAL` for a protection that
 *   the format cannot express. The tables are then as before.
 */
export function mapPages(context: TableContext, pieces: readonly CheckedPiece[]): void {
  const { root, plan } = context;
  for (const { range } of pieces) refuseOwed(context, range);
  changing(context, hullOf(pieces.map(({ range }) => range)), null, (changes) => {
    // A protection that the format cannot express is refused before a table is made.
    const calls = pieces.map((piece) => callOf(context, piece, changes));
    for (const call of calls) needFlags(call, plan.levels[plan.last] as LevelPlan);
    for (const [i, { range }] of pieces.entries())
      mapTable(calls[i] as MapCall, 0, root.bank, root.word, root.pfn, false, range.first, 0, range.pages);
  });
}

function callOf(context: TableContext, piece: CheckedPiece, changes: ChangeSet): MapCall {
  const levels = context.plan.levels.length;
  return {
    context,
    source: piece.source,
    protection: piece.protection,
    maxLeafShift: piece.caps.leaf,
    maxRunShift: piece.caps.run,
    first: piece.range.first,
    flagsLo: new Int32Array(levels),
    flagsHi: new Int32Array(levels),
    hasFlags: new Uint8Array(levels),
    changes,
    areFramesFew: false,
  };
}

/**
 * Maps a part of one table.
 *
 * @param isNew - the call made this table, so it is empty.
 * @param offset - first page, counted from the first page that this table translates.
 * @param done - pages of the call that are already mapped.
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
  const { plan, counters } = call.context;
  const level = plan.levels[levelIndex] as LevelPlan;
  if (levelIndex === plan.last) {
    writePages(call, level, bank, word + 2 * offset, recordOf(call.context, pfn), 1, isNew, done, pages);
    return;
  }
  counters.tablesRead++;
  const mayBlock = level.level.leaf !== null && level.shift <= call.maxLeafShift;
  let slot = Math.floor(offset / level.pages);
  let inside = offset - slot * level.pages;
  let at = done;
  for (let left = pages; left > 0; inside = 0) {
    let here = Math.min(level.pages - inside, left);
    let slots = 0;
    const entry = word + 2 * slot;
    if (mayBlock && here === level.pages && isBlock(call.source, at, here)) {
      slots = writeBlocks(call, level, bank, entry, pfn, isNew, at, blocksFrom(call, level, at, left));
    } else if (here === level.pages && levelIndex + 1 === plan.last) {
      slots = mapTables(call, level, bank, entry, pfn, isNew, mayBlock, at, left);
    }
    if (slots === 0) descend(call, level, bank, entry, pfn, isNew, inside, at, here);
    else here = slots * level.pages;
    slot += Math.max(1, slots);
    at += here;
    left -= here;
  }
}

/**
 * Continues in the table below a slot. When the slot is empty, it makes that table.
 *
 * A new table is linked after it is written. Nobody sees it half done, and a table that is filled need not
 * be zeroed first.
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
  const { plan, counters } = context;
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
  const record = recordOf(context, pfn);
  changes.checkOwed(page);
  const child = changes.makeTable(below, record, page, pages === level.pages && isFilled(call, below, at));
  const childBank = writableBankOfTable(context, child, page);
  mapTable(call, below, childBank, childBank.wordOf(child, plan.pageShift), child, true, inside, at, pages);
  if (!isNew) changes.noteEmpty(bank, entry, 1, record);
  changes.writeLink(bank, entry, record, child);
}

/** How many blocks over adjacent frames follow each other from here. */
function blocksFrom(call: MapCall, level: LevelPlan, at: number, left: number): number {
  const { source, first } = call;
  // In a linear range, an aligned block is followed by aligned blocks.
  if (isLinear(source)) return Math.floor(left / level.pages);
  const entries = runEntries(call, level);
  const pages = entries * level.pages;
  return pages <= left && (first + at) % pages === 0 && isBlock(source, at, pages) ? entries : 1;
}

/** True when the pages of a whole table give each of its slots a leaf: a base page, or a block. */
function isFilled(
  { context: { plan }, source, maxLeafShift }: MapCall,
  levelIndex: number,
  at: number,
): boolean {
  if (levelIndex === plan.last) return true;
  const { level, shift, pages } = plan.levels[levelIndex] as LevelPlan;
  // The blocks of a linear range are all aligned or none is.
  return level.leaf !== null && shift <= maxLeafShift && isLinear(source) && isBlock(source, at, pages);
}

/**
 * Writes blocks over adjacent frames into the slots from one on, as many as are empty.
 *
 * An empty table in the first slot is replaced when this page table made it.
 *
 * @param wanted - slots that should take a block.
 * @returns the number of blocks; 0 when a table with mappings is in the first slot, so the pages go into it.
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
  const record = recordOf(context, pfn);
  needFlags(call, level);
  const flagsLo = call.flagsLo[level.index] as number;
  const flagsHi = call.flagsHi[level.index] as number;
  const frame = frameAt(source, at);
  const occupant = isNew ? -1 : bank.loops.firstLive(entry, wanted);
  const blocks = occupant < 0 ? wanted : occupant;
  if (blocks > 0) {
    if (!isNew) changes.noteEmpty(bank, entry, blocks, record);
    records?.add(record, blocks);
    const linear = isLinear(source) ? source : { narrow: null, wide: null, start: frame - at };
    writeLeaves(call, level, bank, entry, linear, at, blocks, true);
    if (!isNew) counters.entriesRead += blocks;
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
