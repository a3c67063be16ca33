import type { LevelPlan } from '../../../format/plan.js';
import type { Bank } from '../../../memory/bank.js';
import type { PageRange } from '../../page-range.js';
import type { TableContext } from '../../state/context.js';
import { writeTableEntry } from '../../state/entries.js';
import { flush, refuseOwed } from '../../state/flush.js';
import type { OwedFlushes } from '../../state/flush-batch.js';
import { freedByOthers, freeHeldTables, freeTables, newTable, newTables } from '../../state/tables.js';
import { type Link, partOf, type Span } from '../look/span.js';
import { compare } from './compare.js';
import { UndoLog } from './undo-log.js';

/** A run with entries that are invalid until the flush has been made. */
interface Broken {
  readonly bank: Bank;
  readonly at: number;
  /** The run's words until then: 0 where an entry is broken. */
  readonly during: Int32Array;
  readonly after: Int32Array;
}

/**
 * What one call changes, in the order that the architecture demands, so that a failing call leaves everything as it was.
 *
 * The way of a call: entries are written, or made invalid where the format demands a break; then `commit` flushes the
 * hull of what was taken away, once; then the broken entries get their new values; then the frames of the tables that
 * went are given back. `rollBack` undoes all of it up to the flush.
 *
 * Entries of a table that the call made are not noted: the table goes back whole.
 */
export class ChangeSet {
  readonly #context: TableContext;
  readonly #log = new UndoLog();
  readonly #broken: Broken[] = [];
  /** Tables that the call made. */
  readonly #made: number[] = [];
  /** Tables that the call took out of the tree. */
  readonly #gone = new Set<number>();
  /** Records of the tables that were cleared whole. */
  readonly #cleared = new Set<number>();
  /** What the tables translated that were taken out. */
  readonly #unlinked: PageRange[] = [];
  /** The pages to be flushed, empty while `#to` is below 0, and log2 of the smallest leaf among them. */
  #from = Number.POSITIVE_INFINITY;
  #to = -1;
  #leafShift = 64;
  /** True when all is written and flushed. */
  #isMade = false;

  constructor(context: TableContext) {
    this.#context = context;
  }

  /**
   * Makes a table, which goes back when the call fails.
   *
   * @param isFilled - the call writes every entry before it links the table: it need not be zeroed.
   */
  makeTable(level: number, parentRecord: number, page: number, isFilled: boolean = false): number {
    const pfn = newTable(this.#context, level, parentRecord, 0, page, isFilled);
    this.#made.push(pfn);
    return pfn;
  }

  /** Makes a table and links it into an empty slot. */
  linkTable(level: LevelPlan, bank: Bank, at: number, record: number, page: number): number {
    this.checkOwed(page);
    const pfn = this.makeTable(level.index + 1, record, page);
    this.noteEmpty(bank, at, 1, record);
    this.writeLink(bank, at, record, pfn);
    return pfn;
  }

  /** Refuses to link a table for a page for which a flush is owed. */
  checkOwed(page: number): void {
    if (this.#context.owed.size > 0) refuseOwed(this.#context, { first: page, pages: 1 });
  }

  /** Links a table into an empty slot that was noted, or whose table the call made. */
  writeLink(bank: Bank, at: number, record: number, pfn: number): void {
    const { counters, records } = this.#context;
    writeTableEntry(this.#context, bank.words, at, pfn);
    counters.entriesWritten++;
    records?.add(record, 1);
  }

  /**
   * Makes several tables that the call fills before it links them: they are not zeroed.
   *
   * @returns their frames; `null`, and nothing is done, when there are not enough.
   */
  makeTables(level: number, parentRecord: number, count: number): Float64Array | null {
    const made = newTables(this.#context, level, parentRecord, count);
    if (made !== null) for (let i = 0; i < count; i++) this.#made.push(made[i] as number);
    return made;
  }

  /** Links tables into adjacent empty slots that were noted, or whose table the call made. */
  writeLinks(bank: Bank, at: number, record: number, made: Float64Array): void {
    const { plan, counters, records } = this.#context;
    const { tableEntry } = plan.format;
    const source = { narrow: null, wide: made, start: 0 };
    const { lo, hi } = tableEntry;
    // It refuses none: a page table's allocator has no frame that does not fit (`checkFrames` in open.ts).
    bank.loops.writeFrames(at, made.length, source, 0, lo, hi, plan.address, plan.pfnLimit, true);
    counters.entriesWritten += made.length;
    records?.add(record, made.length);
  }

  /**
   * Notes a run of entries that are all 0 before they are written, in tables that the call did not make.
   *
   * @param tables - how many tables that follow each other the entries fill; 1 for one, or a part of one.
   */
  noteEmpty(bank: Bank, at: number, count: number, record: number, tables: number = 1): void {
    this.#log.noteEmpty(bank, at, count, record, tables);
  }

  /**
   * Clears a run of entries.
   *
   * @param keepsOld - false when nothing can fail from here on: the old entries need not be kept.
   */
  clear(span: Span, keepsOld: boolean): void {
    const { level, bank, at, count, record, page } = span;
    const { counters, records } = this.#context;
    const tables = count / level.entries;
    if (tables > 1) {
      if (!keepsOld && this.#clearCounted(span, tables)) return;
      for (let i = 0; i < tables; i++) this.clear(partOf(span, i * level.entries, level.entries), keepsOld);
      return;
    }
    const saved = keepsOld ? this.#log.copyOf(bank.words, at, count) : null;
    // A whole table is cleared by its count, without a look. Only a count of 0 needs proof.
    const counted = record >= 0 && count === level.entries ? (records?.live(record) ?? 0) : 0;
    let live = counted;
    if (counted > 0) {
      bank.loops.erase(at, count);
    } else {
      live = bank.loops.clear(at, count);
      counters.entriesRead += count;
    }
    if (count === level.entries) this.#cleared.add(record);
    if (live === 0) return;
    if (saved !== null) this.#log.noteWords(bank, at, count, record, -live, saved);
    counters.entriesWritten += live;
    records?.add(record, -live);
    this.widen(page, count * level.pages, level.shift);
  }

  /** Clears whole tables that follow each other at once, when all of them are counted as in use. */
  #clearCounted({ level, bank, at, count, record, page }: Span, tables: number): boolean {
    const { counters, records } = this.#context;
    const live = records === null || record < 0 ? 0 : records.takeLive(record, tables);
    if (live === 0) return false;
    bank.loops.erase(at, count);
    counters.entriesWritten += live;
    this.widen(page, count * level.pages, level.shift);
    return true;
  }

  /**
   * Gives a run of entries new words; those that stay the same are not written.
   *
   * Entries that the MMU did not look at before become valid at once. An entry that must be broken first is made
   * invalid, and gets its words after the flush.
   *
   * @param after - two words for each entry; it belongs to the change set from now on.
   * @throws VmError `EBUSY` when an entry would become valid for which a batch owes a flush.
   */
  rewrite(span: Span, after: Int32Array): void {
    const { level, bank, at, count, record, page } = span;
    const context = this.#context;
    const { words } = bank;
    const saved = this.#log.copyOf(words, at, count);
    const { written, grew, during, first, end } = compare(context, span, saved, after);
    if (written === 0) return;
    this.#log.noteWords(bank, at, count, record, grew, saved);
    words.set(during ?? after, at);
    context.counters.entriesWritten += written;
    context.records?.add(record, grew);
    if (end > 0) this.widen(page + first * level.pages, (end - first) * level.pages, level.shift);
    if (during !== null) this.#broken.push({ bank, at, during, after });
  }

  /**
   * Gives all leaves of a run, which have equal flags, other flags; the change needs no break.
   *
   * Only the bits that change are noted, no entry is copied.
   */
  changeFlags(span: Span, lo: number, hi: number, newLo: number, newHi: number): void {
    const { level, bank, at, count, page } = span;
    const { loops } = bank;
    const maskLo = lo ^ newLo;
    const maskHi = hi ^ newHi;
    this.#log.noteFlags(bank, at, count, maskLo, maskHi, lo & maskLo, hi & maskHi);
    const live = loops.change(at, count, maskLo, maskHi, newLo & maskLo, newHi & maskHi);
    this.#context.counters.entriesWritten += live;
    // Another thread has cleared them since they were found.
    if (live === 0) return;
    const first = live === count ? 0 : loops.firstLive(at, count);
    const last = live === count ? count - 1 : loops.lastLive(at, count);
    this.widen(page + first * level.pages, (last - first + 1) * level.pages, level.shift);
  }

  /**
   * Takes an empty table out of its parent.
   *
   * Only the part of the call's range that it translates has to be flushed: the flush names the table, and any address
   * in it is enough to find the walks that were cached.
   */
  unlink({ pfn, level, parent, at, parentRecord, page, pages }: Link): void {
    const { plan } = this.#context;
    const { words } = parent;
    const saved = this.#log.copyOf(words, at, 1);
    // Met a second time, through another link to its parent.
    if (((saved[0] as number) | (saved[1] as number)) === 0) return;
    this.free(pfn);
    this.#log.noteWords(parent, at, 1, parentRecord, -1, saved);
    words.fill(0, at, at + 2);
    this.#context.counters.entriesWritten++;
    this.#context.records?.add(parentRecord, -1);
    this.widen(page, pages, plan.pageShift);
    const above = (plan.levels[level - 1] as LevelPlan).pages;
    this.#unlinked.push({ first: page - (page % above), pages: above });
  }

  /**
   * Notes that a table is out of the tree: its frame goes back after the flush.
   *
   * @throws VmError `EINVAL` when the allocator does not hold it any more.
   */
  free(pfn: number): void {
    if (this.#context.frames?.isAllocated(pfn) !== true) throw freedByOthers(pfn);
    this.#gone.add(pfn);
  }

  /** True when the table is out of the tree already. */
  isGone(pfn: number): boolean {
    return this.#gone.has(pfn);
  }

  /** True when the call has cleared every entry of the table of a record: nobody has to look whether it is empty. */
  isCleared(record: number): boolean {
    return record >= 0 && this.#cleared.has(record);
  }

  /** True when one of a table's entries is invalid until the flush has been made. */
  holdsBroken(bank: Bank, word: number, entries: number): boolean {
    const end = word + 2 * entries;
    return this.#broken.some((run) => run.bank === bank && run.at >= word && run.at < end);
  }

  /** Widens what the flush has to cover. */
  widen(page: number, pages: number, leafShift: number): void {
    this.#from = Math.min(this.#from, page);
    this.#to = Math.max(this.#to, page + pages);
    this.#leafShift = Math.min(this.#leafShift, leafShift);
  }

  /**
   * Ends the call: flush, make, free; or leaves the flush to a batch, when nothing was broken.
   *
   * @throws what the sink throws; `rollBack` is then due.
   */
  commit(batch: OwedFlushes | null): void {
    const context = this.#context;
    const gone = [...this.#gone];
    if (this.#to >= 0) {
      if (batch !== null && this.#broken.length === 0) {
        batch.owe(this.#from, this.#to, this.#leafShift, gone, this.#unlinked);
        return;
      }
      flush(context, this.#from, this.#to - this.#from, this.#leafShift, gone);
    }
    for (const run of this.#broken) this.#make(run);
    this.#isMade = true;
    freeHeldTables(context, gone);
  }

  /**
   * Takes a failed call back: restores entries and live counts, last first, flushes, and frees the tables it made.
   *
   * The flush comes before the frames go back: a cached upper level may still name them. They go back even when the
   * sink throws; the error that the caller sees is the one that made the call fail.
   *
   * @param range - of the call; what was changed beyond it is flushed too.
   */
  rollBack(range: PageRange): void {
    const context = this.#context;
    // Only a sink that frees what it is told of comes here with a call that is done.
    if (this.#isMade) return;
    if (!this.#log.isEmpty) {
      context.counters.entriesWritten += this.#log.restore(context.records);
      this.widen(range.first, range.pages, context.plan.pageShift);
      try {
        flush(context, this.#from, this.#to - this.#from, this.#leafShift, this.#made);
      } catch {
        // A sink must not throw (see FlushSink); the first error is the one worth telling.
      }
    }
    freeTables(context, this.#made);
  }

  /** Gives broken entries their words; whatever else was written in the meantime stays. */
  #make({ bank, at, during, after }: Broken): void {
    const { words } = bank;
    let written = 0;
    for (let i = 0; i < after.length; i += 2) {
      const lo = after[i] as number;
      const hi = after[i | 1] as number;
      if (((during[i] as number) | (during[i | 1] as number)) !== 0 || (lo | hi) === 0) continue;
      words[at + i] = lo;
      words[at + i + 1] = hi;
      written++;
    }
    this.#context.counters.entriesWritten += written;
  }
}

/** Runs one call: what it changes is committed, or taken back when it throws. */
export function changing<R>(
  context: TableContext,
  range: PageRange,
  batch: OwedFlushes | null,
  call: (changes: ChangeSet) => R,
): R {
  const changes = new ChangeSet(context);
  try {
    const result = call(changes);
    changes.commit(batch);
    return result;
  } catch (error) {
    changes.rollBack(range);
    throw error;
  }
}
