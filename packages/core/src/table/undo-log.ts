import { flush, freeTable, type TableContext } from './context.js';

/** One change of a call: a run of entries that were all `lo`, `hi` before. */
interface Change {
  readonly words: Int32Array;
  readonly at: number;
  readonly count: number;
  readonly lo: number;
  readonly hi: number;
  /** Record of the table that holds the entries; -1 when it is not counted. */
  readonly record: number;
  /** By how much the table's live entries grew. */
  readonly grew: number;
  /** The table that the entry now points to and that this call made; -1 for none. */
  readonly made: number;
}

/**
 * What one call changed, so that a failing call can leave everything as it was.
 *
 * One change covers a run of entries, so the log of a large map is as long as its tables are many: mapping
 * 262,144 pages logs 515 changes.
 */
export class UndoLog {
  readonly #changes: Change[] = [];

  /** Notes a run of entries before it is written. */
  note(
    words: Int32Array,
    at: number,
    count: number,
    lo: number,
    hi: number,
    record: number,
    grew: number,
    made: number,
  ): void {
    this.#changes.push({ words, at, count, lo, hi, record, grew, made });
  }

  /**
   * Takes all changes back, last first, flushes the range, and frees the tables that the call made.
   *
   * The flush comes before the frames go back: a cached upper level may still name them.
   */
  rollBack(context: TableContext, first: number, pages: number): void {
    const made: number[] = [];
    for (let i = this.#changes.length - 1; i >= 0; i--) {
      const change = this.#changes[i] as Change;
      for (let at = change.at, end = change.at + 2 * change.count; at < end; at += 2) {
        change.words[at] = change.lo;
        change.words[at + 1] = change.hi;
      }
      context.counters.entriesWritten += change.count;
      context.records?.add(change.record, -change.grew);
      if (change.made >= 0) made.push(change.made);
    }
    if (this.#changes.length > 0) flush(context, first, pages, context.plan.pageShift, made);
    for (const pfn of made) freeTable(context, pfn, 0);
  }
}
