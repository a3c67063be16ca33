import { entryHi, entryLo } from '../../../address-codec.js';
import { isWord } from '../../../check/address.js';
import { hex, shown, VmError } from '../../../errors.js';
import { isInRun } from '../../../format/classify.js';
import type { LevelPlan } from '../../../format/plan.js';
import { checkProtection, type Protection } from '../../../format/protection.js';
import type { RunLoops } from '../../../loops/run-loops.js';
import type { Bank } from '../../../memory/bank.js';
import { printsItself } from '../../../prints.js';
import { joinWords, type Words, ZERO } from '../../../words.js';
import { addressOf, type PageRange } from '../../page-range.js';
import type { TableContext } from '../../state/context.js';
import { isLeaf, isPresent, isTable } from '../../state/entries.js';
import { leafStart } from '../../state/leaf-start.js';
import { leafFlags } from '../protect/leaf-flags.js';

/**
 * One entry, as a callback of `applyToRange` or `applyToExisting` sees it.
 *
 * It is the same object for every entry of a call. Read what is needed and keep the numbers, not the object.
 * What is set is written after the callback has seen all entries of the table. The slot itself shows it at
 * once.
 */
export interface Slot {
  /** First address that the entry translates, in bytes. */
  readonly va: bigint;
  /**
   * The same, as a plain number of pages from the first page of the call's range. Negative for a visited
   * block that begins before the range.
   */
  readonly page: number;
  /** Index into `format.levels`: the last, except for a visited block. */
  readonly level: number;
  /** log2 of the bytes that the entry translates. */
  readonly leafShift: number;
  /** Bits 31..0 of the entry, as a signed word. */
  readonly lo: number;
  /** Bits 63..32 of the entry, as a signed word. */
  readonly hi: number;
  /** The entry's 64 bits. */
  readonly entry: bigint;
  /** First frame of the leaf, in base pages; -1 when the entry is not a leaf. */
  readonly pfn: number;
  /**
   * Sets the entry's words.
   *
   * @throws VmError `EINVAL` when they are neither 0, nor a leaf of this level, nor an entry that the MMU
   *   ignores; when the entry is a leaf of a run; or when the range covers a visited block only in part.
   */
  set(lo: number, hi: number): void;
  /**
   * Sets the entry to a leaf.
   *
   * @param pfn - first frame, in base pages.
   * @throws VmError `EINVAL` as `set`, and for a frame or protection that the format cannot express.
   */
  setLeaf(pfn: number, protection: Protection): void;
}

/** Looks at one entry. When it returns anything but `undefined`, the call stops and returns that value. */
export type SlotVisitor<T> = (slot: Slot) => T | undefined;

/** The one implementation of `Slot`. It moves from entry to entry. */
export class EntrySlot implements Slot {
  /** The visited block reaches beyond the range. */
  isPartial = false;
  words: Int32Array = new Int32Array(2);
  readonly #context: TableContext;
  readonly #first: number;
  #level: LevelPlan;
  #at = 0;
  /** The loops of the run's bank when it is shared memory. */
  #shared: RunLoops | null = null;
  #start = 0;
  #index = 0;
  #lo = 0;
  #hi = 0;
  /** False between two calls of the callback: a callback that kept the slot cannot set anything. */
  #isOpen = false;
  /** What was set in the run, three numbers each: index, low word, high word. */
  #sets: Int32Array = new Int32Array(64);
  #setWords = 0;
  #protection: Protection | null = null;
  #flagsLevel: LevelPlan | null = null;
  #flags: Words = ZERO;

  constructor(context: TableContext, range: PageRange) {
    this.#context = context;
    this.#first = range.first;
    this.#level = context.plan.levels[context.plan.last] as LevelPlan;
    printsItself(new.target.prototype);
  }

  /** The entry that it is at. */
  toString(): string {
    const { name } = this.#level.level;
    return this.#isOpen
      ? `Slot: ${name} entry ${hex(this.entry)} at ${hex(this.va)}`
      : 'Slot: its call is over';
  }

  /**
   * Begins a run of entries.
   *
   * @param bank - whose words they are; `null` for words of the call's own.
   */
  begin(words: Int32Array, at: number, level: LevelPlan, page: number, bank: Bank | null): void {
    this.words = words;
    this.#shared = bank?.loops?.isShared === true ? bank.loops : null;
    this.#at = at;
    this.#level = level;
    this.#start = page;
    this.#setWords = 0;
    this.#isOpen = true;
  }

  /** Moves to an entry of the run; false when it is empty. */
  move(index: number): boolean {
    this.#index = index;
    const at = this.#at + 2 * index;
    const shared = this.#shared;
    this.#lo = shared === null ? (this.words[at] as number) : shared.load64(at);
    this.#hi = shared === null ? (this.words[at + 1] as number) : shared.high;
    return (this.#lo | this.#hi) !== 0;
  }

  end(): void {
    this.#isOpen = false;
  }

  /** True when an entry of the run was set. */
  get isSet(): boolean {
    return this.#setWords > 0;
  }

  /** Writes what was set into the run's words. */
  write(words: Int32Array, at: number): void {
    const sets = this.#sets;
    for (let i = 0; i < this.#setWords; i += 3) {
      const entry = at + 2 * (sets[i] as number);
      words[entry] = sets[i + 1] as number;
      words[entry + 1] = sets[i + 2] as number;
    }
  }

  get page(): number {
    return this.#start + this.#index * this.#level.pages - this.#first;
  }

  get va(): bigint {
    return addressOf(this.#context.plan.format, this.page + this.#first);
  }

  get level(): number {
    return this.#level.index;
  }

  get leafShift(): number {
    return this.#level.shift;
  }

  get lo(): number {
    return this.#lo;
  }

  get hi(): number {
    return this.#hi;
  }

  get entry(): bigint {
    return joinWords(this.#lo, this.#hi);
  }

  get pfn(): number {
    const level = this.#level;
    const { plan } = this.#context;
    if (!isLeaf(level, this.#lo, this.#hi)) return -1;
    const covered = level.pages;
    return leafStart(plan, level, this.#lo, this.#hi, (this.#start + this.#index * covered) / covered);
  }

  set(lo: number, hi: number): void {
    const level = this.#level;
    const { run } = level.level;
    if (!isWord(lo) || !isWord(hi)) {
      throw this.#refused(
        `cannot become the words ${shown(lo)} and ${shown(hi)}`,
        'give bits 31..0 and 63..32, each as a signed or unsigned 32-bit integer',
      );
    }
    const newLo = lo | 0;
    const newHi = hi | 0;
    if (!this.#isOpen) throw this.#refused('was kept after its callback', 'set it while it is visited');
    if (this.isPartial) {
      throw this.#refused(
        'is a block that reaches beyond the range',
        "name all of it, or use blocks: 'split'",
      );
    }
    if (run !== null && isLeaf(level, this.#lo, this.#hi) && isInRun(run, this.#lo, this.#hi)) {
      throw this.#refused('is a leaf of a run', "use blocks: 'split', which takes the run apart first");
    }
    if (isPresent(this.#context, newLo, newHi)) {
      const isRun = run !== null && isInRun(run, newLo, newHi);
      if (isRun || isTable(level, newLo, newHi) || !isLeaf(level, newLo, newHi)) {
        throw this.#refused(
          `cannot become ${hex(joinWords(newLo, newHi))}`,
          `it may be 0, a ${level.level.name} leaf outside of runs, or an entry that the MMU ignores`,
        );
      }
    }
    this.#lo = newLo;
    this.#hi = newHi;
    this.#keep(newLo, newHi);
  }

  setLeaf(pfn: number, protection: Protection): void {
    const level = this.#level;
    const { plan } = this.#context;
    if (!Number.isInteger(pfn) || pfn < 0 || pfn + level.pages > plan.pfnLimit || pfn % level.pages !== 0) {
      throw this.#refused(
        `cannot map frame ${shown(pfn)}`,
        `a frame is an integer below 0x${plan.pfnLimit.toString(16)}, and a multiple of ${level.pages} here`,
      );
    }
    if (protection !== this.#protection || level !== this.#flagsLevel) {
      const checked = checkProtection(protection);
      this.#flags = leafFlags(plan, checked, level);
      // A protection that may answer otherwise the next time is encoded anew each time.
      this.#protection = checked === protection ? protection : null;
      this.#flagsLevel = level;
    }
    this.set(this.#flags.lo | entryLo(plan.address, pfn), this.#flags.hi | entryHi(plan.address, pfn));
  }

  #keep(lo: number, hi: number): void {
    const at = this.#setWords;
    if (at + 3 > this.#sets.length) {
      const larger = new Int32Array(4 * this.#sets.length);
      larger.set(this.#sets);
      this.#sets = larger;
    }
    this.#sets[at] = this.#index;
    this.#sets[at + 1] = lo;
    this.#sets[at + 2] = hi;
    this.#setWords = at + 3;
  }

  #refused(why: string, advice: string): VmError {
    return new VmError('EINVAL', `the ${this.#level.level.name} entry ${why}`, { address: this.va, advice });
  }
}
