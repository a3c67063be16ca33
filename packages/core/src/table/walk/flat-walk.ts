import { rotateRight } from '../../address-codec.js';
import { type LevelPlan, meets, type Plan } from '../../format/plan.js';
import type { EntryFinder } from '../../loops/run-loops.js';
import type { Bank } from '../../memory/bank.js';
import { FlatFinder } from './flat-finder.js';
import type { Translator } from './translator.js';
import { finish } from './walk-end.js';

/**
 * Translates by tables in one bank. A finder walks to the entry of the last level, in WebAssembly where
 * there is one for it. One compare tells a plain page from everything else.
 *
 * Numbers are `declare`d and first written with `| 0`; `FlatFinder` gives the reason.
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
  readonly bank: Bank;
  #finder: EntryFinder;
  readonly #flat: FlatFinder;
  readonly #plan: Plan;

  constructor(plan: Plan, bank: Bank, rootWord: number) {
    const { levels, last, address } = plan;
    const { sureLeaf, napotLo, napotHi } = levels[last] as LevelPlan;
    // No entry meets a value outside its mask. So where no mask can tell a page, all pages take the slow
    // path.
    this.plainMaskLo = sureLeaf === null ? 0 : sureLeaf.maskLo | napotLo | address.highLo;
    this.plainMaskHi = sureLeaf === null ? 0 : sureLeaf.maskHi | napotHi | address.highHi;
    this.plainValueLo = sureLeaf === null ? 1 : sureLeaf.valueLo | 0;
    this.plainValueHi = sureLeaf === null ? 0 : sureLeaf.valueHi | 0;
    this.lowLo = address.lowLo | 0;
    this.lowHi = address.lowHi | 0;
    this.lowRotate = address.lowRotate | 0;
    this.words = bank.words;
    this.bank = bank;
    this.#plan = plan;
    this.#flat = new FlatFinder(plan, bank, rootWord);
    const walks = bank.loops?.walks ?? null;
    const words = walks?.planOf(plan, bank, rootWord) ?? null;
    this.#finder = (words === null ? null : walks?.finder(words)) ?? this.#flat;
  }

  translate(high: number, low: number): number {
    const at = this.#finder.entryOf(high, low);
    if (at < 0) return this.#end(high, low);
    const lo = this.words[at] as number;
    const hi = this.words[at | 1] as number;
    const differs =
      ((lo & this.plainMaskLo) ^ this.plainValueLo) | ((hi & this.plainMaskHi) ^ this.plainValueHi);
    if (differs !== 0) return this.frameAt(at, high, low);
    return rotateRight((lo & this.lowLo) | (hi & this.lowHi), this.lowRotate) >>> 0;
  }

  /**
   * The word index of the last level's entry for an address, whatever it holds. -1 when the walk ends before
   * it: then `missLevel` and `missAt` tell where.
   */
  entryOf(high: number, low: number): number {
    const at = this.#finder.entryOf(high, low);
    return at < 0 ? this.#flatEntryOf(high, low) : at;
  }

  /** Level of the entry in which the last walk of `entryOf` ended early; -1 outside the range. */
  get missLevel(): number {
    return this.#flat.missLevel;
  }

  /** Word index of that entry. */
  get missAt(): number {
    return this.#flat.missAt;
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
    return (this.#inside(high) >>> 0) * 2 ** (32 - pageShift) + (low >>> pageShift);
  }

  /** The translation of an address whose walk ends early. */
  #end(high: number, low: number): number {
    const at = this.#flatEntryOf(high, low);
    if (at >= 0) return this.frameAt(at, high, low);
    if (this.missLevel < 0) return -1;
    const { words } = this.bank;
    const lo = words[this.missAt] as number;
    const hi = words[this.missAt | 1] as number;
    // Tables are tried before leaves: a table outside the bank must not count as a leaf.
    if (meets((this.#plan.levels[this.missLevel] as LevelPlan).table, lo, hi)) return -1;
    return finish(this.#plan, this.missLevel, lo, hi, this.#inside(high), low | 0);
  }

  /**
   * The same in JavaScript, for what the finder did not find. Where the finder never will, JavaScript takes
   * over for good.
   */
  #flatEntryOf(high: number, low: number): number {
    // The finder is the JavaScript one already.
    if (this.#finder === this.#flat) return -1;
    if (this.#finder.isLost) this.#finder = this.#flat;
    return this.#flat.entryOf(high, low);
  }

  /** The bits of a high word that belong to the range. */
  #inside(high: number): number {
    return high & this.#flat.keepHi;
  }
}
