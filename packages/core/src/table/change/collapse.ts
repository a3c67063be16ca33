import { entryHi, entryLo } from '../../address-codec.js';
import { isToldByFlags, type LevelPlan, matchesAddress, meets } from '../../format/plan.js';
import type { Bank } from '../../memory/bank.js';
import type { Words } from '../../words.js';
import { childPfn, isLeaf, isTable, recordOf, type TableContext, writableBankOfTable } from '../context.js';
import type { OwedFlushes } from '../flush-batch.js';
import { leafStart } from '../leaf-start.js';
import type { PageRange } from '../page-range.js';
import { changing } from './change-set.js';
import { mergeFlags } from './merge-flags.js';
import type { Span } from './span.js';

/** What a table says when all its leaves together are one: a leaf of the level above. */
interface Whole {
  /** First frame. */
  readonly pfn: number;
  /** Flags as the level above has them. */
  readonly flags: Words;
  /** log2 bytes of the smallest leaf in it. */
  readonly leafShift: number;
  /** The table, and those below it. */
  readonly tables: readonly number[];
}

/** A slot that takes a block in place of its table. */
interface Edit {
  readonly slot: Span;
  readonly block: Int32Array;
  readonly whole: Whole;
}

/**
 * Makes blocks of full tables wherever their leaves are one.
 *
 * All is read first, from the bottom up: a table that becomes one with its neighbours is not made a block by itself.
 *
 * @param maxLeafShift - cap on the blocks, log2 bytes.
 * @returns the number of blocks made.
 */
export function collapsePages(
  context: TableContext,
  range: PageRange,
  maxLeafShift: number,
  batch: OwedFlushes | null,
): number {
  const { root } = context;
  const edits: Edit[] = [];
  const collapser = new Collapser(context, range, maxLeafShift, edits);
  collapser.visit(0, root.bank, root.pfn, root.word, 0);
  changing(context, range, batch, (changes) => {
    for (const { slot, block, whole } of edits) {
      changes.rewrite(slot, block);
      changes.widen(slot.page, slot.level.pages, whole.leafShift);
      for (const table of whole.tables) if (!changes.isGone(table)) changes.free(table);
    }
  });
  return edits.length;
}

class Collapser {
  readonly #context: TableContext;
  readonly #first: number;
  readonly #end: number;
  readonly #maxLeafShift: number;
  readonly #edits: Edit[];

  constructor(context: TableContext, range: PageRange, maxLeafShift: number, edits: Edit[]) {
    this.#context = context;
    this.#first = range.first;
    this.#end = range.first + range.pages;
    this.#maxLeafShift = maxLeafShift;
    this.#edits = edits;
  }

  /**
   * Visits the part of a table that lies in the range.
   *
   * @param page - first page that the table translates.
   * @returns what it says as one leaf; `null` when it cannot be one, and then the slots that can be are noted.
   */
  visit(levelIndex: number, bank: Bank, pfn: number, word: number, page: number): Whole | null {
    const { plan, counters } = this.#context;
    const level = plan.levels[levelIndex] as LevelPlan;
    counters.tablesRead++;
    const union = this.#unionOf(levelIndex, pfn, page);
    if (levelIndex === plan.last) return union === null ? null : this.#readLeaves(union, level, bank, word);

    const { words } = bank;
    const noted: Edit[] = [];
    let one = union;
    const from = Math.max(0, Math.floor((this.#first - page) / level.pages));
    const to = Math.min(level.entries, Math.ceil((this.#end - page) / level.pages));
    const record = recordOf(this.#context, pfn);
    for (let slot = from; slot < to; slot++) {
      const at = word + 2 * slot;
      const lo = words[at] as number;
      const hi = words[at + 1] as number;
      counters.entriesRead++;
      if ((lo | hi) !== 0 && isTable(level, lo, hi)) {
        const start = page + slot * level.pages;
        const child = childPfn(this.#context, lo, hi);
        const below = writableBankOfTable(this.#context, child, start);
        const whole = this.visit(levelIndex + 1, below, child, below.wordOf(child, plan.pageShift), start);
        if (whole === null || this.#isRestricted(level, lo, hi, whole)) {
          one = null;
          continue;
        }
        const slotSpan = { level, bank, at, count: 1, record, page: start };
        noted.push({ slot: slotSpan, block: blockOf(this.#context, whole), whole });
        if (one?.addTable(whole) === false) one = null;
      } else if (one?.addEntry(lo, hi, slot) === false) {
        one = null;
      }
    }
    const whole = one?.whole() ?? null;
    if (whole === null) this.#edits.push(...noted);
    return whole;
  }

  /**
   * True when the entry that points to a table forbids what its leaves allow: the block in its place would not.
   *
   * @param level - of the entry.
   */
  #isRestricted(level: LevelPlan, lo: number, hi: number, whole: Whole): boolean {
    const { format, levels, last } = this.#context.plan;
    // A table's address has the bits that a page's has, whatever the level.
    const { leafAddressLo, leafAddressHi } = levels[last] as LevelPlan;
    const entry = { lo: lo & ~leafAddressLo, hi: hi & ~leafAddressHi };
    if (entry.lo === format.tableEntry.lo && entry.hi === format.tableEntry.hi) return false;
    const above = Array.from({ length: level.index }, () => format.tableEntry);
    const leaf = format.relevel(whole.flags, level.index, level.index + 1);
    const now = format.permissions([...above, { lo, hi }, leaf], format.controls);
    const then = format.permissions([...above, whole.flags], format.controls);
    return (['kernel', 'user'] as const).some((side) =>
      (['read', 'write', 'execute'] as const).some((kind) => now[side][kind] !== then[side][kind]),
    );
  }

  /** The leaves of a table of the last level. */
  #readLeaves(union: Union, level: LevelPlan, { words }: Bank, word: number): Whole | null {
    const { counters } = this.#context;
    for (let slot = 0; slot < level.entries; slot++) {
      counters.entriesRead++;
      if (!union.addEntry(words[word + 2 * slot] as number, words[word + 2 * slot + 1] as number, slot)) {
        return null;
      }
    }
    return union.whole();
  }

  /** Starts the union of a table's leaves; `null` when no block may take the table's place. */
  #unionOf(levelIndex: number, pfn: number, page: number): Union | null {
    const { plan, records, owner } = this.#context;
    const above = plan.levels[levelIndex - 1];
    if (above === undefined || above.level.leaf === null || above.shift > this.#maxLeafShift) return null;
    if (page < this.#first || page + above.pages > this.#end) return null;
    // A table of somebody else may be linked elsewhere, and could not be freed.
    if (records?.isOwn(records.find(pfn), owner, levelIndex) !== true) return null;
    return new Union(this.#context, plan.levels[levelIndex] as LevelPlan, above, pfn);
  }
}

/** The leaves of one table as they are met, as long as they are one leaf of the level above. */
class Union {
  readonly #tables: number[];
  #leafShift: number;
  readonly #context: TableContext;
  readonly #level: LevelPlan;
  readonly #above: LevelPlan;
  /** Merged flags, and those of the last entry, which need not be merged again. */
  #flags: Words | null = null;
  #hasLast = false;
  #lastLo = 0;
  #lastHi = 0;
  #first = 0;
  #next = 0;

  constructor(context: TableContext, level: LevelPlan, above: LevelPlan, pfn: number) {
    this.#context = context;
    this.#level = level;
    this.#above = above;
    this.#tables = [pfn];
    this.#leafShift = level.shift;
  }

  /** Adds the next slot's entry; false when it is no leaf or breaks the union. */
  addEntry(lo: number, hi: number, slot: number): boolean {
    const level = this.#level;
    const flagsLo = lo & ~level.leafAddressLo;
    const flagsHi = hi & ~level.leafAddressHi;
    const pfn = leafStart(this.#context.plan, level, lo, hi, slot);
    if (this.#hasLast && flagsLo === this.#lastLo && flagsHi === this.#lastHi) {
      return matchesAddress(level, lo, hi) && this.#addFrame(pfn);
    }
    if (!isLeaf(level, lo, hi)) return false;
    this.#hasLast = isToldByFlags(level, lo, hi);
    this.#lastLo = flagsLo;
    this.#lastHi = flagsHi;
    // As a leaf without the mark of a run.
    const { format } = this.#context.plan;
    return this.#add(format.relevel({ lo: flagsLo, hi: flagsHi }, level.index, level.index), pfn);
  }

  /** Adds the next slot, whose table is one leaf; false when it breaks the union. */
  addTable(whole: Whole): boolean {
    this.#tables.push(...whole.tables);
    this.#leafShift = Math.min(this.#leafShift, whole.leafShift);
    return this.#add(whole.flags, whole.pfn);
  }

  /** Adds the next slot as a leaf of this level; false when it breaks the union. */
  #add(flags: Words, pfn: number): boolean {
    const { format } = this.#context.plan;
    if (this.#flags === null) {
      if (pfn % this.#above.pages !== 0) return false;
      this.#flags = flags;
      this.#first = pfn;
      this.#next = pfn;
    } else {
      this.#flags = mergeFlags(format, this.#level.index, this.#flags, flags);
      if (this.#flags === null) return false;
    }
    return this.#addFrame(pfn);
  }

  /** All slots as one leaf; `null` when the format does not know such a leaf. */
  whole(): Whole | null {
    const { format } = this.#context.plan;
    if (this.#flags === null) return null;
    const flags = format.relevel(this.#flags, this.#level.index, this.#above.index);
    if (!meets(this.#above.leaf, flags.lo, flags.hi)) return null;
    return { pfn: this.#first, flags, leafShift: this.#leafShift, tables: this.#tables };
  }

  #addFrame(pfn: number): boolean {
    if (pfn !== this.#next) return false;
    this.#next += this.#level.pages;
    return true;
  }
}

/** The words of a block. */
function blockOf(context: TableContext, { pfn, flags }: Whole): Int32Array {
  const { address } = context.plan;
  return Int32Array.of(flags.lo | entryLo(address, pfn), flags.hi | entryHi(address, pfn));
}
