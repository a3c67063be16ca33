import type { LevelPlan, Plan } from '../../format/plan.js';
import type { EntryWords } from '../../loops/run-loops.js';
import type { PageRange } from '../page-range.js';
import { destroyed, type TableContext, type TablePlace } from '../state/context.js';
import { childPfn, isLeaf, isTable } from '../state/entries.js';
import { leafStart } from '../state/leaf-start.js';
import { bankOf } from '../state/table-banks.js';
import type { MetTable, MetTables } from './met-tables.js';
import { tableEntries } from './read-entry.js';
import type { EffectiveRights, JudgedLeaf, TablePath } from './rights.js';
import { isShared } from './shared-walk.js';
import { rootAddress } from './walk.js';

/** An entry that points to a table whose contents are not listed. */
export interface UnlistedTable {
  /** Level of the table. */
  readonly level: number;
  /** Index of the first page that it translates. */
  readonly page: number;
  /** Slot of its entry in the table above. */
  readonly slot: number;
  /** Physical address of the table above. */
  readonly above: bigint;
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

/** A run with what the format says of it. */
export interface JudgedRun extends OpenRun {
  /** `null` when rights are not wanted. */
  readonly judged: JudgedLeaf | null;
  /** The table path of the last leaf. */
  path: TablePath | null;
}

/** What becomes of the items of a list. */
export interface ListFace<T> {
  run(run: JudgedRun): T;
  table(table: UnlistedTable): T;
}

/** Which leaves a list has. */
export interface WantedLeaves {
  /** True for a leaf that maps one of some frames. */
  touch(pfn: number, pages: number): boolean;
}

/** What a list is made of. */
export interface Listing<T> {
  readonly face: ListFace<T>;
  /** Runs end where all levels together allow something else. `null`: the flags of leaves alone count. */
  readonly rights: EffectiveRights | null;
  /** The tables that it has met, and what may be read again. */
  readonly tables: MetTables;
  /** `null` for all leaves. */
  readonly wanted: WantedLeaves | null;
}

/** A table on the way down, and how far it has been read. */
interface Frame {
  readonly bank: EntryWords;
  readonly word: number;
  /** Frame of the table. */
  readonly pfn: number;
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
 * Lists the leaves of a range in address order. A leaf that lies only partly in the range is listed whole. Entries
 * that the MMU ignores or refuses are skipped.
 *
 * A table without bytes is an item of the list. A table that was read before is read again only as far as
 * `MetTables` allows; else it is an item, too, unless nothing below it was one.
 */
export function* items<T>(
  context: TableContext,
  range: PageRange,
  { face, rights, tables, wanted }: Listing<T>,
): Generator<T, void, undefined> {
  const { plan, counters, root } = context;
  const end = range.first + range.pages;
  const rootPath = rights === null ? null : rights.root;
  let { first } = range;
  let { generation } = context;
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
      if (bank === null || (earlier !== null && !tables.spend(earlier, path, below.entries))) {
        if (open !== null) yield face.run(open);
        open = null;
        const above = tableAddress(context, stack.length - 1, top.pfn);
        yield face.table({ level: below.index, page, slot, above, pfn, lo, hi, met: earlier, path });
        top.isEmpty = false;
        if (context.generation !== generation && isShared(context)) {
          generation = context.generation;
          first = page + level.pages;
          tables.forget();
          beginAgain(stack, context, rootPath, first, end);
        }
        continue;
      }
      const isNew = earlier === null || earlier.path !== path;
      const met = isWhole && isNew ? tables.add(below.index, pfn, path, page) : null;
      const word = bank.wordOf(pfn, plan.pageShift);
      stack.push(enter(below, { bank, word, pfn }, page, path, met, first, end));
      counters.tablesRead++;
      continue;
    }
    if (!isLeaf(level, lo, hi)) continue;
    const pfn = leafStart(plan, level, lo, hi, slot);
    if (wanted !== null && !wanted.touch(pfn, level.pages)) continue;
    top.isEmpty = false;
    const flagsLo = lo & ~level.leafAddressLo;
    const flagsHi = hi & ~level.leafAddressHi;
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
      yield face.run(open);
      if (context.generation !== generation && isShared(context)) {
        generation = context.generation;
        first = page + level.pages;
        tables.forget();
        beginAgain(stack, context, rootPath, first, end);
      }
    }
    const judged: JudgedLeaf | null =
      rights === null || path === null ? null : rights.of(path, level, lo, hi);
    open = { level, page, pfn, flagsLo, flagsHi, judged, path, count: 1 };
  }
  if (open !== null) yield face.run(open);
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
  if (rights === null || path === null) return false;
  if (rights.of(path, run.level, lo, hi).rights !== run.judged?.rights) return false;
  run.path = path;
  return true;
}

function enter(
  level: LevelPlan,
  { bank, word, pfn }: TablePlace,
  page: number,
  path: TablePath | null,
  met: MetTable | null,
  first: number,
  end: number,
): Frame {
  const slot = Math.max(0, Math.floor((first - page) / level.pages));
  if (bank.atomic === null) return { bank, word, pfn, page, path, met, slot, isEmpty: true };
  const last = Math.min(level.entries, Math.ceil((end - page) / level.pages));
  const copy = tableEntries(bank, word, slot, last);
  // To spread the copy into the frame took 50 µs.
  return { bank: copy.bank, word: copy.word, pfn, page, path, met, slot, isEmpty: true };
}

/** Physical address of a table at a level. Only a root may start inside its frame. */
function tableAddress(context: TableContext, level: number, pfn: number): bigint {
  return level === 0 ? rootAddress(context) : BigInt(pfn) << BigInt(context.plan.pageShift);
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
