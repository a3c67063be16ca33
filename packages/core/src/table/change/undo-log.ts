import type { Bank } from '../../memory/bank.js';
import { flush, freeTables, type TableContext } from '../context.js';

/** One change of a call: a run of entries that were all `lo`, `hi` before, or what `saved` holds. */
interface Change {
  readonly bank: Bank;
  readonly at: number;
  readonly count: number;
  readonly lo: number;
  readonly hi: number;
  /** The entries' words before the change, where they were not all alike; `null` otherwise. */
  readonly saved: Int32Array | null;
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
 * One change covers a run of entries, so the log of a large map is as long as its tables are many: mapping 262,144 pages
 * logs 1,026 changes (512 runs and 514 links). Banks are kept and not their words: a WebAssembly.Memory may grow in the
 * call.
 */
export class UndoLog {
  readonly #changes: Change[] = [];

  /** Notes a run of entries that are all 0 before they are written. */
  noteRun(bank: Bank, at: number, count: number, record: number): void {
    this.#changes.push({ bank, at, count, lo: 0, hi: 0, saved: null, record, grew: count, made: -1 });
  }

  /** Notes one entry before it is written. */
  noteEntry(
    bank: Bank,
    at: number,
    lo: number,
    hi: number,
    record: number,
    grew: number,
    made: number,
  ): void {
    this.#changes.push({ bank, at, count: 1, lo, hi, saved: null, record, grew, made });
  }

  /** Notes a run of entries before they are cleared. */
  noteClear(bank: Bank, at: number, count: number, record: number, live: number): void {
    const saved = bank.words.slice(at, at + 2 * count);
    this.#changes.push({ bank, at, count, lo: 0, hi: 0, saved, record, grew: -live, made: -1 });
  }

  /** Puts all entries and live counts back, last first. */
  restore(context: TableContext): void {
    for (let i = this.#changes.length - 1; i >= 0; i--) {
      const { bank, at, count, lo, hi, saved, record, grew } = this.#changes[i] as Change;
      const { words } = bank;
      if (saved !== null) {
        words.set(saved, at);
      } else {
        for (let entry = at; entry < at + 2 * count; entry += 2) {
          words[entry] = lo;
          words[entry + 1] = hi;
        }
      }
      context.counters.entriesWritten += count;
      context.records?.add(record, -grew);
    }
  }

  /**
   * Takes a failed map back: restores, flushes the range, and frees the tables that the call made.
   *
   * The flush comes before the frames go back: a cached upper level may still name them. They go back even when the
   * sink throws; the error that the caller sees is the one that made the map fail.
   */
  rollBack(context: TableContext, first: number, pages: number): void {
    if (this.#changes.length === 0) return;
    this.restore(context);
    const made = this.#changes.map((change) => change.made).filter((pfn) => pfn >= 0);
    try {
      flush(context, first, pages, context.plan.pageShift, made);
    } catch {
      // A sink must not throw (see FlushSink); the first error is the one worth telling.
    }
    freeTables(context, made);
  }
}
