import { entryHi, entryLo } from '../../../address-codec.js';
import type { LevelPlan } from '../../../format/plan.js';
import type { Protection } from '../../../format/protection.js';
import { type FrameSource, WRITTEN } from '../../../loops/run-loops.js';
import { loopsOf } from '../../../memory/bank.js';
import type { LeafCaps } from '../../arguments.js';
import { hullOf, type PageRange } from '../../page-range.js';
import { type TableContext, visitRoot } from '../../state/context.js';
import { childPfn, highAt, isTable, lowAt } from '../../state/entries.js';
import { refuseOwed } from '../../state/flush.js';
import { writableBankOfTable } from '../../state/table-banks.js';
import type { TableVisit } from '../../state/table-visit.js';
import type { ChangeSet } from '../set/change-set.js';
import { changing } from '../set/changing.js';
import { collectEmptyTables } from './empty-tables.js';
import { frameAt, isBlock, isLinear } from './frame-source.js';
import { leavesOf, type MapCall, occupied } from './map-call.js';
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
  for (const { range } of pieces) refuseOwed(context, range);
  const [only] = pieces;
  const hull =
    pieces.length === 1 && only !== undefined ? only.range : hullOf(pieces.map(({ range }) => range));
  changing(context, hull, null, (changes) => {
    // A protection that the format cannot express is refused before a table is made.
    const calls = pieces.map((piece) => callOf(context, piece, changes));
    for (let i = 0; i < pieces.length; i++)
      mapTable(calls[i] as MapCall, visitRoot(context, (pieces[i] as CheckedPiece).range));
  });
}

function callOf(context: TableContext, piece: CheckedPiece, changes: ChangeSet): MapCall {
  const call: MapCall = {
    context,
    source: piece.source,
    protection: piece.protection,
    maxLeafShift: piece.caps.leaf,
    maxRunShift: piece.caps.run,
    first: piece.range.first,
    leaves: null,
    changes,
    areFramesFew: false,
    written: 0,
  };
  leavesOf(call, context.plan.levels[context.plan.last] as LevelPlan);
  return call;
}

/** Maps a part of one table. */
function mapTable(call: MapCall, table: TableVisit): void {
  const { plan, counters } = call.context;
  const { level } = table;
  if (level.index === plan.last) {
    writePages(call, table);
    return;
  }
  counters.tablesRead++;
  const mayBlock = level.level.leaf !== null && level.shift <= call.maxLeafShift;
  let { slot, inside, done: at } = table;
  for (let left = table.pages; left > 0; inside = 0) {
    let here = Math.min(level.pages - inside, left);
    let slots = 0;
    if (mayBlock && here === level.pages && isBlock(call.source, at, here)) {
      slots = writeBlocks(call, table, slot, at, blocksFrom(call, level, at, left));
    } else if (here === level.pages && isFilled(call, plan.levels[level.index + 1] as LevelPlan, at)) {
      slots = mapTables(call, table, slot, at, left, mayBlock);
    }
    if (slots === 0) descend(call, table, slot, table.below(inside, at, here));
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
function descend(call: MapCall, table: TableVisit, slot: number, below: TableVisit): void {
  const { context, changes } = call;
  const { level, bank, record } = table;
  const { words } = bank;
  const { done, pages } = below;
  const entry = table.word + 2 * slot;
  const lo = lowAt(bank, words, entry);
  const hi = highAt(bank, words, entry);
  const page = call.first + done;
  context.counters.entriesRead++;
  if ((lo | hi) !== 0) {
    if (!isTable(level, lo, hi)) throw occupied(call, level, bank, entry, done);
    const child = childPfn(context, lo, hi);
    mapTable(call, below.enter(child, writableBankOfTable(context, child, page)));
    return;
  }
  if (changes.shared !== null) {
    // Its own pages come after it: another thread may have made the table at the same time.
    const child = changes.linkTable(level, bank, entry, record, page);
    mapTable(call, below.enter(child, writableBankOfTable(context, child, page)));
    return;
  }
  changes.checkOwed(page);
  const isFull = pages === level.pages && isFilled(call, below.level, done);
  const child = changes.makeTable(below.level.index, record, page, isFull);
  mapTable(call, below.enter(child, writableBankOfTable(context, child, page), true));
  if (!table.isNew) changes.noteEmpty(bank, entry, 1, record);
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
  { index, level, shift, pages }: LevelPlan,
  at: number,
): boolean {
  if (index === plan.last) return true;
  // The blocks of a linear range are all aligned or none is.
  return level.leaf !== null && shift <= maxLeafShift && isLinear(source) && isBlock(source, at, pages);
}

/**
 * Writes blocks over adjacent frames into the slots from one on, as many as are empty.
 *
 * An empty table in the first slot is replaced when this page table made it.
 *
 * @param at - pages of the call before the first block.
 * @param wanted - slots that should take a block.
 * @returns the number of blocks; 0 when a table with mappings is in the first slot, so the pages go into it.
 */
function writeBlocks(call: MapCall, table: TableVisit, slot: number, at: number, wanted: number): number {
  const { context, source, changes } = call;
  const { counters, records } = context;
  const { level, bank, record, isNew } = table;
  const entry = table.word + 2 * slot;
  // A protection that the format cannot express is refused before anything else.
  leavesOf(call, level);
  const occupant = isNew ? -1 : loopsOf(bank).firstLive(entry, wanted);
  const blocks = occupant < 0 ? wanted : occupant;
  if (blocks === 0) return replaceTable(call, table, slot, at);
  const linear = isLinear(source) ? source : { narrow: null, wide: null, start: frameAt(source, at) - at };
  if (changes.shared !== null) {
    const { plain } = leavesOf(call, level);
    const write = (): number => writeLeaves(call, table, slot, blocks, linear, at);
    const frames = { source: linear, done: at };
    const isWhole = changes.shared.claim(table, slot, blocks, 1, plain, frames, write, call) === WRITTEN;
    counters.entriesRead += blocks;
    if (isWhole || call.written > 0) return isWhole ? blocks : call.written;
    return replaceTable(call, table, slot, at);
  }
  if (!isNew) changes.noteEmpty(bank, entry, blocks, record);
  records?.add(record, blocks);
  writeLeaves(call, table, slot, blocks, linear, at);
  if (!isNew) counters.entriesRead += blocks;
  counters.entriesWritten += blocks;
  return blocks;
}

/**
 * Replaces an empty table with a block.
 *
 * @returns the number of blocks; 0 when the table must stay.
 */
function replaceTable(call: MapCall, table: TableVisit, slot: number, at: number): number {
  const { context, changes } = call;
  const { plan, counters } = context;
  const { level, bank, record } = table;
  const entry = table.word + 2 * slot;
  const lo = lowAt(bank, bank.words, entry);
  const hi = highAt(bank, bank.words, entry);
  counters.entriesRead++;
  // Another thread has cleared it just now.
  if ((lo | hi) === 0) return 0;
  if (!isTable(level, lo, hi)) throw occupied(call, level, bank, entry, at);
  const page = call.first + at;
  const empty = collectEmptyTables(context, level.index + 1, childPfn(context, lo, hi), page);
  if (empty === null) return 0;
  changes.needAlone();
  const { plain } = leavesOf(call, level);
  const frame = frameAt(call.source, at);
  const block = new Int32Array(2);
  block[0] = plain.lo | entryLo(plan.address, frame);
  block[1] = plain.hi | entryHi(plan.address, frame);
  changes.rewrite({ level, bank, at: entry, count: 1, record, page }, block);
  changes.widen(page, level.pages, plan.pageShift);
  for (const pfn of empty) changes.free(pfn);
  return 1;
}
