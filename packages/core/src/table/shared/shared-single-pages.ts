import { entryHi, entryLo, pfnOf } from '../../address-codec.js';
import { isWord } from '../../check/address.js';
import { isFrame } from '../../check/frames.js';
import { isInRun } from '../../format/classify.js';
import { type LevelPlan, slotOf } from '../../format/plan.js';
import { checkProtection, type Protection } from '../../format/protection.js';
import type { SharedRunLoops } from '../../loops/run-loops.js';
import { type Bank, loopsOf } from '../../memory/bank.js';
import { type Words, ZERO } from '../../words.js';
import { GENERAL, type SinglePageCalls } from '../change/map/single-page.js';
import { leafFlags } from '../change/protect/leaf-flags.js';
import type { TableContext } from '../state/context.js';
import { childPfn, isLeaf, isTable } from '../state/entries.js';
import { flush } from '../state/flush.js';
import { bankOf } from '../state/table-banks.js';
import { recordOf } from '../state/tables.js';
import { isInRange, pageOfWords, type RangeTest, rangeTest } from '../walk/walk-end.js';
import type { Journal } from './journal.js';
import { NoteKind, undoNote } from './notes.js';

/** Begins and ends calls on shared tables, and gives the thread's journal. */
interface Runner {
  readonly journal: Journal;
  /** Begins a call that others do not exclude. False within another call of this thread: then nothing ends. */
  begin(): boolean;
  end(): void;
  /** Number of times that a thread was alone, and may have taken out tables. */
  readonly changes: number;
}

const NO_TABLES: readonly number[] = Object.freeze([]);

/** No protection. A caller cannot pass it. */
const NONE = Object.freeze({}) as Protection;

/**
 * Maps and unmaps single pages of a table that threads share, in ordinary cases: the tables exist, and the slot is
 * free or holds a page by itself. From one call to the next it keeps the bits of a protection, and one table.
 *
 * A call that maps makes no object: the collector of one thread takes a processor from the others.
 */
export class SharedSinglePages implements SinglePageCalls {
  readonly #context: TableContext;
  readonly #threads: Runner;
  readonly #range: RangeTest;
  readonly #last: LevelPlan;
  readonly #pageMask: number;
  #protection: Protection = NONE;
  #flags: Words = ZERO;
  /** Where the last walk ended: bank, word and record of the entry of the last level. */
  #bank: Bank;
  #at = -1;
  #record = -1;
  /** The same of the first entry of its table, and the address bits above it. */
  #table = -1;
  #tableHi = 0;
  #tableLo = 0;
  /** What must not have changed since: else the table may have gone. */
  #changes = -1;
  #generation = -1;
  /** The bits of an address's low word that choose the table; 0 when a table has more than 4 GiB. */
  readonly #tableMask: number;
  /** The entry that the last call has taken. */
  readonly #taken = new Int32Array(2);

  constructor(context: TableContext, threads: Runner) {
    const { plan, root } = context;
    this.#context = context;
    this.#threads = threads;
    this.#range = rangeTest(plan);
    this.#last = plan.levels[plan.last] as LevelPlan;
    this.#pageMask = (2 ** plan.pageShift - 1) | 0;
    this.#bank = root.bank;
    const above = Math.log2(this.#last.entries) + plan.pageShift;
    this.#tableMask = above < 32 ? -(2 ** above) | 0 : 0;
  }

  map(vaHi: number, vaLo: number, pfn: number, protection: Protection): boolean {
    const context = this.#context;
    const { plan } = context;
    if (!this.#isOrdinary(vaHi, vaLo) || !isFrame(pfn, plan.pfnLimit)) return false;
    if (protection !== this.#protection) this.#takeFlags(protection);
    const isOutermost = this.#threads.begin();
    try {
      return this.#claim(vaHi | 0, vaLo | 0, pfn, isOutermost);
    } finally {
      if (isOutermost) this.#threads.end();
    }
  }

  unmap(vaHi: number, vaLo: number): number {
    if (!this.#isOrdinary(vaHi, vaLo)) return GENERAL;
    const isOutermost = this.#threads.begin();
    try {
      return this.#take(vaHi | 0, vaLo | 0, isOutermost);
    } finally {
      if (isOutermost) this.#threads.end();
    }
  }

  #claim(vaHi: number, vaLo: number, pfn: number, isOutermost: boolean): boolean {
    if (!this.#find(vaHi, vaLo, isOutermost)) return false;
    const context = this.#context;
    const { address, last, levels } = context.plan;
    const { lo, hi } = this.#flags;
    const journal = this.#freeJournal();
    const { pfn: root } = context.root;
    journal?.openClaim(root, last, this.#bankIndex(), this.#at, this.#record, lo, hi, pfn);
    const loops = loopsOf(this.#bank);
    const isDone = loops.cas64(this.#at, 0, 0, lo | entryLo(address, pfn), hi | entryHi(address, pfn));
    if (isDone) context.records?.add(this.#record, 1);
    journal?.close();
    if (isDone) this.#count(levels.length, 1);
    return isDone;
  }

  #take(vaHi: number, vaLo: number, isOutermost: boolean): number {
    if (!this.#find(vaHi, vaLo, isOutermost)) return GENERAL;
    const context = this.#context;
    const { plan, records } = context;
    const level = this.#last;
    const loops = loopsOf(this.#bank) as SharedRunLoops;
    const { run } = level.level;
    let lo = loops.load64(this.#at);
    let hi = loops.high;
    if ((lo | hi) === 0) {
      this.#count(plan.levels.length, 0);
      return -1;
    }
    if (!isLeaf(level, lo, hi) || (run !== null && isInRun(run, lo, hi))) return GENERAL;
    context.sink?.changing?.();
    const journal = this.#freeJournal();
    const { pfn: root } = context.root;
    const note = journal?.openTaken(root, plan.last, this.#bankIndex(), this.#at, this.#record, lo, hi) ?? -1;
    const taken = this.#taken;
    const live = loops.take(this.#at, 1, taken, 0);
    lo = taken[0] as number;
    hi = taken[1] as number;
    journal?.correct(note, 0, lo, hi);
    records?.add(this.#record, -live);
    this.#count(plan.levels.length, live);
    try {
      if (live > 0) this.#flush(vaHi, vaLo, lo, hi);
    } finally {
      journal?.close();
    }
    return live > 0 ? pfnOf(plan.address, lo & level.leafAddressLo, hi & level.leafAddressHi) : -1;
  }

  /** The journal for the notes of this call; `null` when another call of this thread has it. */
  #freeJournal(): Journal | null {
    const { journal } = this.#threads;
    return journal.isOpen ? null : journal;
  }

  /** Flushes a page that was taken. When the sink throws, the page comes back. */
  #flush(vaHi: number, vaLo: number, lo: number, hi: number): void {
    const context = this.#context;
    const { last, pageShift } = context.plan;
    // A sink may call this object, too.
    const [bank, at, record] = [this.#bankIndex(), this.#at, this.#record];
    const page = pageOfWords(this.#range, vaHi, vaLo);
    context.isChanging = true;
    try {
      flush(context, page, 1, pageShift, NO_TABLES);
    } catch (error) {
      const note = { kind: NoteKind.taken, level: last, bank, at, count: 1, record, tables: 1, progress: 0 };
      const saved = Int32Array.of(lo, hi);
      context.counters.entriesWritten += undoNote(
        context,
        { ...note, lo: 0, hi: 0, saved, frames: null },
        true,
      );
      try {
        flush(context, page, 1, pageShift, NO_TABLES);
      } catch {
        // A sink must not throw (see FlushSink). The first error is the one to report.
      }
      throw error;
    } finally {
      context.isChanging = false;
    }
  }

  /**
   * Finds the entry of the last level. False when a table is missing.
   *
   * A table stays while nobody was alone. So a call in the table of the last one needs no walk, which takes a call
   * of WebAssembly for each level.
   */
  #find(vaHi: number, vaLo: number, isOutermost: boolean): boolean {
    const { generation } = this.#context;
    const { changes } = this.#threads;
    const above = vaLo & this.#tableMask;
    const isKnown =
      isOutermost &&
      changes === this.#changes &&
      generation === this.#generation &&
      vaHi === this.#tableHi &&
      above === this.#tableLo;
    if (isKnown) {
      this.#at = this.#table + 2 * slotOf(this.#last, vaHi, vaLo);
      return true;
    }
    this.#changes = -1;
    if (!this.#walk(vaHi, vaLo)) return false;
    // A call around this one may still take the table out, and is not counted again.
    if (!isOutermost || this.#tableMask === 0) return true;
    this.#table = this.#at - 2 * slotOf(this.#last, vaHi, vaLo);
    this.#tableHi = vaHi;
    this.#tableLo = above;
    this.#changes = changes;
    this.#generation = generation;
    return true;
  }

  /** Walks to the entry of the last level. False when a table is missing. */
  #walk(vaHi: number, vaLo: number): boolean {
    const context = this.#context;
    const { plan, root } = context;
    let { bank, pfn, word } = root;
    for (let index = 0; ; index++) {
      const level = plan.levels[index] as LevelPlan;
      const at = word + 2 * slotOf(level, vaHi, vaLo);
      if (index === plan.last) {
        this.#bank = bank;
        this.#at = at;
        this.#record = recordOf(context, pfn);
        return true;
      }
      const loops = loopsOf(bank);
      const lo = loops.load64(at);
      const hi = loops.high;
      if (!isTable(level, lo, hi)) return false;
      pfn = childPfn(context, lo, hi);
      const below = bankOf(context, pfn);
      if (below === null || !below.writable) return false;
      bank = below;
      word = bank.wordOf(pfn, plan.pageShift);
    }
  }

  #bankIndex(): number {
    return this.#context.memory.banks.indexOf(this.#bank);
  }

  #isOrdinary(vaHi: number, vaLo: number): boolean {
    const context = this.#context;
    return (
      isWord(vaHi) &&
      isWord(vaLo) &&
      (vaLo & this.#pageMask) === 0 &&
      isInRange(this.#range, vaHi | 0, vaLo | 0) &&
      context.root.bank.writable &&
      context.busy === 0
    );
  }

  #takeFlags(protection: Protection): void {
    const checked = checkProtection(protection);
    this.#flags = leafFlags(this.#context.plan, checked, this.#last);
    // A copy was made of one that may answer otherwise the next time.
    this.#protection = checked === protection ? protection : NONE;
  }

  #count(entries: number, written: number): void {
    const { counters } = this.#context;
    counters.tablesRead += entries;
    counters.entriesRead += entries;
    counters.entriesWritten += written;
  }
}
