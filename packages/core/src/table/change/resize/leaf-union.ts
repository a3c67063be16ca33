import { type LevelPlan, meets } from '../../../format/plan.js';
import type { Words } from '../../../words.js';
import type { TableContext } from '../../state/context.js';
import { mergeFlags } from './merge-flags.js';

/** A table whose leaves are together one leaf of the level above, and that leaf. */
export interface Whole {
  /** First frame. */
  readonly pfn: number;
  /** Flags as the level above has them. */
  readonly flags: Words;
  /** log2 bytes of its smallest leaf. */
  readonly leafShift: number;
  /** The table, and those below it. */
  readonly tables: readonly number[];
}

/** Collects the leaves of one table, as long as they are together one leaf of the level above. */
export class Union {
  readonly #tables: number[];
  #leafShift: number;
  readonly #context: TableContext;
  readonly #level: LevelPlan;
  readonly #above: LevelPlan;
  /** Merged flags. */
  #flags: Words | null = null;
  #first = 0;
  #next = 0;

  constructor(context: TableContext, level: LevelPlan, above: LevelPlan, pfn: number) {
    this.#context = context;
    this.#level = level;
    this.#above = above;
    this.#tables = [pfn];
    this.#leafShift = level.shift;
  }

  /** Adds the next slot, whose table is one leaf; false when it breaks the union. */
  addTable(whole: Whole): boolean {
    this.#tables.push(...whole.tables);
    this.#leafShift = Math.min(this.#leafShift, whole.leafShift);
    return this.add(whole.flags, whole.pfn);
  }

  /** Adds the next slot as a leaf of this level; false when it breaks the union. */
  add(flags: Words, pfn: number): boolean {
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

  /** All slots as one leaf; `null` when the format has no such leaf. */
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
