import type { EntryTemplate } from '../../entry-template.js';
import { VmError } from '../../errors.js';
import type { LevelPlan } from '../../format/plan.js';
import type { SharedRunLoops } from '../../loops/run-loops.js';
import { WRITTEN } from '../../loops/run-loops.js';
import { type Bank, loopsOf } from '../../memory/bank.js';
import { type Link, partOf, type Span } from '../change/look/span.js';
import { ChangeSet, type SharedWrites } from '../change/set/change-set.js';
import { compare } from '../change/set/compare.js';
import { addressOf, type PageRange } from '../page-range.js';
import type { TableContext } from '../state/context.js';
import { childPfn, isLeaf, isTable, linkWords } from '../state/entries.js';
import { bankOfTable } from '../state/table-banks.js';
import type { TableVisit } from '../state/table-visit.js';
import { newTable } from '../state/tables.js';
import { type ClaimedFrames, NoteKind } from './notes.js';
import type { OwnNote, SharedUndoLog } from './shared-undo-log.js';
import { touched } from './touched.js';

/** Thrown by a call that finds out that it must run alone. It never leaves `SharedTables.run`. */
export const NEEDS_ALONE: object = Object.freeze({ name: 'NeedsAlone' });

/** A table that a call has linked into an empty slot. */
export type Installed = Omit<Link, 'pages'>;

/** How a change set asks whether its call is alone, and what it leaves to do after a failed one. */
export interface Caller {
  readonly isAlone: boolean;
  /** Takes tables that a failed call has linked, and that may be empty. */
  leave(context: TableContext, installed: readonly Installed[]): void;
}

/**
 * What one call changes in tables that threads share. Calls that only map, unmap or change flags run together:
 * they claim free slots, link tables and change leaves by compare-exchange, and clear by exchange. All else
 * needs a call that is alone.
 */
export class SharedChangeSet extends ChangeSet implements SharedWrites {
  override readonly shared: SharedWrites = this;
  declare protected readonly log: SharedUndoLog;
  readonly #caller: Caller;
  readonly #installed: Installed[] = [];

  constructor(context: TableContext, log: SharedUndoLog, caller: Caller) {
    super(context, log);
    this.#caller = caller;
  }

  override needAlone(): void {
    if (!this.#caller.isAlone) throw NEEDS_ALONE;
  }

  protected override settle(): void {
    this.log.close();
    const { context } = this;
    if (this.gone.size > 0) context.sharing?.hold(context, [...this.gone], 0);
  }

  override makeTable(level: number, parentRecord: number, page: number, isFilled: boolean = false): number {
    this.needAlone();
    return super.makeTable(level, parentRecord, page, isFilled);
  }

  override makeTables(): Float64Array | null {
    return null;
  }

  /** Links a new table into a slot, unless another thread is first: then its table serves. */
  override linkTable(level: LevelPlan, bank: Bank, at: number, record: number, page: number): number {
    const { context } = this;
    const { counters, frames, link, records } = context;
    const loops = loopsOf(bank);
    this.checkOwed(page);
    // It is zeroed and on record before anybody can find it.
    const pfn = newTable(context, level.index + 1, record, 0, page);
    const { lo, hi } = linkWords(link, pfn);
    for (;;) {
      if (loops.cas64(at, 0, 0, lo, hi)) {
        records?.add(record, 1);
        counters.entriesWritten++;
        const below = bankOfTable(context, pfn, page);
        this.#installed.push({
          ...{ pfn, level: level.index + 1, bank: below, parent: bank, at, parentRecord: record, page },
        });
        return pfn;
      }
      const isLo = loops.load64(at);
      const isHi = loops.high;
      if ((isLo | isHi) === 0) continue;
      // Nobody has seen the frame.
      records?.leave(pfn);
      frames?.free(pfn);
      counters.tablesFreed++;
      if (isTable(level, isLo, isHi)) return childPfn(context, isLo, isHi);
      throw new VmError('EBUSY', `another thread has mapped this ${level.level.name} slot`, {
        address: addressOf(context.plan.format, page),
        advice: 'unmap the range first',
      });
    }
  }

  claim(
    { level, bank, word, record }: TableVisit,
    slot: number,
    count: number,
    tables: number,
    leaves: EntryTemplate,
    frames: ClaimedFrames,
    write: () => number,
    call: { readonly written: number },
  ): number {
    const { counters, records } = this.context;
    const at = word + 2 * slot;
    const { lo, hi } = leaves;
    const note = this.log.claim(level.index, bank, at, count, record, tables, lo, hi, frames);
    const result = write();
    const written = result === WRITTEN ? count : call.written;
    this.log.claimed(note, written);
    counters.entriesWritten += written;
    const each = count / tables;
    for (let first = 0; first < written && record >= 0; first += each)
      records?.add(record + first / each, Math.min(each, written - first));
    return result;
  }

  /** Takes what is in a run of entries, and notes it. */
  override clear(span: Span): void {
    const { level, bank, at, count, record, page } = span;
    const { counters, records } = this.context;
    for (let from = 0; count > level.entries && from < count; from += level.entries)
      this.clear(partOf(span, from, level.entries));
    if (count > level.entries) return;
    const loops = loopsOf(bank) as SharedRunLoops;
    counters.entriesRead += count;
    if (count === level.entries) this.cleared.add(record);
    if (loops.firstLive(at, count) < 0) return;
    const note = this.log.before(NoteKind.taken, level.index, bank, at, count, record, 0);
    const taken = this.log.pool.take(2 * count);
    const live = loops.take(at, count, taken, 0);
    this.#correct(note, taken);
    counters.entriesWritten += live;
    records?.add(record, -live);
    if (live === 0) return;
    this.widen(page, count * level.pages, level.shift);
    this.onTaken?.(level, page, taken);
  }

  change(span: Span, transform: (words: Int32Array, count: number) => boolean): void {
    const { level, count } = span;
    for (let from = 0; from < count; from += level.entries)
      this.#changeLeaves(partOf(span, from, Math.min(level.entries, count - from)), transform);
  }

  /** Replaces entries, alone. What the MMU notes in them meanwhile survives. */
  override rewrite(span: Span, after: Int32Array): void {
    const { level, bank, at, count, record, page } = span;
    const { context } = this;
    this.needAlone();
    const saved = this.log.copyOf(bank, at, count);
    const { written, grew, during, first, end } = compare(context, span, saved, after);
    if (written === 0) return;
    const note = this.log.before(NoteKind.words, level.index, bank, at, count, record, grew);
    const now = during ?? after;
    for (let i = 0; i < count; i++) this.#replace(note, i, saved, now, after);
    context.counters.entriesWritten += written;
    context.records?.add(record, grew);
    if (end > 0) this.widen(page + first * level.pages, (end - first) * level.pages, level.shift);
    if (during !== null) this.broken.push({ bank, at, during, after });
  }

  override unlink(link: Link): void {
    this.needAlone();
    super.unlink(link);
  }

  override free(pfn: number): void {
    this.needAlone();
    super.free(pfn);
  }

  override rollBack(range: PageRange): void {
    super.rollBack(range);
    this.log.close();
    if (!this.isMade && this.#installed.length > 0) this.#caller.leave(this.context, this.#installed);
  }

  /** Changes the leaves of one table, each by compare-exchange. */
  #changeLeaves(span: Span, transform: (words: Int32Array, count: number) => boolean): void {
    const { level, bank, at, count, record, page } = span;
    const { context } = this;
    const before = this.log.copyOf(bank, at, count);
    const after = before.slice();
    if (!transform(after, count)) return;
    const { written, during, first, end } = compare(context, span, before, after);
    if (written === 0) return;
    if (during !== null) {
      // A slot that is invalid in between looks free to other threads.
      this.rewrite(span, after);
      return;
    }
    const loops = loopsOf(bank);
    const note = this.log.before(NoteKind.changed, level.index, bank, at, count, record, 0);
    for (let i = 0; i < 2 * count; i += 2) {
      const lo = before[i] as number;
      const hi = before[i + 1] as number;
      if (lo === after[i] && hi === after[i + 1]) this.log.correct(note, i / 2, 0, 0);
      else if (loops.cas64(at + i, lo, hi, after[i] as number, after[i + 1] as number)) {
        this.log.correct(note, i / 2, lo, hi);
        context.counters.entriesWritten++;
      } else this.#changeAgain(span, note, i, transform);
    }
    if (end > 0) this.widen(page + first * level.pages, (end - first) * level.pages, level.shift);
  }

  /** Changes a leaf that somebody has changed since it was read. */
  #changeAgain(
    { level, bank, at }: Span,
    note: OwnNote,
    index: number,
    transform: (words: Int32Array, count: number) => boolean,
  ): void {
    const loops = loopsOf(bank);
    const { context } = this;
    const pair = new Int32Array(2);
    for (;;) {
      const lo = loops.load64(at + index);
      const hi = loops.high;
      pair[0] = lo;
      pair[1] = hi;
      // Another thread has cleared it: it stays so.
      const isChanged = (lo | hi) !== 0 && isLeaf(level, lo, hi) && transform(pair, 1);
      if (!isChanged) {
        this.log.correct(note, index / 2, 0, 0);
        return;
      }
      const after = { lo: pair[0] as number, hi: pair[1] as number };
      if (context.plan.format.needsBreak({ lo, hi }, after, level.index)) this.needAlone();
      if (!loops.cas64(at + index, lo, hi, after.lo, after.hi)) continue;
      this.log.correct(note, index / 2, lo, hi);
      context.counters.entriesWritten++;
      return;
    }
  }

  /** Replaces one entry in a call that is alone. */
  #replace(note: OwnNote, index: number, saved: Int32Array, now: Int32Array, after: Int32Array): void {
    const { context } = this;
    const level = context.plan.levels[note.level] as LevelPlan;
    const loops = loopsOf(context.memory.banks[note.bank] as Bank);
    const i = 2 * index;
    let lo = saved[i] as number;
    let hi = saved[i + 1] as number;
    if (lo === after[i] && hi === after[i + 1]) return;
    while (!loops.cas64(note.at + i, lo, hi, now[i] as number, now[i + 1] as number)) {
      lo = loops.load64(note.at + i);
      hi = loops.high;
      this.log.correct(note, index, lo, hi);
      if (!isLeaf(level, lo, hi)) continue;
      this.#keepUse(level, lo, hi, after, i);
      const isBroken = now !== after && ((now[i] as number) | (now[i + 1] as number)) === 0;
      if (now === after || isBroken) continue;
      now[i] = after[i] as number;
      now[i + 1] = after[i + 1] as number;
    }
  }

  /** Takes over what the MMU has noted in a leaf into what replaces it: a leaf, or a table of smaller ones. */
  #keepUse(level: LevelPlan, byLo: number, byHi: number, words: Int32Array, at: number): void {
    const { context } = this;
    const lo = words[at] as number;
    const hi = words[at + 1] as number;
    if (isTable(level, lo, hi)) {
      const below = context.plan.levels[level.index + 1] as LevelPlan;
      const pfn = childPfn(context, lo, hi);
      const bank = bankOfTable(context, pfn, 0);
      const word = bank.wordOf(pfn, context.plan.pageShift);
      const piece = new Int32Array(2);
      for (let i = 0; i < below.entries; i++) {
        loopsOf(bank).get(word + 2 * i, 1, piece, 0);
        // The flags of a leaf are those of its pieces, moved to their level.
        const { lo: pieceLo, hi: pieceHi } = context.plan.format.relevel(
          { lo: byLo & ~level.leafAddressLo, hi: byHi & ~level.leafAddressHi },
          level.index,
          below.index,
        );
        this.#keepUse(below, pieceLo, pieceHi, piece, 0);
        loopsOf(bank).put(word + 2 * i, piece, 0, 1);
      }
    } else if (isLeaf(level, lo, hi)) {
      const kept = touched(context, level, lo, hi, byLo, byHi);
      words[at] = kept.lo;
      words[at + 1] = kept.hi;
    }
  }

  #correct(note: OwnNote, taken: Int32Array): void {
    const saved = note.saved as Int32Array;
    for (let i = 0; i < taken.length; i += 2) {
      if (taken[i] !== saved[i] || taken[i + 1] !== saved[i + 1])
        this.log.correct(note, i / 2, taken[i] as number, taken[i + 1] as number);
    }
  }
}
