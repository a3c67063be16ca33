import { type Bank, loopsOf } from '../../memory/bank.js';
import { UndoLog } from '../change/set/undo-log.js';
import type { TableContext } from '../state/context.js';
import type { Journal } from './journal.js';
import { type ClaimedFrames, NoteKind, PENDING, type SharedNote, undoNote } from './notes.js';
import type { WordPool } from './word-pool.js';

/** A note of this thread, and where it is in the journal: -1 when it is not. */
export interface OwnNote extends SharedNote {
  journaled: number;
}

/**
 * The undo log of a call on shared tables. It undoes only what the call itself has done. The same notes are in
 * the thread's journal, as far as they fit, so that a recovery can undo the call of a thread that died.
 */
export class SharedUndoLog extends UndoLog {
  readonly #context: TableContext;
  /** `null` when a call of this thread on another table has the journal. */
  readonly #journal: Journal | null;
  /** For the copies of this call. */
  readonly pool: WordPool;
  readonly #list: OwnNote[] = [];

  constructor(context: TableContext, journal: Journal | null, pool: WordPool) {
    super();
    this.#context = context;
    this.#journal = journal;
    this.pool = pool;
  }

  override get isEmpty(): boolean {
    return this.#list.length === 0;
  }

  /** Notes a claim that begins. */
  claim(
    level: number,
    bank: Bank,
    at: number,
    count: number,
    record: number,
    tables: number,
    lo: number,
    hi: number,
    frames: ClaimedFrames,
  ): OwnNote {
    return this.#add(NoteKind.claim, level, bank, at, count, record, tables, PENDING, lo, hi, null, frames);
  }

  /** Notes how much a claim has written. */
  claimed(note: OwnNote, written: number): void {
    note.progress = written;
    this.#journal?.progress(note.journaled, written);
  }

  /** Notes entries before they are replaced, with a copy of what they are. */
  before(
    kind: number,
    level: number,
    bank: Bank,
    at: number,
    count: number,
    record: number,
    grew: number,
  ): OwnNote {
    const saved = this.pool.take(2 * count);
    loopsOf(bank).get(at, count, saved, 0);
    return this.#add(kind, level, bank, at, count, record, 1, grew, 0, 0, saved);
  }

  /** Notes what an entry really was when it was replaced. */
  correct(note: OwnNote, index: number, lo: number, hi: number): void {
    const saved = note.saved as Int32Array;
    saved[2 * index] = lo;
    saved[2 * index + 1] = hi;
    this.#journal?.correct(note.journaled, index, lo, hi);
  }

  override noteEmpty(): void {
    throw new Error('entries of shared tables are claimed');
  }

  override noteFlags(): void {
    throw new Error('leaves of shared tables are changed one by one');
  }

  override noteWords(
    bank: Bank,
    at: number,
    count: number,
    record: number,
    grew: number,
    saved: Int32Array,
  ): void {
    // Only links are replaced so: their level does not matter, since no MMU notes anything in what is undone.
    this.#add(NoteKind.words, 0, bank, at, count, record, 1, grew, 0, 0, saved);
  }

  override restore(): number {
    let written = 0;
    for (let i = this.#list.length - 1; i >= 0; i--)
      written += undoNote(this.#context, this.#list[i] as OwnNote, true);
    return written;
  }

  /** Ends the notes: the call is made, or undone. */
  close(): void {
    this.#journal?.close();
  }

  #add(
    kind: number,
    level: number,
    bank: Bank,
    at: number,
    count: number,
    record: number,
    tables: number,
    progress: number,
    lo: number,
    hi: number,
    saved: Int32Array | null,
    frames: ClaimedFrames | null = null,
  ): OwnNote {
    const context = this.#context;
    const journal = this.#journal;
    const index = context.memory.banks.indexOf(bank);
    // One literal: spread from another one it took two thirds of a call for one page.
    const note: OwnNote = {
      kind,
      level,
      bank: index,
      at,
      count,
      record,
      tables,
      progress,
      lo,
      hi,
      saved,
      frames,
      journaled: -1,
    };
    if (journal !== null) {
      if (!journal.isOpen) journal.open(context.root.pfn);
      note.journaled = journal.add(note);
    }
    this.#list.push(note);
    return note;
  }
}
