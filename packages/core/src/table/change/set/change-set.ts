import type { EntryTemplate } from '../../../entry-template.js';
import type { LevelPlan } from '../../../format/plan.js';
import type { FrameSource } from '../../../loops/run-loops.js';
import { type Bank, loopsOf } from '../../../memory/bank.js';
import type { PageRange } from '../../page-range.js';
import type { TableContext } from '../../state/context.js';
import { linkTableEntry } from '../../state/entries.js';
import { flush, refuseOwed } from '../../state/flush.js';
import type { OwedFlushes } from '../../state/flush-batch.js';
import type { TableVisit } from '../../state/table-visit.js';
import { freedByOthers, freeHeldTables, freeTables, newTable, newTables } from '../../state/tables.js';
import { type Link, partOf, type Span } from '../look/span.js';
import { compare } from './compare.js';
import { UndoLog } from './undo-log.js';

/** How a call writes into tables that threads share. */
export interface SharedWrites {
  /**
   * Writes leaves into slots that are 0, and counts them. The call undoes them when it fails.
   *
   * @param table - the table, or the first of several that follow each other.
   * @param tables - how many tables the leaves fill; 1 for one, or a part of one.
   * @param leaves - the leaves without their frames.
   * @param frames - their frames, from a page of the source on.
   * @param write - writes them, and answers as `SharedRunLoops.claimFrames`.
   * @param call - tells how many it has written when that was not all.
   * @returns what `write` returns.
   */
  claim(
    table: TableVisit,
    slot: number,
    count: number,
    tables: number,
    leaves: EntryTemplate,
    frames: { readonly source: FrameSource; readonly done: number },
    write: () => number,
    call: { readonly written: number },
  ): number;
  /**
   * Changes leaves one by one. What the MMU notes in a leaf meanwhile survives, and what another thread
   * clears stays cleared.
   */
  change(span: Span, transform: (words: Int32Array, count: number) => boolean): void;
}

/** A run with entries that are invalid until the flush. */
interface Broken {
  readonly bank: Bank;
  readonly at: number;
  /** The run's words until the flush: 0 where an entry is broken. */
  readonly during: Int32Array;
  readonly after: Int32Array;
}

/**
 * What one call changes, in the order that the architecture demands. A call that fails leaves everything as
 * it was.
 *
 * The call writes entries, or makes them invalid where the format demands a break. `commit` then flushes the
 * hull of what was removed or changed, once. It then gives the broken entries their new values, and frees
 * the tables that were removed. `rollBack` undoes everything before the flush.
 *
 * Entries of a table that the call made are not noted: the whole table goes back.
 */
export class ChangeSet {
  protected readonly context: TableContext;
  protected readonly log: UndoLog;
  /** How it writes into tables that threads share; `null` where one thread uses them. */
  readonly shared: SharedWrites | null = null;
  /** Told of the old words of entries that `clear` has cleared, from a page on; `null` for a call that does not ask. */
  onTaken: ((level: LevelPlan, page: number, words: Int32Array) => void) | null = null;
  protected readonly broken: Broken[] = [];
  /** Tables that the call made. */
  protected readonly made: number[] = [];
  /** Tables that the call removed from the tree. */
  protected readonly gone: Set<number> = new Set();
  /** Records of the tables that were cleared whole. */
  protected readonly cleared: Set<number> = new Set();
  /** What the removed tables translated. */
  protected readonly unlinked: PageRange[] = [];
  /** The pages to flush, none while `#to` is below 0, and log2 of the smallest leaf among them. */
  protected from: number = Number.POSITIVE_INFINITY;
  protected to: number = -1;
  protected leafShift: number = 64;
  /** True when all is written and flushed. */
  protected isMade: boolean = false;

  constructor(context: TableContext, log: UndoLog = new UndoLog()) {
    this.context = context;
    this.log = log;
  }

  /** Says that what follows must not run together with calls of other threads. */
  needAlone(): void {}

  /** Notes that all is written: nothing is undone from here on. */
  protected settle(): void {}

  /**
   * Makes a table. It goes back when the call fails.
   *
   * @param isFilled - the call writes every entry before it links the table, so it need not be zeroed.
   */
  makeTable(level: number, parentRecord: number, page: number, isFilled: boolean = false): number {
    const pfn = newTable(this.context, level, parentRecord, 0, page, isFilled);
    this.made.push(pfn);
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

  /** Refuses to link a table for a page that a flush is owed for. */
  checkOwed(page: number): void {
    if (this.context.owed.size > 0) refuseOwed(this.context, { first: page, pages: 1 });
  }

  /** Links a table into an empty slot. The slot was noted, or the call made its table. */
  writeLink(bank: Bank, at: number, record: number, pfn: number): void {
    const { counters, records } = this.context;
    linkTableEntry(this.context.link, bank, at, pfn);
    counters.entriesWritten++;
    records?.add(record, 1);
  }

  /**
   * Makes several tables that the call fills before it links them. They are not zeroed.
   *
   * @returns their frames; `null`, and nothing is done, when there are too few.
   */
  makeTables(level: number, parentRecord: number, count: number): Float64Array | null {
    const made = newTables(this.context, level, parentRecord, count);
    if (made !== null) for (let i = 0; i < count; i++) this.made.push(made[i] as number);
    return made;
  }

  /** Links tables into adjacent empty slots. The slots were noted, or the call made their table. */
  writeLinks(bank: Bank, at: number, record: number, made: Float64Array): void {
    const { link, counters, records } = this.context;
    const source = { narrow: null, wide: made, start: 0 };
    // It refuses none: every frame of a page table's allocator fits the format (`checkAllocator` in
    // make.ts).
    loopsOf(bank).writeFrames(at, made.length, source, 0, link);
    counters.entriesWritten += made.length;
    records?.add(record, made.length);
  }

  /**
   * Notes a run of entries before they are written. All are 0, in tables that the call did not make.
   *
   * @param tables - how many tables that follow each other the entries fill; 1 for one, or a part of one.
   */
  noteEmpty(bank: Bank, at: number, count: number, record: number, tables: number = 1): void {
    this.log.noteEmpty(bank, at, count, record, tables);
  }

  /**
   * Clears a run of entries.
   *
   * @param keepsOld - false when nothing can fail from here on, and `onTaken` is `null`, so the old entries need not be kept.
   */
  clear(span: Span, keepsOld: boolean): void {
    const { level, bank, at, count, record, page } = span;
    const { counters, records } = this.context;
    const tables = count / level.entries;
    if (tables > 1) {
      if (!keepsOld && this.#clearCounted(span, tables)) return;
      for (let i = 0; i < tables; i++) this.clear(partOf(span, i * level.entries, level.entries), keepsOld);
      return;
    }
    const saved = keepsOld ? this.log.copyOf(bank, at, count) : null;
    // The count of a whole table is enough, without a scan. Only a count of 0 needs proof.
    const counted = record >= 0 && count === level.entries ? (records?.live(record) ?? 0) : 0;
    let live = counted;
    if (counted > 0) {
      loopsOf(bank).erase(at, count);
    } else {
      live = loopsOf(bank).clear(at, count);
      counters.entriesRead += count;
    }
    if (count === level.entries) this.cleared.add(record);
    if (live === 0) return;
    if (saved !== null) this.log.noteWords(bank, at, count, record, -live, saved);
    counters.entriesWritten += live;
    records?.add(record, -live);
    this.widen(page, count * level.pages, level.shift);
    if (saved !== null) this.onTaken?.(level, page, saved);
  }

  /** Clears whole tables that follow each other at once, when the counts of all say that they are in use. */
  #clearCounted({ level, bank, at, count, record, page }: Span, tables: number): boolean {
    const { counters, records } = this.context;
    const live = records === null || record < 0 ? 0 : records.takeLive(record, tables);
    if (live === 0) return false;
    loopsOf(bank).erase(at, count);
    counters.entriesWritten += live;
    this.widen(page, count * level.pages, level.shift);
    return true;
  }

  /**
   * Gives a run of entries new words. Those that stay the same are not written.
   *
   * Entries that the MMU ignored before become valid at once. An entry that needs a break is made invalid,
   * and gets its words after the flush.
   *
   * @param after - two words for each entry. The change set keeps this array.
   * @throws VmError `EBUSY` when an entry would become valid for which a batch owes a flush.
   */
  rewrite(span: Span, after: Int32Array): void {
    const { level, bank, at, count, record, page } = span;
    const context = this.context;
    const saved = this.log.copyOf(bank, at, count);
    const { written, grew, during, first, end } = compare(context, span, saved, after);
    if (written === 0) return;
    this.log.noteWords(bank, at, count, record, grew, saved);
    loopsOf(bank).put(at, during ?? after, 0, count);
    context.counters.entriesWritten += written;
    context.records?.add(record, grew);
    if (end > 0) this.widen(page + first * level.pages, (end - first) * level.pages, level.shift);
    if (during !== null) this.broken.push({ bank, at, during, after });
  }

  /**
   * Gives all leaves of a run, whose flags are equal, other flags. The change needs no break.
   *
   * It notes only the bits that change, and copies no entry.
   */
  changeFlags(span: Span, lo: number, hi: number, newLo: number, newHi: number): void {
    const { level, bank, at, count, page } = span;
    const loops = loopsOf(bank);
    const maskLo = lo ^ newLo;
    const maskHi = hi ^ newHi;
    this.log.noteFlags(span, maskLo, maskHi, lo & maskLo, hi & maskHi);
    const live = loops.change(at, count, maskLo, maskHi, newLo & maskLo, newHi & maskHi);
    this.context.counters.entriesWritten += live;
    // Another thread has cleared them since they were found.
    if (live === 0) return;
    const first = live === count ? 0 : loops.firstLive(at, count);
    const last = live === count ? count - 1 : loops.lastLive(at, count);
    this.widen(page + first * level.pages, (last - first + 1) * level.pages, level.shift);
  }

  /**
   * Removes an empty table from its parent.
   *
   * The flush must cover only the part of the call's range that the table translated. It names the table,
   * and any address in that part is enough to find the walks that were cached.
   */
  unlink({ pfn, level, parent, at, parentRecord, page, pages }: Link): void {
    const { plan } = this.context;
    const saved = this.log.copyOf(parent, at, 1);
    // Met a second time, through another link to its parent.
    if (((saved[0] as number) | (saved[1] as number)) === 0) return;
    this.free(pfn);
    this.log.noteWords(parent, at, 1, parentRecord, -1, saved);
    loopsOf(parent).store64(at, 0, 0);
    this.context.counters.entriesWritten++;
    this.context.records?.add(parentRecord, -1);
    this.widen(page, pages, plan.pageShift);
    const above = (plan.levels[level - 1] as LevelPlan).pages;
    this.unlinked.push({ first: page - (page % above), pages: above });
  }

  /**
   * Notes that a table is out of the tree. Its frame goes back after the flush.
   *
   * @throws VmError `EINVAL` when the allocator no longer holds it.
   */
  free(pfn: number): void {
    if (this.context.frames?.isAllocated(pfn) !== true) throw freedByOthers(pfn);
    this.gone.add(pfn);
  }

  /** True when the table is out of the tree already. */
  isGone(pfn: number): boolean {
    return this.gone.has(pfn);
  }

  /** True when the call has cleared every entry of a record's table, so it needs no scan. */
  isCleared(record: number): boolean {
    return record >= 0 && this.cleared.has(record);
  }

  /** True when one of a table's entries is invalid until the flush. */
  holdsBroken(bank: Bank, word: number, entries: number): boolean {
    const end = word + 2 * entries;
    return this.broken.some((run) => run.bank === bank && run.at >= word && run.at < end);
  }

  /** Widens the range that the flush must cover. */
  widen(page: number, pages: number, leafShift: number): void {
    this.from = Math.min(this.from, page);
    this.to = Math.max(this.to, page + pages);
    this.leafShift = Math.min(this.leafShift, leafShift);
  }

  /**
   * Ends the call: flush, write the broken entries, free. When no entry is broken, the flush can be left to
   * a batch.
   *
   * @throws what the sink throws; call `rollBack` then.
   */
  commit(batch: OwedFlushes | null): void {
    const context = this.context;
    const gone = [...this.gone];
    if (this.to >= 0) {
      if (batch !== null && this.broken.length === 0) {
        batch.owe(this.from, this.to, this.leafShift, gone, this.unlinked);
        this.settle();
        return;
      }
      flush(context, this.from, this.to - this.from, this.leafShift, gone);
    }
    for (const run of this.broken) this.#make(run);
    this.isMade = true;
    this.settle();
    freeHeldTables(context, gone);
  }

  /**
   * Undoes a failed call: restores entries and live counts, last first, flushes, and frees the tables it
   * made.
   *
   * The flush comes before the frames go back: a cached upper level may still name them. They go back even
   * when the sink throws. The caller sees the error that made the call fail.
   *
   * @param range - of the call; what was changed beyond it is flushed too.
   */
  rollBack(range: PageRange): void {
    const context = this.context;
    // The call is done. It only failed to free a table, whose frame a sink had freed.
    if (this.isMade) return;
    if (!this.log.isEmpty) {
      context.counters.entriesWritten += this.log.restore(context.records);
      this.widen(range.first, range.pages, context.plan.pageShift);
      try {
        flush(context, this.from, this.to - this.from, this.leafShift, this.made);
      } catch {
        // A sink must not throw (see FlushSink). The first error is the one to report.
      }
    }
    freeTables(context, this.made);
  }

  /** Gives broken entries their words. What others wrote in the meantime stays. */
  #make({ bank, at, during, after }: Broken): void {
    const loops = loopsOf(bank);
    let written = 0;
    for (let i = 0; i < after.length; i += 2) {
      const lo = after[i] as number;
      const hi = after[i | 1] as number;
      if (((during[i] as number) | (during[i | 1] as number)) !== 0 || (lo | hi) === 0) continue;
      loops.store64(at + i, lo, hi);
      written++;
    }
    this.context.counters.entriesWritten += written;
  }
}
