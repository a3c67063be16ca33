import {
  classify,
  type EntryKind,
  isInRun,
  type Level,
  type LevelPlan,
  type PageTableFormat,
  type Plan,
  pfnOf,
  planOf,
  type Words,
} from '@vmarea/core';

/** What the flags of a leaf mean to a processor that caches it. */
export interface Meaning {
  /** Equal for leaves whose flags differ only in the accessed and dirty bits. */
  readonly text: string;
  readonly isGlobal: boolean;
  /** It carries the mark of a run. */
  readonly isInRun: boolean;
}

/**
 * Reads the entries of one level of a format. Entries come as two signed 32-bit words.
 *
 * Accessed and dirty bits are no difference here: hardware writes them, and no processor translates to another
 * place because of them.
 */
export class LevelReader {
  readonly level: Level;
  /** Index of the level, 0 for the root. */
  readonly index: number;
  readonly entries: number;
  /** Base pages that an entry covers. */
  readonly pages: number;
  readonly #format: PageTableFormat;
  readonly #plan: Plan;
  /** It has the bits of a leaf that hold its address. */
  readonly #levelPlan: LevelPlan;
  readonly #meanings = new Map<number, Map<number, Meaning>>();

  constructor(format: PageTableFormat, index: number) {
    this.#format = format;
    this.#plan = planOf(format);
    this.#levelPlan = this.#plan.levels[index] as LevelPlan;
    this.level = this.#levelPlan.level;
    this.index = index;
    this.entries = this.#levelPlan.entries;
    this.pages = this.#levelPlan.pages;
  }

  kind(lo: number, hi: number): EntryKind {
    return (lo | hi) === 0 ? 'none' : classify(this.#format.present, this.level, { lo, hi });
  }

  /** The table that an entry points to. */
  table(lo: number, hi: number): number {
    return pfnOf(this.#plan.address, lo, hi);
  }

  /**
   * The first frame of a leaf.
   *
   * @param index - of the entry in its table: in a NAPOT run it decides the low bits.
   */
  frame(lo: number, hi: number, index: number): number {
    const pfn = pfnOf(this.#plan.address, lo, hi);
    const { run } = this.level;
    if (run?.style !== 'napot' || !this.meaning(lo, hi).isInRun) return pfn - (pfn % this.pages);
    const whole = run.entries * this.pages;
    return pfn - (pfn % whole) + (index % run.entries) * this.pages;
  }

  /** What the flags of a leaf mean; computed once for each value of the flags. */
  meaning(lo: number, hi: number): Meaning {
    const flagsLo = lo & ~this.#levelPlan.leafAddressLo;
    const flagsHi = hi & ~this.#levelPlan.leafAddressHi;
    const known = this.#meanings.get(flagsHi) ?? new Map<number, Meaning>();
    this.#meanings.set(flagsHi, known);
    const meaning = known.get(flagsLo) ?? this.#decode(flagsLo, flagsHi);
    known.set(flagsLo, meaning);
    return meaning;
  }

  /** True when two entries that point to one table differ in what a processor may cache. */
  differs(before: Words, after: Words): boolean {
    return this.#touched(before) !== this.#touched(after);
  }

  /** True when a change of a valid entry needs break-before-make. */
  needsBreak(before: Words, after: Words): boolean {
    return this.#format.needsBreak(before, after, this.index);
  }

  #decode(lo: number, hi: number): Meaning {
    const { accessed, dirty, extra, ...rest } = this.#format.decode({ lo, hi }, this.index);
    const { run } = this.level;
    const isMarked = run !== null && isInRun(run, lo, hi);
    return { text: `${Object.values(rest)} ${extra} ${isMarked}`, isGlobal: rest.global, isInRun: isMarked };
  }

  #touched(entry: Words): string {
    const access = { kind: 'read', user: false } as const;
    const { lo, hi } = this.#format.touch(entry, this.index, 'table', access, this.#format.controls);
    return `${lo} ${hi}`;
  }
}
