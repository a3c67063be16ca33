import { pfnOf } from '../../address-codec.js';
import type { Controls } from '../../format/access.js';
import { isInRun } from '../../format/classify.js';
import { type LevelPlan, meets, slotOf } from '../../format/plan.js';
import type { Bank } from '../../memory/bank.js';
import { printsItself } from '../../prints.js';
import type { ReadableTable } from '../readable-table.js';
import type { TableContext } from '../state/context.js';
import { isLeaf, isTable } from '../state/entries.js';
import { contextOf, requireLive } from '../state/registry.js';
import { tableEntries } from './read-entry.js';
import { isInRange, leafFrame, type RangeTest, rangeTest } from './walk-end.js';

/** Most levels of a walk. */
const DEEPEST = 5;

/**
 * Walks single addresses and keeps which entries were read, in arrays that each walk fills again: for models
 * of a processor, which ask for each miss of a TLB. It allocates nothing and takes no bigints.
 */
export interface PathWalker {
  /** Entries that the last walk read. 0 for an address outside the root's range. */
  readonly depth: number;
  /** log2 bytes that the leaf's level covers; 0 when there is no translation. */
  readonly leafShift: number;
  /** log2 bytes of the run that the leaf is part of; 0 for none. */
  readonly runShift: number;
  /** Frame of the address in base pages, also inside a larger leaf; -1 when there is no translation. */
  readonly pfn: number;
  /** For each level, root first: physical address of the entry that was read, in bytes. Valid up to `depth`. */
  readonly entryAddress: Float64Array;
  /** For each level, root first: frame of the table that was read. Valid up to `depth`. */
  readonly tablePfn: Float64Array;
  /** For each level, root first: bits 31..0 of the entry. Valid up to `depth`. */
  readonly entryLo: Int32Array;
  /** For each level, root first: bits 63..32 of the entry. Valid up to `depth`. */
  readonly entryHi: Int32Array;
  /**
   * Walks an address that comes as two 32-bit words.
   *
   * @param vaHi - bits 63..32, signed or unsigned.
   * @param vaLo - bits 31..0, signed or unsigned.
   * @returns true when there is a translation. No permission is judged.
   * @throws VmError `EINVAL` when the table was destroyed.
   */
  walk(vaHi: number, vaLo: number): boolean;
  /**
   * Which pages around the last one lie behind each other in physical memory too: for a TLB whose entry
   * covers several pages. It reads the entries of the table in which the last walk ended.
   *
   * @param pages - size of the aligned group that the page is in: a power of two, 2 to 16.
   * @returns a bit for each page of the group, bit 0 for the first: it is mapped by a leaf of the same
   *   size and flags, to the frame that follows. The bit of the page itself is set. 0 when the last
   *   walk found no leaf at the last level.
   */
  groupMask(pages: number): number;
}

/**
 * Makes a walker that keeps the entries it reads. It sees each change of the tables.
 *
 * @param table - the table that translates.
 * @throws VmError `EINVAL` when it is not a page table, or was destroyed.
 * @example
 * ```ts
 * const walker = pathWalker(table);
 * if (walker.walk(0xffffc900, 0x1000)) console.log(walker.depth, walker.leafShift, walker.pfn);
 * ```
 */
export function pathWalker<C extends Controls>(table: ReadableTable<C>): PathWalker {
  return new PathWalk(contextOf(table));
}

class PathWalk implements PathWalker {
  depth = 0;
  leafShift = 0;
  runShift = 0;
  pfn = -1;
  readonly entryAddress: Float64Array = new Float64Array(DEEPEST);
  readonly tablePfn: Float64Array = new Float64Array(DEEPEST);
  readonly entryLo: Int32Array = new Int32Array(DEEPEST);
  readonly entryHi: Int32Array = new Int32Array(DEEPEST);
  readonly #context: TableContext;
  readonly #range: RangeTest;
  readonly #pageBytes: number;
  /** The last address, and where the last entry is: for `groupMask`. */
  #vaHi = 0;
  #vaLo = 0;
  #bank: Bank;
  #at = 0;

  constructor(context: TableContext) {
    this.#context = context;
    this.#range = rangeTest(context.plan);
    this.#pageBytes = 2 ** context.plan.pageShift;
    this.#bank = context.root.bank;
    printsItself(new.target.prototype);
  }

  /** Whose addresses it walks, and where the last walk ended. */
  toString(): string {
    return `PathWalker of a page table of ${this.#context.plan.format.name}: ${this.depth} entries read`;
  }

  walk(vaHi: number, vaLo: number): boolean {
    const context = this.#context;
    if (context.isDestroyed) requireLive(context);
    this.depth = 0;
    this.leafShift = 0;
    this.runShift = 0;
    this.pfn = -1;
    if (!isInRange(this.#range, vaHi, vaLo)) return false;
    const { plan, memory, root } = context;
    const { levels, address, pageShift } = plan;
    let { bank, word, pfn } = root;
    // A small root may begin inside its frame.
    let inFrame = 4 * (word - bank.wordOf(pfn, pageShift));
    for (let index = 0; ; index++) {
      const level = levels[index] as LevelPlan;
      const { atomic, words } = bank;
      const slot = slotOf(level, vaHi, vaLo);
      const at = word + 2 * slot;
      const lo = atomic === null ? (words[at] as number) : atomic.load64(at);
      const hi = atomic === null ? (words[at + 1] as number) : atomic.high;
      this.entryAddress[index] = pfn * this.#pageBytes + inFrame + 8 * slot;
      this.tablePfn[index] = pfn;
      this.entryLo[index] = lo;
      this.entryHi[index] = hi;
      this.depth = index + 1;
      if (!isTable(level, lo, hi)) {
        this.#bank = bank;
        this.#at = at;
        return this.#end(level, lo, hi, vaHi, vaLo);
      }
      pfn = pfnOf(address, lo, hi);
      inFrame = 0;
      word = bank.wordOf(pfn, pageShift);
      if (word >= 0) continue;
      // The bank of one fetched frame is none of the memory's banks.
      const isOnly = memory.banks.length === 1 && bank === memory.banks[0];
      const other = isOnly ? null : memory.bankOf(pfn, pageShift);
      if (other === null) return false;
      bank = other;
      word = bank.wordOf(pfn, pageShift);
    }
  }

  #end(level: LevelPlan, lo: number, hi: number, vaHi: number, vaLo: number): boolean {
    if (!isLeafQuickly(level, lo, hi)) return false;
    const { run } = level.level;
    this.leafShift = level.shift;
    this.runShift = run !== null && isInRun(run, lo, hi) ? level.runShift : 0;
    this.pfn = leafFrame(this.#context.plan, level, lo, hi, vaHi, vaLo);
    this.#vaHi = vaHi;
    this.#vaLo = vaLo;
    return true;
  }

  groupMask(pages: number): number {
    const { plan } = this.#context;
    const level = plan.levels[plan.last] as LevelPlan;
    if (this.leafShift !== level.shift) return 0;
    const inGroup = slotOf(level, this.#vaHi, this.#vaLo) & (pages - 1);
    // A root of one level may have fewer entries.
    const end = Math.min(pages, level.entries);
    const { bank, word } = tableEntries(this.#bank, this.#at - 2 * inGroup, 0, end);
    const { words } = bank;
    const flagsLo = this.entryLo[plan.last] as number;
    const flagsHi = this.entryHi[plan.last] as number;
    // The frame number in a NAPOT leaf is partly a mark of its size, so flags are compared without it.
    const addressLo = level.leafAddressLo;
    const addressHi = level.leafAddressHi;
    const start = (this.#vaLo & ~((pages << level.shift) - 1)) | 0;
    let mask = 0;
    for (let i = 0; i < end; i++) {
      const at = word + 2 * i;
      const lo = words[at] as number;
      const hi = words[at + 1] as number;
      if ((((lo ^ flagsLo) & ~addressLo) | ((hi ^ flagsHi) & ~addressHi)) !== 0) continue;
      if (!isLeafQuickly(level, lo, hi)) continue;
      const pfn = leafFrame(plan, level, lo, hi, this.#vaHi, start + (i << level.shift));
      if (pfn === this.pfn + i - inGroup) mask |= 1 << i;
    }
    return mask;
  }
}

/** As `isLeaf`. Most leaves are plain ones, for which no rule is looked at: that takes an object. */
function isLeafQuickly(level: LevelPlan, lo: number, hi: number): boolean {
  const { sureLeaf } = level;
  return (sureLeaf !== null && meets(sureLeaf, lo, hi)) || isLeaf(level, lo, hi);
}
