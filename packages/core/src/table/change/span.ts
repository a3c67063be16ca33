import type { LevelPlan } from '../../format/plan.js';
import type { Bank } from '../../memory/bank.js';

/** Adjacent entries of one table. */
export interface Span {
  readonly level: LevelPlan;
  readonly bank: Bank;
  /** Index of the first entry's low word in `bank.words`. */
  readonly at: number;
  /** Number of entries. */
  readonly count: number;
  /** Record of the table; -1 when it is not counted. */
  readonly record: number;
  /** First page that the entries translate, counted from the start of the root's range. */
  readonly page: number;
}

/** A table below the root that a range reaches into, and the entry that points to it. */
export interface Link {
  readonly pfn: number;
  readonly level: number;
  readonly bank: Bank;
  /** Where the entry that points to it stands. */
  readonly parent: Bank;
  readonly at: number;
  readonly parentRecord: number;
  /** The part of the range inside it. */
  readonly page: number;
  readonly pages: number;
}
