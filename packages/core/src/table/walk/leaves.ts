import type { LevelPlan, Plan } from '../../format/plan.js';
import type { EntryWords } from '../../loops/run-loops.js';
import { joinWords } from '../../words.js';
import { addressOf, type PageRange } from '../page-range.js';
import { destroyed, type TableContext, type TablePlace } from '../state/context.js';
import { childPfn, isLeaf, isTable } from '../state/entries.js';
import { leafStart } from '../state/leaf-start.js';
import { bankOf, noBytes } from '../state/table-banks.js';
import { type MetTable, MetTables } from './met-tables.js';
import { tableEntries } from './read-entry.js';
import type { EffectiveRights, Rights, TablePath } from './rights.js';
import { isShared } from './shared-walk.js';

/** Adjacent leaves of one size and equal flags, whose addresses and frames both step by that size. */
export interface LeafRun {
  /** First address, in bytes. */
  readonly va: bigint;
  /** Number of leaves. */
  readonly count: number;
  /** log2 of the size of one leaf in bytes, as its level says. A contiguous run is `count` such leaves. */
  readonly leafShift: number;
  /** Index into `format.levels`. */
  readonly level: number;
  /** First frame, in base pages. */
  readonly pfn: number;
  /** Physical address of the first byte. */
  readonly pa: bigint;
  /** The entry without its address field; `format.decode` reads it. */
  readonly flags: bigint;
}

/** A run of leaves for which all levels together allow the same. */
export interface EffectiveRun extends LeafRun {
  readonly rights: Rights;
}

/** An entry that points to a table whose contents are not listed. */
export interface UnlistedTable {
  /** Tells it from a run. */
  readonly rights: null;
  /** Level of the table. */
  readonly level: number;
  /** Index of the first page that it translates. */
  readonly page: number;
  /** Slot of its entry in the table above. */
  readonly slot: number;
  readonly pfn: number;
  readonly lo: number;
  readonly hi: number;
  /** Where it was listed; `null` for a table without bytes. */
  readonly met: MetTable | null;
  /** The table entries on the way to it; `null` when rights are not wanted. */
  readonly path: TablePath | null;
}

/** Adjacent entries of one level. The next one may still join. */
export interface EntryRun {
  readonly level: LevelPlan;
  /** Index of the first page that they cover. */
  readonly page: number;
  count: number;
}

/** A run of leaves, in plain numbers. */
export interface OpenRun extends EntryRun {
  /** First frame, in base pages. */
  readonly pfn: number;
  /** The entries' bits without the address. */
  readonly flagsLo: number;
  readonly flagsHi: number;
}

/** A run whose rights are known. */
interface JudgedRun extends OpenRun {
  readonly rights: Rights | null;
  /** The table path of the last leaf. */
  path: TablePath | null;
}

/** A table on the way down, and how far it has been read. */
interface Frame {
  readonly bank: EntryWords;
  readonly word: number;
  /** Index of the first page that the table translates. */
  readonly page: number;
  /** `null` when rights are not wanted. */
  readonly path: TablePath | null;
  /** Its place among the tables that the list has met; `null` when it is not kept. */
  readonly met: MetTable | null;
  slot: number;
  /** True while nothing below it is an item of the list. */
  isEmpty: boolean;
}

/**
 * Lists the leaves of a range in address order. A table is read once for each entry that points to it. One
 * without leaves is read once for each level, so tables that point to themselves cost no more.
 *
 * A leaf that lies only partly in the range is listed whole. Entries that the MMU ignores or refuses are
 * skipped.
 *
 * @throws VmError `EFAULT`, while iterating, when a table has no bytes.
 */
export function leafRuns(context: TableContext, range: PageRange): Generator<LeafRun, void, undefined> {
  return runs(context, range, null, true, false) as Generator<LeafRun, void, undefined>;
}

/**
 * Lists the leaves of a range as `leafRuns` does, but a table without bytes is an item of the list.
 *
 * @param isOnce - a table that was listed whole is an item of the list when it is met again.
 */
export function knownRuns(
  context: TableContext,
  range: PageRange,
  isOnce: boolean,
): Generator<LeafRun | UnlistedTable, void, undefined> {
  return runs(context, range, null, false, isOnce);
}

/**
 * Lists the leaves of a range, with three differences to `leafRuns`. A run ends where all levels together
 * allow something else. A table without bytes is an item of the list. So is a table that was listed whole
 * before, below entries of the same flags.
 *
 * The format is asked once for each different leaf below each different path of table entries.
 */
export function effectiveRuns(
  context: TableContext,
  range: PageRange,
  rights: EffectiveRights,
): Generator<EffectiveRun | UnlistedTable, void, undefined> {
  return runs(context, range, rights, false, true) as Generator<
    EffectiveRun | UnlistedTable,
    void,
    undefined
  >;
}

function* runs(
  context: TableContext,
  range: PageRange,
  rights: EffectiveRights | null,
  isStrict: boolean,
  isOnce: boolean,
): Generator<LeafRun | EffectiveRun | UnlistedTable, void, undefined> {
  const { plan, counters, root } = context;
  const end = range.first + range.pages;
  const rootPath = rights === null ? null : rights.root;
  let { first } = range;
  let { generation } = context;
  let tables = new MetTables();
  let open: JudgedRun | null = null;
  const stack: Frame[] = [enter(plan.levels[0] as LevelPlan, root, 0, rootPath, null, first, end)];
  counters.tablesRead++;

  while (stack.length > 0) {
    if (context.isDestroyed) throw destroyed();
    const level = plan.levels[stack.length - 1] as LevelPlan;
    const top = stack[stack.length - 1] as Frame;
    const { slot } = top;
    const page = top.page + slot * level.pages;
    if (slot === level.entries || page >= end) {
      stack.pop();
      if (top.met !== null) top.met.isEmpty = top.isEmpty;
      const above = stack[stack.length - 1];
      if (above !== undefined && !top.isEmpty) above.isEmpty = false;
      continue;
    }
    top.slot++;
    counters.entriesRead++;
    // Taken afresh: between two runs the caller may have grown a WebAssembly.Memory.
    const { words } = top.bank;
    const lo = words[top.word + 2 * slot] as number;
    const hi = words[top.word + 2 * slot + 1] as number;
    if ((lo | hi) === 0) continue;
    if (isTable(level, lo, hi)) {
      const pfn = childPfn(context, lo, hi);
      const path = top.path === null ? null : top.path.enter(lo, hi);
      const below = plan.levels[level.index + 1] as LevelPlan;
      const isWhole = page >= first && page + level.pages <= end;
      const earlier = isWhole ? tables.find(below.index, pfn, path) : null;
      if (earlier?.isEmpty === true) continue;
      const bank = bankOf(context, pfn);
      if (bank === null || (isOnce && earlier !== null)) {
        if (open !== null) yield close(context, open);
        open = null;
        if (bank === null && isStrict) throw noBytes(context, pfn, page);
        yield { rights: null, level: below.index, page, slot, pfn, lo, hi, met: earlier, path };
        top.isEmpty = false;
        if (context.generation !== generation && isShared(context)) {
          generation = context.generation;
          first = page + level.pages;
          tables = new MetTables();
          beginAgain(stack, context, rootPath, first, end);
        }
        continue;
      }
      const met = isWhole && earlier === null ? tables.add(below.index, pfn, path, page) : null;
      const word = bank.wordOf(pfn, plan.pageShift);
      stack.push(enter(below, { bank, word }, page, path, met, first, end));
      counters.tablesRead++;
      continue;
    }
    if (!isLeaf(level, lo, hi)) continue;
    top.isEmpty = false;
    const flagsLo = lo & ~level.leafAddressLo;
    const flagsHi = hi & ~level.leafAddressHi;
    const pfn = leafStart(plan, level, lo, hi, slot);
    if (
      open !== null &&
      isSameRun(open, level, pfn, flagsLo, flagsHi) &&
      isNext(plan, open, page) &&
      (top.path === open.path || isAllowedAlike(rights, open, top.path, lo, hi))
    ) {
      open.count++;
      continue;
    }
    const { path } = top;
    if (open !== null) {
      yield close(context, open);
      if (context.generation !== generation && isShared(context)) {
        generation = context.generation;
        first = page + level.pages;
        tables = new MetTables();
        beginAgain(stack, context, rootPath, first, end);
      }
    }
    const allowed: Rights | null = rights === null || path === null ? null : rights.of(path, level, lo, hi);
    open = { level, page, pfn, flagsLo, flagsHi, rights: allowed, path, count: 1 };
  }
  if (open !== null) yield close(context, open);
}

/**
 * Begins at the root again. On shared memory, between two items, this thread may have been between two calls: then
 * other threads may use the frames of the tables on the way.
 */
function beginAgain(
  stack: Frame[],
  { plan, root, counters }: TableContext,
  path: TablePath | null,
  first: number,
  end: number,
): void {
  stack.length = 0;
  stack.push(enter(plan.levels[0] as LevelPlan, root, 0, path, null, first, end));
  counters.tablesRead++;
}

/** Asks for the rights once per table. Later leaves of that table then have the run's own path. */
function isAllowedAlike(
  rights: EffectiveRights | null,
  run: JudgedRun,
  path: TablePath | null,
  lo: number,
  hi: number,
): boolean {
  if (rights === null || path === null || rights.of(path, run.level, lo, hi) !== run.rights) return false;
  run.path = path;
  return true;
}

function enter(
  level: LevelPlan,
  { bank, word }: Pick<TablePlace, 'bank' | 'word'>,
  page: number,
  path: TablePath | null,
  met: MetTable | null,
  first: number,
  end: number,
): Frame {
  const slot = Math.max(0, Math.floor((first - page) / level.pages));
  if (bank.atomic === null) return { bank, word, page, path, met, slot, isEmpty: true };
  const last = Math.min(level.entries, Math.ceil((end - page) / level.pages));
  const copy = tableEntries(bank, word, slot, last);
  // To spread the copy into the frame took 50 µs.
  return { bank: copy.bank, word: copy.word, page, path, met, slot, isEmpty: true };
}

function close({ plan }: TableContext, run: JudgedRun): LeafRun {
  const leaves = leafRun(plan, run);
  return run.rights === null ? leaves : Object.assign(leaves, { rights: run.rights });
}

/**
 * True when a page directly follows a run and no hole is between. (The two halves of a range are adjacent by
 * index alone.)
 */
export function isNext({ format, pages }: Plan, { level, page, count }: EntryRun, at: number): boolean {
  return at === page + count * level.pages && (2 * at !== pages || format.range.upper !== 'sign');
}

/** True when a leaf continues a run by its level, flags and frame. `isNext` tells about its page. */
export function isSameRun(
  run: OpenRun,
  level: LevelPlan,
  pfn: number,
  flagsLo: number,
  flagsHi: number,
): boolean {
  return (
    run.level === level &&
    run.flagsLo === flagsLo &&
    run.flagsHi === flagsHi &&
    pfn === run.pfn + run.count * run.level.pages
  );
}

/** A run as callers see it. */
export function leafRun(
  { format, pageShift }: Plan,
  { level, page, pfn, flagsLo, flagsHi, count }: OpenRun,
): LeafRun {
  return {
    va: addressOf(format, page),
    count,
    leafShift: level.shift,
    level: level.index,
    pfn,
    pa: BigInt(pfn) << BigInt(pageShift),
    flags: joinWords(flagsLo, flagsHi),
  };
}
