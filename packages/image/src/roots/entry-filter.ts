import { classify, type LevelPlan, type Plan, pfnOf } from '@vmarea/core';

/**
 * Tells from its bytes alone whether a frame may be a root of a format: a loop over words that refuses most frames at the first
 * entry.
 */
export class EntryFilter {
  readonly plan: Plan;
  readonly #level: LevelPlan;
  readonly #end: number;
  readonly #empty: number;
  readonly #markLo: number;
  readonly #markHi: number;

  /**
   * @param end - physical address after the last byte of memory: no table is behind it.
   * @param userShare - what share of the root, from its start on, must be empty: 2 is the half. 0 for none.
   * @param mark - a bit that every entry has; `null` for none.
   */
  constructor(plan: Plan, end: number, userShare: number, mark: number | null) {
    this.plan = plan;
    this.#level = plan.levels[0] as LevelPlan;
    this.#end = Math.ceil(end / 2 ** plan.pageShift);
    this.#markLo = mark === null || mark > 31 ? 0 : 1 << mark;
    this.#markHi = mark === null || mark < 32 ? 0 : 1 << (mark - 32);
    this.#empty = userShare === 0 ? 0 : this.#level.entries / userShare;
  }

  /** Words of the root. */
  get words(): number {
    return 2 * this.#level.entries;
  }

  /** @param words - where the frame is. @param at - its first word. */
  mayBeRoot(words: Int32Array, at: number): boolean {
    const { table } = this.#level;
    const { address, format } = this.plan;
    for (let i = at; i < at + 2 * this.#empty; i++) if (words[i] !== 0) return false;
    let tables = 0;
    for (let i = at + 2 * this.#empty; i < at + this.words; i += 2) {
      const lo = words[i] as number;
      const hi = words[i + 1] as number;
      if ((lo | hi) === 0) continue;
      if ((lo & this.#markLo) !== this.#markLo || (hi & this.#markHi) !== this.#markHi) return false;
      const isLike = (((lo & table.maskLo) ^ table.valueLo) | ((hi & table.maskHi) ^ table.valueHi)) === 0;
      if (!isLike && classify(format.present, this.#level.level, { lo, hi }) !== 'leaf') return false;
      if (isLike && pfnOf(address, lo, hi) >= this.#end) return false;
      if (isLike) tables++;
    }
    return tables > 0;
  }
}
