import { entryHi, entryLo } from '../../../address-codec.js';
import { type LevelPlan, meets } from '../../../format/plan.js';
import type { Words } from '../../../words.js';
import type { TableContext } from '../../state/context.js';
import { frameInRun } from '../../state/leaf-start.js';
import { mergeFlags } from './merge-flags.js';

/**
 * The leaves of one table, slot by slot, as a collapse finds or makes them. At the end it shows where they
 * may become runs.
 */
export class SlotRow {
  readonly #context: TableContext;
  readonly #level: LevelPlan;
  /** Without the run mark; `null` where there is no leaf. */
  readonly #flags: (Words | null)[];
  readonly #pfns: Float64Array;
  readonly #marks: Uint8Array;

  private constructor(context: TableContext, level: LevelPlan) {
    this.#context = context;
    this.#level = level;
    this.#flags = new Array(level.entries).fill(null);
    this.#pfns = new Float64Array(level.entries);
    this.#marks = new Uint8Array(level.entries);
  }

  /** A row for the tables of a level; `null` where no run may be made. */
  static of(context: TableContext, level: LevelPlan, maxRunShift: number): SlotRow | null {
    return level.level.run === null || level.runShift > maxRunShift ? null : new this(context, level);
  }

  /** Starts another table. */
  clear(): void {
    this.#flags.fill(null);
  }

  /** Notes a slot's leaf. */
  put(slot: number, flags: Words, pfn: number, isMarked: boolean): void {
    this.#flags[slot] = flags;
    this.#pfns[slot] = pfn;
    this.#marks[slot] = isMarked ? 1 : 0;
  }

  /**
   * The words that make the leaves from a slot on one run.
   *
   * @param first - the slot of the run's first leaf.
   * @returns `null` when they cannot be a run, or are one already.
   */
  runFrom(first: number): Int32Array | null {
    const { format, address } = this.#context.plan;
    const { index, level, pages, leaf } = this.#level;
    const { run } = level;
    if (run === null) return null;
    const start = this.#pfns[first] as number;
    let flags = this.#flags[first] ?? null;
    if (flags === null || start % (run.entries * pages) !== 0) return null;
    let isRun = true;
    for (let i = 0; i < run.entries; i++) {
      const other = this.#flags[first + i] ?? null;
      if (other === null || this.#pfns[first + i] !== start + i * pages) return null;
      const merged: Words | null = mergeFlags(format, index, flags, other);
      if (merged === null) return null;
      isRun &&= this.#marks[first + i] === 1 && other.lo === merged.lo && other.hi === merged.hi;
      flags = merged;
    }
    if (isRun) return null;
    const words = new Int32Array(2 * run.entries);
    for (let i = 0; i < run.entries; i++) {
      const pfn = frameInRun(run, start, i, pages);
      const lo = flags.lo | run.set.lo | entryLo(address, pfn);
      const hi = flags.hi | run.set.hi | entryHi(address, pfn);
      if (!meets(leaf, lo, hi)) return null;
      words[2 * i] = lo;
      words[2 * i + 1] = hi;
    }
    return words;
  }
}
