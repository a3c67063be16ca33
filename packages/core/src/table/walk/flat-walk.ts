import { entryHi, entryLo, rotateRight } from '../../address-codec.js';
import { type LevelPlan, meets, type Plan } from '../../format/plan.js';
import type { EntryFinder } from '../../loops/run-loops.js';
import type { Bank } from '../../memory/bank.js';
import type { Counters } from '../state/counters.js';
import type { FlushSink } from '../state/flush-sink.js';
import type { TableRecords } from '../state/table-records.js';
import { FlatFinder } from './flat-finder.js';
import { type Compare, ownPage, plainPage } from './plain-page.js';
import type { Translator } from './translator.js';
import { finish } from './walk-end.js';

/**
 * Translates by tables in one bank. A finder walks to the entry of the last level, in WebAssembly where
 * there is one for it. One compare tells a plain page from everything else.
 *
 * Numbers are `declare`d and first written with `| 0`: V8 checks and converts a field that starts as undefined, or with a result of `**`, at each use
 * (6.3 → 4.8 times a walk with constants in its code, Node 20).
 */
export class FlatWalk implements Translator {
  /** The test "is a plain page, of a frame below 2^32": without further rules, and in no NAPOT run. */
  declare readonly plainMaskLo: number;
  declare readonly plainMaskHi: number;
  declare readonly plainValueLo: number;
  declare readonly plainValueHi: number;
  /** The address codec's fields for such a frame. */
  declare readonly lowLo: number;
  declare readonly lowHi: number;
  declare readonly lowRotate: number;
  /**
   * The bank's words. In a detached view each word is undefined, which is no page; a new view is then taken.
   */
  words: Int32Array;
  /** Index of the root's first word in the bank. */
  declare readonly rootWord: number;
  /** The entry that `unmapPage` has removed last: its word index, and what it was. */
  removedAt = 0;
  removedLo = 0;
  removedHi = 0;
  readonly bank: Bank;
  #finder: EntryFinder;
  /** What `countIn` gives: levels and live counts of tables by record, and the record of the bank's first frame. */
  protected levels: Int32Array = NONE;
  protected live: Int32Array = NONE;
  protected record = 0;
  /** Work since `settle`: entries that were changed, and flushes without a sink. */
  protected changed = 0;
  protected flushed = 0;
  readonly #flat: FlatFinder;
  readonly #plan: Plan;
  readonly #own: Compare;

  constructor(plan: Plan, bank: Bank, rootWord: number) {
    const { address } = plan;
    const plain = plainPage(plan);
    this.plainMaskLo = plain.maskLo;
    this.plainMaskHi = plain.maskHi;
    this.plainValueLo = plain.valueLo;
    this.plainValueHi = plain.valueHi;
    this.lowLo = address.lowLo | 0;
    this.lowHi = address.lowHi | 0;
    this.lowRotate = address.lowRotate | 0;
    this.words = bank.words;
    this.rootWord = rootWord | 0;
    this.bank = bank;
    this.#plan = plan;
    this.#own = ownPage(plan);
    this.#flat = new FlatFinder(plan, bank, rootWord);
    const walks = bank.loops?.walks ?? null;
    const words = walks?.planOf(plan, bank, rootWord) ?? null;
    this.#finder = (words === null ? null : walks?.finder(words)) ?? this.#flat;
  }

  translate(high: number, low: number): number {
    const at = this.#finder.entryOf(high, low);
    if (at < 0) return this.#end(high, low);
    const pfn = this.plainFrameAt(at);
    return pfn < 0 ? this.frameAt(at, high, low) : pfn;
  }

  /**
   * The word index of the last level's entry for an address, whatever it holds. -1 when the walk ends before
   * it: then `missLevel` and `missAt` tell where.
   */
  entryOf(high: number, low: number): number {
    this.#isRenewed();
    const at = this.#finder.entryOf(high, low);
    return at < 0 ? this.#flatEntryOf(high, low) : at;
  }

  /** Keeps the counts of the tables that this walk changes. */
  countIn(records: TableRecords): void {
    const { levels, live, first } = records.counts;
    this.levels = levels;
    this.live = live;
    this.record = Number(this.bank.base >> BigInt(this.#plan.pageShift)) - first;
  }

  /** Adds the work that is not in the counters yet. Single pages add to one number each: three took 2 of 18 ns (x86-64, Node 20). */
  settle(counters: Counters): void {
    const walks = this.changed * this.#plan.levels.length;
    counters.tablesRead += walks;
    counters.entriesRead += walks;
    counters.entriesWritten += this.changed;
    counters.flushes += this.flushed;
    this.changed = 0;
    this.flushed = 0;
  }

  /** Counts an entry that a call has made or cleared. */
  #count(at: number, entries: number): void {
    const record = (at >>> (this.#plan.pageShift - 2)) + this.record;
    // A frame of another allocator has no record: its place is outside of the array, or 0.
    if ((this.levels[record] as number) > 0) (this.live[record] as number) += entries;
    this.changed++;
  }

  /**
   * Maps a page below the last level's table, when its entry is empty.
   *
   * @param pfn - below 2^32, and one that an entry can hold.
   * @returns false, and nothing is changed, when another way must be taken.
   */
  mapPage(high: number, low: number, pfn: number, flagsLo: number, flagsHi: number): boolean {
    this.#isRenewed();
    const at = this.#finder.entryOf(high, low);
    const { words } = this;
    if (at < 0 || ((words[at] as number) | (words[at | 1] as number)) !== 0) return false;
    const { address } = this.#plan;
    words[at] = flagsLo | entryLo(address, pfn);
    words[at | 1] = flagsHi | entryHi(address, pfn);
    this.#count(at, 1);
    return true;
  }

  /**
   * Removes a plain page that is in no run, and counts a flush where there is no sink.
   *
   * @param sink - told that something changes, before it does; `null` for nobody.
   * @returns its frame; -1 for an empty entry; -2, and nothing is changed, when another way must be taken.
   */
  unmapPage(high: number, low: number, sink: FlushSink | null): number {
    this.#isRenewed();
    const at = this.#finder.entryOf(high, low);
    if (at < 0) return -2;
    const { words } = this;
    const lo = words[at] as number;
    const hi = words[at | 1] as number;
    if ((lo | hi) === 0) return -1;
    const { maskLo, maskHi, valueLo, valueHi } = this.#own;
    if ((((lo & maskLo) ^ valueLo) | ((hi & maskHi) ^ valueHi)) !== 0) return -2;
    if (sink === null) this.flushed++;
    else this.removing(sink, at, lo, hi);
    words[at] = 0;
    words[at | 1] = 0;
    this.#count(at, -1);
    return rotateRight((lo & this.lowLo) | (hi & this.lowHi), this.lowRotate) >>> 0;
  }

  /** Tells a sink that an entry changes, and keeps what it was. */
  protected removing(sink: FlushSink, at: number, lo: number, hi: number): void {
    sink.changing?.();
    this.removedAt = at;
    this.removedLo = lo;
    this.removedHi = hi;
  }

  /** Level of the entry in which the last walk of `entryOf` ended early; -1 outside the range. */
  get missLevel(): number {
    return this.#flat.missLevel;
  }

  /** Word index of that entry. */
  get missAt(): number {
    return this.#flat.missAt;
  }

  /** The end of a made walk for an entry: it is at `at`, and no table inside the bank. With a new view of the bank the walk begins again. */
  protected noEntry(level: number, at: number, high: number, low: number): number {
    if (this.#isRenewed()) return this.entryOf(high, low);
    this.#flat.missLevel = level;
    this.#flat.missAt = at;
    return -1;
  }

  /** The same for a translation, which also ends here at an entry of the last level that is no plain page. */
  protected noPage(level: number, at: number, high: number, low: number): number {
    if (this.#isRenewed()) return this.translate(high, low);
    if (level === this.#plan.last) return this.frameAt(at, high, low);
    return this.#endAt(level, at, high, low);
  }

  /** Takes a new view of the bank. @returns false when it has this one already. */
  #isRenewed(): boolean {
    const { words } = this.bank;
    const isNew = words !== this.words;
    this.words = words;
    return isNew;
  }

  /** The frame of the plain page that the last level's entry at a word index maps; -1 when it is no such entry. */
  plainFrameAt(at: number): number {
    const lo = this.words[at] as number;
    const hi = this.words[at | 1] as number;
    if ((((lo & this.plainMaskLo) ^ this.plainValueLo) | ((hi & this.plainMaskHi) ^ this.plainValueHi)) !== 0)
      return -1;
    return rotateRight((lo & this.lowLo) | (hi & this.lowHi), this.lowRotate) >>> 0;
  }

  /** The frame of the page that the last level's entry at a word index maps; -1 when it maps none. */
  frameAt(at: number, high: number, low: number): number {
    this.words = this.bank.words;
    const lo = this.words[at] as number;
    const hi = this.words[at | 1] as number;
    return finish(this.#plan, this.#plan.last, lo, hi, this.#inside(high), low | 0);
  }

  /** The page of an address, counted from the start of the root's range. */
  pageOf(high: number, low: number): number {
    const { pageShift } = this.#plan;
    // A shift: V8 calls a function for `**`.
    return (this.#inside(high) >>> 0) * (1 << (32 - pageShift)) + (low >>> pageShift);
  }

  /** The translation of an address whose walk ends early. */
  #end(high: number, low: number): number {
    const at = this.#flatEntryOf(high, low);
    if (at >= 0) return this.frameAt(at, high, low);
    return this.#endAt(this.missLevel, this.missAt, high, low);
  }

  /** The translation of an address whose walk ends in an entry that is no table inside the bank. */
  #endAt(level: number, at: number, high: number, low: number): number {
    if (level < 0) return -1;
    const { words } = this.bank;
    const lo = words[at] as number;
    const hi = words[at | 1] as number;
    // Tables are tried before leaves: a table outside the bank must not count as a leaf.
    if (meets((this.#plan.levels[level] as LevelPlan).table, lo, hi)) return -1;
    return finish(this.#plan, level, lo, hi, this.#inside(high), low | 0);
  }

  /**
   * The same in JavaScript, for what the finder did not find. Where the finder never will, JavaScript takes
   * over for good.
   */
  #flatEntryOf(high: number, low: number): number {
    if (this.#finder.isLost) this.#finder = this.#flat;
    return this.#flat.entryOf(high, low);
  }

  /** The bits of a high word that belong to the range. */
  #inside(high: number): number {
    return high & this.#flat.keepHi;
  }
}

const NONE = new Int32Array(0);
