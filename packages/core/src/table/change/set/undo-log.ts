import type { RunLoops } from '../../../loops/run-loops.js';
import { type Bank, loopsOf } from '../../../memory/bank.js';
import { copyOut } from '../../state/entries.js';
import type { TableRecords } from '../../state/table-records.js';
import type { Span } from '../look/span.js';

/**
 * Numbers for each change: `at`, `count`, the table's record, the change in its live entries, what was
 * before, and the number of tables.
 */
const STRIDE = 6;
/**
 * What was before: all entries were 0. Other values: 0 and up is an index in `#saved`, -2 and down one in
 * `#flags`.
 */
const EMPTY = -1;
/**
 * Words of the buffer that saved runs share: to allocate one for each costs more than the copy. The first
 * buffer of a call is small, since most calls save one run. To zero 64 KiB for it was more than half of a
 * vmalloc and vfree of one page.
 */
const CHUNK_WORDS = 16384;
const FIRST_CHUNK_WORDS = 256;

/**
 * What one call changed, run by run, so that all of it can be put back.
 *
 * It keeps numbers in arrays instead of an object for each change. A call that maps 256 GiB makes 131,072
 * tables, and the garbage collector would copy objects that live until its end again and again.
 */
export class UndoLog {
  /** Banks, not their words: a WebAssembly.Memory may grow during the call. */
  readonly #banks: Bank[] = [];
  readonly #numbers: number[] = [];
  readonly #saved: Int32Array[] = [];
  /** Mask and value, two words each. */
  readonly #flags: number[] = [];
  #chunk: Int32Array | null = null;
  #used = 0;

  get isEmpty(): boolean {
    return this.#banks.length === 0;
  }

  /**
   * Notes a run of entries before they are written. All are 0.
   *
   * @param tables - how many tables that follow each other the entries fill; 1 for one, or a part of one.
   */
  noteEmpty(bank: Bank, at: number, count: number, record: number, tables: number): void {
    this.#banks.push(bank);
    this.#numbers.push(at, count, record, count / tables, EMPTY, tables);
  }

  /**
   * Notes a run of entries with their words before the change.
   *
   * @param record - of the table that holds the entries; -1 when it is not counted.
   * @param grew - the change in the table's live entries.
   */
  noteWords(bank: Bank, at: number, count: number, record: number, grew: number, saved: Int32Array): void {
    this.#banks.push(bank);
    this.#numbers.push(at, count, record, grew, this.#saved.push(saved) - 1, 1);
  }

  /**
   * Notes a run in which all entries that are not 0 had the value under the mask. Only the bits under the
   * mask will change.
   */
  noteFlags(span: Span, maskLo: number, maskHi: number, valueLo: number, valueHi: number): void {
    this.#banks.push(span.bank);
    this.#numbers.push(span.at, span.count, -1, 0, -2 - this.#flags.length, 1);
    this.#flags.push(maskLo, maskHi, valueLo, valueHi);
  }

  /** A copy of a run's present words, for `noteWords`. */
  copyOf(bank: Bank, at: number, count: number): Int32Array {
    const length = 2 * count;
    if (length > CHUNK_WORDS / 2) return copyOut(bank, at, count);
    if (this.#chunk === null || this.#used + length > this.#chunk.length) {
      const before = this.#chunk === null ? FIRST_CHUNK_WORDS / 4 : this.#chunk.length;
      this.#chunk = new Int32Array(Math.min(CHUNK_WORDS, Math.max(4 * before, 2 * length)));
      this.#used = 0;
    }
    const copy = this.#chunk.subarray(this.#used, this.#used + length);
    loopsOf(bank).get(at, count, copy, 0);
    this.#used += length;
    return copy;
  }

  /**
   * Puts everything back, last change first.
   *
   * @returns the number of entries that were written.
   */
  restore(records: TableRecords | null): number {
    const numbers = this.#numbers;
    let written = 0;
    for (let i = this.#banks.length - 1; i >= 0; i--) {
      const bank = this.#banks[i] as Bank;
      const loops = loopsOf(bank);
      const first = STRIDE * i;
      const at = numbers[first] as number;
      const count = numbers[first + 1] as number;
      const before = numbers[first + 4] as number;
      if (before === EMPTY) loops.erase(at, count);
      else if (before >= 0) loops.put(at, this.#saved[before] as Int32Array, 0, count);
      else this.#restoreFlags(loops, at, count, -2 - before);
      written += count;
      const grew = numbers[first + 3] as number;
      records?.addEach(numbers[first + 2] as number, numbers[first + 5] as number, -grew);
    }
    return written;
  }

  #restoreFlags(loops: RunLoops, at: number, count: number, index: number): void {
    const flags = this.#flags;
    const maskLo = flags[index] as number;
    const maskHi = flags[index + 1] as number;
    loops.change(at, count, maskLo, maskHi, flags[index + 2] as number, flags[index + 3] as number);
  }
}
