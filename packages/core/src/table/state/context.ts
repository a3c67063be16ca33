import { entryHi, entryLo, pfnOf } from '../../address-codec.js';
import { VmError } from '../../errors.js';
import { type LevelPlan, meets, type Plan } from '../../format/plan.js';
import type { Bank } from '../../memory/bank.js';
import type { FrameAllocator } from '../../memory/frames/frame-allocator.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import { addressOf, type PageRange } from '../page-range.js';
import { type Counters, newCounters } from './counters.js';
import type { FlushSink } from './flush.js';
import { TableRecords } from './table-records.js';

/** One table: its frame and where its entries stand. */
export interface TablePlace {
  readonly pfn: number;
  readonly bank: Bank;
  /** Index in `bank.words` of the first entry's low word. */
  readonly word: number;
}

/** Something that owes a flush: a batch. */
export interface OwesFlush {
  /** True when a flush is owed for a page of the range. */
  touches(range: PageRange): boolean;
}

const NO_PLACE: TablePlace = Object.freeze({ pfn: -1, bank: null as unknown as Bank, word: -1 });

/**
 * What every operation of one page table works with.
 *
 * A class, so that all contexts have one hidden class: spread literals gave each table another one, and V8 threw
 * its optimised code away with every new table.
 */
export class TableContext {
  readonly plan: Plan;
  readonly memory: PhysicalMemory;
  /** Where tables come from; `null` for a table that is only read. */
  readonly frames: FrameAllocator | null;
  /** `null` exactly when `frames` is. */
  readonly records: TableRecords | null;
  /** Whose a table is, in `records`: of the tables that are in the tree, only those with this number are ever freed. */
  readonly owner: number;
  readonly sink: FlushSink | null;
  readonly counters: Counters = newCounters();
  /** Set once, right after construction: making a root needs the rest of the context. */
  root: TablePlace = NO_PLACE;
  /** True while a call changes the tables: its flush sink or callback must not start another. */
  isChanging = false;
  /** Counts the calls that may have changed which tables there are: what was read of upper levels before holds no longer. */
  generation = 0;
  /** Batches that owe a flush. */
  readonly owed: Set<OwesFlush> = new Set();
  isDestroyed = false;

  constructor(plan: Plan, memory: PhysicalMemory, frames: FrameAllocator | null, sink: FlushSink | null) {
    this.plan = plan;
    this.memory = memory;
    this.frames = frames;
    this.records = frames === null ? null : TableRecords.of(frames);
    this.owner = this.records?.newOwner() ?? 0;
    this.sink = sink;
  }
}

/** True when an entry of a level points to a table. */
export function isTable(level: LevelPlan, lo: number, hi: number): boolean {
  return meets(level.table, lo, hi);
}

/** True when an entry of a level maps. */
export function isLeaf(level: LevelPlan, lo: number, hi: number): boolean {
  return meets(level.leaf, lo, hi);
}

/** The frame that a table entry points to. */
export function childPfn(context: TableContext, lo: number, hi: number): number {
  return pfnOf(context.plan.address, lo, hi);
}

/** The handle of a table's record; -1 for a table that no engine made, or when nothing is counted. */
export function recordOf({ records }: TableContext, pfn: number): number {
  return records === null ? -1 : records.find(pfn);
}

/** The bank that holds a frame: the root's is asked before the memory searches all of them. */
function bankOf({ root, memory, plan }: TableContext, pfn: number): Bank | null {
  if (root.pfn >= 0 && root.bank.wordOf(pfn, plan.pageShift) >= 0) return root.bank;
  return memory.bankOf(pfn, plan.pageShift);
}

/**
 * The bank that holds a table.
 *
 * @param page - index of the first page that the table translates, for the message.
 * @throws VmError `EFAULT` when the memory has no bytes there.
 */
export function bankOfTable(context: TableContext, pfn: number, page: number): Bank {
  const bank = bankOf(context, pfn);
  if (bank === null) {
    throw new VmError('EFAULT', `the table at ${physical(context, pfn)} has no bytes`, {
      address: addressOf(context.plan.format, page),
    });
  }
  return bank;
}

/**
 * The bank that holds a table that is about to be changed.
 *
 * @throws VmError `EFAULT` when the memory has no bytes there, `EPERM` when they are read-only.
 */
export function writableBankOfTable(context: TableContext, pfn: number, page: number): Bank {
  const bank = bankOfTable(context, pfn, page);
  if (!bank.writable) {
    throw new VmError('EPERM', `the table at ${physical(context, pfn)} is in read-only memory`, {
      address: addressOf(context.plan.format, page),
    });
  }
  return bank;
}

/** A frame's physical address for messages. */
function physical(context: TableContext, pfn: number): string {
  return `physical 0x${(BigInt(pfn) << BigInt(context.plan.pageShift)).toString(16)}`;
}

/**
 * Takes a frame for a new table, zeroes it and starts its record.
 *
 * A table belongs to the owner of the table above it: whoever destroys a tree frees all that engines put into it. Below
 * a table that no engine made, it belongs to this page table.
 *
 * @param parent - record of the table above; -1 for a root, or where there is none.
 * @param order - log2 of the adjacent frames; above 0 only for a large root.
 * @param page - index of the first page that the table translates, for the message.
 * @param isFilled - every entry is going to be written before anybody can see the table: it is not zeroed.
 * @throws VmError `ENOMEM` when the allocator has none; `EPERM` when the table is only read; `EINVAL` when a large root
 *   does not get adjacent bytes.
 */
export function newTable(
  context: TableContext,
  level: number,
  parent: number,
  order: number,
  page: number,
  isFilled: boolean = false,
): number {
  const { frames, records, plan, counters } = context;
  if (frames === null || records === null) throw readOnly();
  const pfn = frames.tryAllocate(order);
  if (pfn < 0) {
    throw new VmError('ENOMEM', `no frame for a ${plan.levels[level]?.level.name} table`, {
      ...(parent < 0 ? {} : { address: addressOf(plan.format, page) }),
      advice: 'give the allocator more frames with bytes, or unmap with `reclaim`',
    });
  }
  const bank = bankOf(context, pfn);
  const word = bank?.wordOf(pfn, plan.pageShift) ?? -1;
  const beyond = 2 ** order - 1;
  if (
    bank === null ||
    !bank.writable ||
    (beyond > 0 && bank.wordOf(pfn + beyond, plan.pageShift) !== word + beyond * plan.pageWords)
  ) {
    frames.free(pfn, order);
    throw new VmError(
      'EINVAL',
      `the frames at ${physical(context, pfn)} have no adjacent bytes that can be written`,
      {
        advice: 'give the allocator frames of one bank',
      },
    );
  }
  if (!isFilled) {
    bank.words.fill(0, word, word + plan.pageWords * 2 ** order);
    counters.tablesZeroed++;
  }
  records.enter(pfn, level, parent < 0 ? context.owner : records.ownerOf(parent));
  counters.tablesAllocated++;
  return pfn;
}

/**
 * Takes frames for several new tables of one parent and starts their records. They are not zeroed.
 *
 * @param parent - record of the table above; -1 where there is none.
 * @returns their frames, those that so many calls of `newTable` take; `null`, and nothing is done, when there are not
 *   enough, or when one has no bytes that can be written.
 */
export function newTables(
  context: TableContext,
  level: number,
  parent: number,
  count: number,
): Float64Array | null {
  const { frames, records, counters } = context;
  const pfns = frames?.tryAllocateMany(count) ?? null;
  if (frames === null || records === null || pfns === null) return null;
  for (let i = 0; i < count; i++) {
    if (bankOf(context, pfns[i] as number)?.writable === true) continue;
    frames.freeMany(pfns);
    return null;
  }
  const owner = parent < 0 ? context.owner : records.ownerOf(parent);
  for (let i = 0; i < count; i++) records.enter(pfns[i] as number, level, owner);
  counters.tablesAllocated += count;
  return pfns;
}

/** Gives the frames of tables back, all of them or, when one cannot be freed, none. The caller has flushed. */
export function freeTables(context: TableContext, pfns: readonly number[]): void {
  if (pfns.length === 0) return;
  context.frames?.freeMany(pfns);
  for (const pfn of pfns) context.records?.leave(pfn);
  context.counters.tablesFreed += pfns.length;
}

/**
 * Gives the frames of tables back after their flush, whatever a sink has done to them.
 *
 * @throws VmError `EINVAL` when somebody else freed one of them meanwhile; the others are free.
 */
export function freeHeldTables(context: TableContext, pfns: readonly number[]): void {
  const held = pfns.filter((pfn) => context.frames?.isAllocated(pfn) === true);
  freeTables(context, held);
  if (held.length === pfns.length) return;
  const lost = pfns.filter((pfn) => !held.includes(pfn));
  for (const pfn of lost) context.records?.leave(pfn);
  throw freedByOthers(lost[0] as number);
}

/**
 * True when this page table made the table, for this level, and every entry of it is 0.
 *
 * A count above 0 is believed without a scan: entries that somebody else cleared only keep a table from being
 * reclaimed.
 */
export function isOwnAndEmpty(context: TableContext, pfn: number, level: number, page: number): boolean {
  const { records, owner, plan, counters } = context;
  const record = recordOf(context, pfn);
  if (records === null || !records.isOwn(record, owner, level) || records.live(record) > 0) return false;
  const { entries } = plan.levels[level] as LevelPlan;
  const bank = bankOfTable(context, pfn, page);
  const live = bank.loops.firstLive(bank.wordOf(pfn, plan.pageShift), entries);
  counters.entriesRead += live < 0 ? entries : live + 1;
  return live < 0;
}

/** Writes an entry that points to a table; the caller counts it. */
export function writeTableEntry(context: TableContext, words: Int32Array, at: number, pfn: number): void {
  const { address, format } = context.plan;
  words[at] = format.tableEntry.lo | entryLo(address, pfn);
  words[at + 1] = format.tableEntry.hi | entryHi(address, pfn);
}

/**
 * Flushes a range of pages through the sink: in two calls where it crosses the hole between canonical halves.
 *
 * @param first - page index.
 * @param pages - number of pages.
 */
export function flush(
  context: TableContext,
  first: number,
  pages: number,
  leafShift: number,
  tablesFreed: readonly number[],
): void {
  const { format, pageShift } = context.plan;
  const half = context.plan.pages / 2;
  if (format.range.upper === 'sign' && first < half && first + pages > half) {
    flush(context, first, half - first, leafShift, tablesFreed);
    flush(context, half, first + pages - half, leafShift, tablesFreed);
    return;
  }
  context.counters.flushes++;
  context.sink?.flush(addressOf(format, first), BigInt(pages) << BigInt(pageShift), leafShift, tablesFreed);
}

/** True when the MMU looks at an entry at all. */
export function isPresent(context: TableContext, lo: number, hi: number): boolean {
  const { mask, value } = context.plan.format.present;
  return (((lo & mask.lo) ^ value.lo) | ((hi & mask.hi) ^ value.hi)) === 0;
}

/**
 * Refuses to make a page valid for which a flush is owed: what was taken away there could still be served.
 *
 * @throws VmError `EBUSY` while a batch owes a flush for a page of the range.
 */
export function refuseOwed(context: TableContext, range: PageRange): void {
  if (context.owed.size === 0) return;
  for (const batch of context.owed) {
    if (batch.touches(range)) {
      throw new VmError('EBUSY', 'a batch owes a flush for this range', {
        address: addressOf(context.plan.format, range.first),
        advice: 'call done() of the batch first',
      });
    }
  }
}

/** The error of a table whose frame the allocator does not hold any more. */
export function freedByOthers(pfn: number): VmError {
  return new VmError(
    'EINVAL',
    `the table in frame 0x${pfn.toString(16)} was freed behind this page table's back`,
  );
}

/** The error of any call on a table that was destroyed. */
export function destroyed(): VmError {
  return new VmError('EINVAL', 'this page table was destroyed');
}

/** The error of a change to a table that can only be read. */
export function readOnly(): VmError {
  return new VmError('EPERM', 'this page table is read-only', {
    advice: 'open it with `frames`, over memory that can be written',
  });
}
