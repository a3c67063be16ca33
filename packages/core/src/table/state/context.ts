import type { EntryTemplate } from '../../entry-template.js';
import { VmError } from '../../errors.js';
import type { Controls } from '../../format/access.js';
import type { Plan } from '../../format/plan.js';
import type { Bank } from '../../memory/bank.js';
import type { FrameAllocator } from '../../memory/frames/frame-allocator.js';
import type { PhysicalMemory } from '../../memory/physical-memory.js';
import type { PageRange } from '../page-range.js';
import { type Counters, newCounters } from './counters.js';
import type { FlushSink } from './flush-sink.js';
import type { TableRecords } from './table-records.js';
import { TableVisit } from './table-visit.js';

/** One table: its frame, and where its entries are. */
export interface TablePlace {
  readonly pfn: number;
  readonly bank: Bank;
  /** Index in `bank.words` of the first entry's low word. */
  readonly word: number;
}

/** Something that can owe a flush: a batch. */
export interface OwesFlush {
  /** True when it owes a flush for a page of the range. */
  touches(range: PageRange): boolean;
  /** True when a table in this frame waits for the flush. */
  awaits(pfn: number): boolean;
}

const NO_PLACE: TablePlace = Object.freeze({ pfn: -1, bank: null as unknown as Bank, word: -1 });

/**
 * How calls on page tables run that several threads share. `PageTable` imports no implementation: a program
 * without threads carries none.
 */
export interface SharedTables {
  /** Takes in a page table of this thread: flushes of other threads reach its sink from now on. */
  attach(context: TableContext): void;
  /**
   * Runs a call that changes entries: with others, or alone. A call with others that finds out that it must be
   * alone has undone everything; it then runs again, alone.
   */
  run<R>(context: TableContext, isAlone: boolean, call: () => R): R;
  /**
   * Notes that tables are out of the tree, and wait for a flush: when the thread dies, a recovery frees them.
   */
  hold(context: TableContext, pfns: readonly number[], order: number): void;
  /** Gives frames of tables back once no thread can hold them. They are out of the tree. */
  retire(context: TableContext, pfns: readonly number[], order: number): void;
  /** @throws VmError `EBUSY` while other threads are attached. */
  requireAlone(): void;
  /** Asks the other threads for a flush of this root. This thread's sink has made its own. */
  post(
    context: TableContext,
    page: number,
    pages: number,
    leafShift: number,
    tables: readonly number[],
  ): void;
}

/**
 * The state that every operation of one page table works with.
 *
 * It is a class so that all contexts have one hidden class. Spread literals gave each table a class of its
 * own, and V8 dropped its optimised code with every new table.
 */
export class TableContext {
  readonly plan: Plan;
  /** Entries that point to the tables that it makes. */
  readonly link: EntryTemplate;
  readonly memory: PhysicalMemory;
  /** Where tables come from; `null` for a table that is only read. */
  readonly frames: FrameAllocator | null;
  /** `null` exactly when `frames` is. */
  readonly records: TableRecords | null;
  /** Owner of this page table's tables, in `records`. Only tables with this number are ever freed. */
  readonly owner: number;
  sink: FlushSink | null;
  /** Complete processor modes, for walks that are given none. */
  readonly controls: Controls;
  readonly #counters: Counters = newCounters();
  /** What counts work by itself until somebody asks; `null` for nothing. */
  unsettled: { settle(counters: Counters): void } | null = null;
  /** Set once, right after construction: making a root needs the rest of the context. */
  root: TablePlace = NO_PLACE;
  /**
   * Not 0 where a call of a single page must take the general way: bit 0 while a call changes the tables, bit 1 after `destroy`, bit 2 while a
   * batch owes a flush. One number, since each such call asks.
   */
  busy = 0;
  /**
   * Counts the calls that may have changed which tables there are. What was read of upper levels before is
   * then stale.
   */
  generation = 0;
  /** Batches that owe a flush: `owe` and `settle` change it. */
  readonly #owed: Set<OwesFlush> = new Set();
  /** Batches that were made for it. */
  readonly batches: WeakSet<object> = new WeakSet();
  /** How its calls run when threads share it; `null` when only one thread uses it. */
  sharing: SharedTables | null = null;
  /** Another thread may have it, too. */
  isSharedOut = false;
  /** Address-space id for flushes. */
  asid = 0;
  /** The visit to the root, made by the first call that changes the tables. */
  visit: TableVisit | null = null;

  constructor(
    plan: Plan,
    link: EntryTemplate,
    memory: PhysicalMemory,
    frames: FrameAllocator | null,
    records: TableRecords | null,
    sink: FlushSink | null,
    controls: Controls,
    owner: number | null = null,
  ) {
    this.plan = plan;
    this.link = link;
    this.memory = memory;
    this.frames = frames;
    this.records = records;
    this.owner = owner ?? this.records?.newOwner() ?? 0;
    this.sink = sink;
    this.controls = controls;
  }

  /** Exact work of the calls so far. */
  get counters(): Counters {
    this.unsettled?.settle(this.#counters);
    return this.#counters;
  }

  /** True while a call changes the tables. Its flush sink or callback must not start another call. */
  get isChanging(): boolean {
    return (this.busy & 1) !== 0;
  }

  set isChanging(is: boolean) {
    this.busy = is ? this.busy | 1 : this.busy & ~1;
  }

  get isDestroyed(): boolean {
    return (this.busy & 2) !== 0;
  }

  set isDestroyed(is: boolean) {
    this.busy = is ? this.busy | 2 : this.busy & ~2;
  }

  /** Batches that owe a flush. */
  get owed(): ReadonlySet<OwesFlush> {
    return this.#owed;
  }

  /** A batch begins to owe a flush. */
  owe(batch: OwesFlush): void {
    this.#owed.add(batch);
    this.busy |= 4;
  }

  /** A batch owes nothing any more. */
  settle(batch: OwesFlush): void {
    this.#owed.delete(batch);
    if (this.#owed.size === 0) this.busy &= ~4;
  }
}

/**
 * The visit to the root, for a call that changes the tables. Such calls exclude each other, so they share the
 * visits: to make new ones took a tenth of a call for a few pages.
 */
export function visitRoot(context: TableContext, range: PageRange): TableVisit {
  context.visit ??= new TableVisit(context, 0);
  return context.visit.toRoot(range);
}

/** The error of any call on a destroyed table. */
export function destroyed(): VmError {
  return new VmError('EINVAL', 'this page table was destroyed');
}

/** The error of a change to a table that is only read. */
export function readOnly(): VmError {
  return new VmError('EPERM', 'this page table is read-only', {
    advice: 'make a PageTable over memory that can be written',
  });
}

/** The error of a call on a page table that a restore removed. */
export function gone(): VmError {
  return new VmError('EINVAL', 'this page table was made after the snapshot that was restored', {
    advice: 'make or open a new one',
  });
}
