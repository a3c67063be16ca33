import { entryHi, entryLo } from '../../../address-codec.js';
import { isWord } from '../../../check/address.js';
import { isFrame } from '../../../check/frames.js';
import { type LevelPlan, slotOf } from '../../../format/plan.js';
import type { Protection } from '../../../format/protection.js';
import { checkProtection } from '../../../format/protection.js';
import { loopsOf } from '../../../memory/bank.js';
import type { Words } from '../../../words.js';
import type { TableContext } from '../../state/context.js';
import { writeTableEntry } from '../../state/entries.js';
import { flush } from '../../state/flush.js';
import type { TableRecords } from '../../state/table-records.js';
import { freeTables, newTable } from '../../state/tables.js';
import { FlatWalk } from '../../walk/flat-walk.js';
import type { Translator } from '../../walk/translator.js';
import { leafFlags } from '../protect/leaf-flags.js';

/** No protection. A caller cannot pass it, as it could pass `null`. */
const NONE = Object.freeze({}) as Protection;

/** Result for a single page that needs the general call, which can split, refuse, and say why. */
export const GENERAL = -2;

/** Maps and unmaps single pages, by words, in ordinary cases. */
export interface SinglePageCalls {
  /** Returns false, and nothing is changed, when the general call must do it. */
  map(vaHi: number, vaLo: number, pfn: number, protection: Protection): boolean;
  /** Returns the frame; -1 when the slot was empty; `GENERAL`, and nothing is changed, for the general call. */
  unmap(vaHi: number, vaLo: number): number;
}

/**
 * Maps and unmaps single pages, by words, in ordinary cases. It makes no array, bigint or object on the way.
 * It leaves everything else to the general calls.
 *
 * For page tables that may be changed and whose tables are in one bank that is not shared memory: it writes the
 * two words of an entry one after the other.
 */
export class SinglePages implements SinglePageCalls {
  readonly #context: TableContext;
  readonly #records: TableRecords;
  readonly #walk: FlatWalk;
  readonly #last: LevelPlan;
  /**
   * First frame of the bank, and log2 of the words of a frame: an entry's word index gives its table's
   * frame.
   */
  readonly #firstFrame: number = 0;
  readonly #frameShift: number = 0;
  readonly #pageMask: number = 0;
  /** The first frame that the walk does not write: one that no entry can hold, or 2^32. */
  readonly #shortFrames: number = 0;
  /** The bits of protections that can no longer change. To ask the format takes longer than to map. */
  readonly #known: WeakMap<Protection, Words> = new WeakMap();
  /** The protection of the last `map`, when it can no longer change, and its bits. */
  #protection: Protection = NONE;
  #flagsLo = 0;
  #flagsHi = 0;

  constructor(context: TableContext, records: TableRecords, walk: FlatWalk) {
    const { plan, root } = context;
    this.#context = context;
    this.#records = records;
    this.#walk = walk;
    this.#last = plan.levels[plan.last] as LevelPlan;
    this.#firstFrame = Number(root.bank.base >> BigInt(plan.pageShift));
    // `| 0`: V8 keeps the result of `**` as a double, and converts it at each use.
    this.#frameShift = (plan.pageShift - 2) | 0;
    this.#pageMask = (2 ** plan.pageShift - 1) | 0;
    this.#shortFrames = Math.min(plan.pfnLimit, 2 ** 32);
    walk.countIn(records);
    context.unsettled = walk;
  }

  /**
   * Maps one page.
   *
   * @returns false, and nothing is changed, when the general call must do it.
   * @throws VmError `EINVAL` for a protection that the format cannot express; `ENOMEM` when there is no
   *   frame for a table.
   */
  map(vaHi: number, vaLo: number, pfn: number, protection: Protection): boolean {
    // Short, so that V8 inlines it with all that it calls: it takes 920 bytes of bytecode into a caller (19.6 → 16 ns, x86-64, Node 20).
    if (
      this.#isOrdinary(vaHi, vaLo) &&
      typeof pfn === 'number' &&
      pfn >>> 0 === pfn &&
      pfn < this.#shortFrames &&
      protection === this.#protection
    ) {
      // Compared with `true`: otherwise V8 checks for other types than a boolean.
      if (this.#walk.mapPage(vaHi, vaLo, pfn, this.#flagsLo, this.#flagsHi) === true) return true;
      return this.#mapBelow(vaHi, vaLo, pfn);
    }
    return this.#mapOther(vaHi, vaLo, pfn, protection);
  }

  /**
   * Removes the mapping of one page, with a flush.
   *
   * @returns the frame that was mapped; -1 when the slot was empty; `GENERAL`, and nothing is changed, when
   *   the general call must do it.
   * @throws what the sink throws; the page is then mapped as before.
   */
  unmap(vaHi: number, vaLo: number): number {
    if (!this.#isOrdinary(vaHi, vaLo)) return GENERAL;
    const { sink } = this.#context;
    const was = this.#walk.unmapPage(vaHi, vaLo, sink);
    if (was === -1) this.#countEmpty();
    else if (sink !== null && was >= 0) this.#flush(vaHi, vaLo);
    return was;
  }

  /** True for a valid page address whose table may be changed now. */
  #isOrdinary(vaHi: number, vaLo: number): boolean {
    return isWord(vaHi) && isWord(vaLo) && (vaLo & this.#pageMask) === 0 && this.#context.busy === 0;
  }

  /** The same with another protection than the last one, or a frame beyond 2^32. */
  #mapOther(vaHi: number, vaLo: number, pfn: number, protection: Protection): boolean {
    if (!this.#isOrdinary(vaHi, vaLo) || !isFrame(pfn, this.#context.plan.pfnLimit)) return false;
    if (protection !== this.#protection) this.#takeFlags(protection);
    if (pfn < this.#shortFrames && this.#walk.mapPage(vaHi, vaLo, pfn, this.#flagsLo, this.#flagsHi))
      return true;
    return this.#mapBelow(vaHi, vaLo, pfn);
  }

  #takeFlags(protection: Protection): void {
    let flags = this.#known.get(protection);
    if (flags === undefined) {
      const checked = checkProtection(protection);
      const { lo, hi } = leafFlags(this.#context.plan, checked, this.#last);
      // `| 0`: V8 keeps a word above 2^31 as a double, and converts it at each use.
      flags = { lo: lo | 0, hi: hi | 0 };
      // A copy was made of one that may answer otherwise the next time.
      if (checked === protection) this.#known.set(protection, flags);
      else protection = NONE;
    }
    this.#protection = protection;
    this.#flagsLo = flags.lo;
    this.#flagsHi = flags.hi;
  }

  #write(words: Int32Array, at: number, pfn: number): void {
    const { address } = this.#context.plan;
    words[at] = this.#flagsLo | entryLo(address, pfn);
    words[at | 1] = this.#flagsHi | entryHi(address, pfn);
  }

  /** The record of the table that holds an entry. */
  #recordAt(at: number): number {
    return this.#records.find(this.#firstFrame + (at >>> this.#frameShift));
  }

  /** Counts a walk to an empty slot. */
  #countEmpty(): void {
    const { length } = this.#context.plan.levels;
    this.#count(length, length, 0);
  }

  #count(tables: number, entries: number, written: number): void {
    const { counters } = this.#context;
    counters.tablesRead += tables;
    counters.entriesRead += entries;
    counters.entriesWritten += written;
  }

  /**
   * Makes the tables below an empty slot and maps the page in the last of them. They are written before they
   * are linked. So when a frame is missing, only the frames have to go back.
   */
  #mapBelow(vaHi: number, vaLo: number, pfn: number): boolean {
    // Where the tables are there, the general call maps what is left: frames beyond 2^32, and slots that are in use.
    if (this.#walk.entryOf(vaHi, vaLo) >= 0) return false;
    const context = this.#context;
    const { plan } = context;
    const { missLevel, missAt } = this.#walk;
    const { bank } = context.root;
    if (missLevel < 0 || ((bank.words[missAt] as number) | (bank.words[missAt | 1] as number)) !== 0)
      return false;
    const missing = plan.last - missLevel;
    const page = this.#walk.pageOf(vaHi, vaLo);
    const top = this.#recordAt(missAt);
    let record = top;
    let slot = missAt;
    let first = -1;
    const made: number[] = [];
    try {
      for (let index = missLevel + 1; index <= plan.last; index++) {
        const table = newTable(context, index, record, 0, page);
        made.push(table);
        if (first < 0) first = table;
        else {
          writeTableEntry(context.link, bank.words, slot, table);
          this.#records.add(record, 1);
        }
        record = this.#records.find(table);
        slot = bank.wordOf(table, plan.pageShift) + 2 * slotOf(plan.levels[index] as LevelPlan, vaHi, vaLo);
      }
    } catch (error) {
      freeTables(context, made);
      throw error;
    }
    this.#write(bank.words, slot, pfn);
    this.#records.add(record, 1);
    writeTableEntry(context.link, bank.words, missAt, first);
    this.#records.add(top, 1);
    this.#count(plan.levels.length, missLevel + 1, missing + 1);
    return true;
  }

  /** Tells the sink of a page that the walk has just removed. */
  #flush(vaHi: number, vaLo: number): void {
    const context = this.#context;
    const { removedAt: at, removedLo: lo, removedHi: hi } = this.#walk;
    const page = this.#walk.pageOf(vaHi, vaLo);
    const { pageShift } = context.plan;
    context.isChanging = true;
    try {
      flush(context, page, 1, pageShift, NO_TABLES);
    } catch (error) {
      const { words } = context.root.bank;
      words[at] = lo;
      words[at | 1] = hi;
      this.#records.add(this.#recordAt(at), 1);
      context.counters.entriesWritten++;
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
}

/** Makes it for a page table; `null` where the general calls must do everything. */
export function makeSinglePages(context: TableContext, translator: Translator): SinglePages | null {
  const { records, root } = context;
  if (records === null || !root.bank.writable || !(translator instanceof FlatWalk)) return null;
  if (loopsOf(root.bank).isShared) return null;
  return new SinglePages(context, records, translator);
}

const NO_TABLES: readonly number[] = Object.freeze([]);
