import { VmError } from '../errors.js';
import { addressHi, addressLo, pfnOf } from '../format/address-codec.js';
import { type LevelPlan, meets, type Plan } from '../format/plan.js';
import type { Bank } from '../memory/bank.js';
import type { FrameAllocator } from '../memory/frame-allocator.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { type Counters, newCounters } from './counters.js';
import type { FlushSink } from './flush.js';
import { addressOf } from './page-range.js';
import { TableRecords } from './table-records.js';

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
  readonly sink: FlushSink | null;
  readonly counters: Counters = newCounters();
  /** Set once, right after construction: making a root needs the rest of the context. */
  root: TablePlace = NO_PLACE;

  constructor(plan: Plan, memory: PhysicalMemory, frames: FrameAllocator | null, sink: FlushSink | null) {
    this.plan = plan;
    this.memory = memory;
    this.frames = frames;
    this.records = frames === null ? null : TableRecords.of(frames);
    this.sink = sink;
  }
}

/** One table: its frame and where its entries stand. */
export interface TablePlace {
  readonly pfn: number;
  readonly bank: Bank;
  /** Index in `bank.words` of the first entry's low word. */
  readonly word: number;
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

/**
 * The bank that holds a table.
 *
 * @param page - index of the first page that the table translates, for the message.
 * @throws VmError `EFAULT` when the memory has no bytes there.
 */
export function bankOfTable(context: TableContext, pfn: number, page: number): Bank {
  const bank = context.memory.bankOf(pfn, context.plan.pageShift);
  if (bank === null) {
    const { format, pageShift } = context.plan;
    const pa = (BigInt(pfn) << BigInt(pageShift)).toString(16);
    throw new VmError('EFAULT', `the table at physical 0x${pa} has no bytes`, {
      address: addressOf(format, page),
    });
  }
  return bank;
}

/**
 * Takes a frame for a new table, zeroes it and starts its record.
 *
 * @param order - log2 of the adjacent frames; above 0 only for a large root.
 * @throws VmError `ENOMEM` when the allocator has none; `EPERM` when the table is only read.
 */
export function newTable(context: TableContext, level: number, order: number): number {
  const { frames, records, plan, counters } = context;
  if (frames === null || records === null) throw readOnly();
  const pfn = frames.tryAllocate(order);
  if (pfn < 0) {
    throw new VmError('ENOMEM', `no frame for a ${plan.levels[level]?.level.name} table`, {
      advice: 'give the allocator more frames with bytes, or unmap and reclaim',
    });
  }
  const bank = bankOfTable(context, pfn, 0);
  const word = bank.wordOf(pfn, plan.pageShift);
  bank.words.fill(0, word, word + plan.pageWords * 2 ** order);
  records.enter(pfn, level);
  counters.tablesAllocated++;
  return pfn;
}

/** Gives a table's frame back. The caller has flushed. */
export function freeTable(context: TableContext, pfn: number, order: number): void {
  context.records?.leave(pfn);
  context.frames?.free(pfn, order);
  context.counters.tablesFreed++;
}

/** Writes an entry that points to a table. */
export function writeTableEntry(context: TableContext, words: Int32Array, at: number, pfn: number): void {
  const { address, format } = context.plan;
  const low = pfn | 0;
  const high = Math.floor(pfn / 4294967296);
  words[at] = format.tableEntry.lo | addressLo(address, low, high);
  words[at + 1] = format.tableEntry.hi | addressHi(address, low, high);
  context.counters.entriesWritten++;
}

/**
 * Flushes a range of pages through the sink.
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
  context.counters.flushes++;
  context.sink?.flush(addressOf(format, first), BigInt(pages) << BigInt(pageShift), leafShift, tablesFreed);
}

/** The error of a change to a table that can only be read. */
export function readOnly(): VmError {
  return new VmError('EPERM', 'this page table is read-only', {
    advice: 'open it with `frames`, over memory that can be written',
  });
}
