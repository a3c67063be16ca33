import { type LevelPlan, slotOf } from '../../format/plan.js';
import type { EntryFinder } from '../../loops/run-loops.js';
import type { Bank } from '../../memory/bank.js';
import type { TableContext } from '../state/context.js';
import { childPfn, isTable } from '../state/entries.js';
import { bankOf } from '../state/table-banks.js';
import type { Translator } from './translator.js';
import { finish, isInRange, type RangeTest, rangeTest } from './walk-end.js';

/** True when other threads may use some of the bytes that a root's tables are in. */
export function isShared({ memory }: TableContext): boolean {
  return memory.banks.some(({ atomic }) => atomic !== null);
}

/**
 * The walk for memory that other threads may use: it reads each entry as one atomic, and keeps nothing from one
 * address to the next.
 */
export class SharedLookup implements Translator {
  /** log2 bytes of the leaf that the last translation ended in; 0 when there was none. */
  leafShift = 0;
  readonly #context: TableContext;
  readonly #range: RangeTest;

  constructor(context: TableContext) {
    this.#context = context;
    this.#range = rangeTest(context.plan);
  }

  translate(vaHi: number, vaLo: number): number {
    this.leafShift = 0;
    if (!isInRange(this.#range, vaHi, vaLo)) return -1;
    const { plan, root } = this.#context;
    let { bank, word } = root;
    for (let index = 0; ; index++) {
      const level = plan.levels[index] as LevelPlan;
      const { atomic } = bank;
      const at = word + 2 * slotOf(level, vaHi, vaLo);
      const lo = atomic === null ? (bank.words[at] as number) : atomic.load64(at);
      const hi = atomic === null ? (bank.words[at + 1] as number) : atomic.high;
      if (index === plan.last || !isTable(level, lo, hi)) {
        const pfn = finish(plan, index, lo, hi, vaHi, vaLo);
        if (pfn >= 0) this.leafShift = level.shift;
        return pfn;
      }
      const child = childPfn(this.#context, lo, hi);
      word = bank.wordOf(child, plan.pageShift);
      if (word >= 0) continue;
      const other = bankOf(this.#context, child);
      if (other === null) return -1;
      bank = other;
      word = bank.wordOf(child, plan.pageShift);
    }
  }
}

/**
 * The same, where all tables are in one bank whose loops have a finder: that walks to the entry of the last level
 * in WebAssembly, and reads each entry above as one atomic.
 */
export class SharedWalk implements Translator {
  readonly #bank: Bank;
  readonly #context: TableContext;
  readonly #keepHi: number;
  readonly #lookup: SharedLookup;
  #finder: EntryFinder | null;

  constructor(context: TableContext) {
    const { plan, memory, root } = context;
    const walks = memory.banks.length === 1 ? (root.bank.loops?.walks ?? null) : null;
    const words = walks?.planOf(plan, root.bank, root.word) ?? null;
    this.#bank = root.bank;
    this.#context = context;
    this.#keepHi = rangeTest(plan).keepHi;
    this.#lookup = new SharedLookup(context);
    this.#finder = words === null ? null : (walks?.finder(words) ?? null);
  }

  translate(vaHi: number, vaLo: number): number {
    const finder = this.#finder;
    if (finder === null) return this.#lookup.translate(vaHi, vaLo);
    const at = finder.entryOf(vaHi, vaLo);
    const { atomic } = this.#bank;
    if (at < 0 || atomic === null) {
      if (finder.isLost) this.#finder = null;
      return this.#lookup.translate(vaHi, vaLo);
    }
    const lo = atomic.load64(at);
    const { plan } = this.#context;
    return finish(plan, plan.last, lo, atomic.high, vaHi & this.#keepHi, vaLo | 0);
  }
}
