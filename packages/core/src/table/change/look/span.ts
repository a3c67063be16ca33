import type { LevelPlan } from '../../../format/plan.js';
import type { Bank } from '../../../memory/bank.js';

/**
 * Adjacent entries of one table, or all entries of several tables that follow each other in the bank and in
 * the range.
 */
export interface Span {
  readonly level: LevelPlan;
  readonly bank: Bank;
  /** Index of the first entry's low word in `bank.words`. */
  readonly at: number;
  /** Number of entries. */
  readonly count: number;
  /** Record of the table, or of the first of several tables; -1 when it is not counted. */
  readonly record: number;
  /** First page that the entries translate, counted from the start of the root's range. */
  readonly page: number;
}

/** A part of a span, as a span. In a part of several tables the record is that of the first. */
export function partOf(span: Span, from: number, count: number): Span {
  const { level, at, record, page } = span;
  const table = Math.floor(from / level.entries);
  return {
    ...span,
    at: at + 2 * from,
    count,
    record: record < 0 || span.count <= level.entries ? record : record + table,
    page: page + from * level.pages,
  };
}

/** A table below the root that a range reaches into, and the entry that points to it. */
export interface Link {
  readonly pfn: number;
  readonly level: number;
  readonly bank: Bank;
  /** The place of the entry that points to it. */
  readonly parent: Bank;
  readonly at: number;
  readonly parentRecord: number;
  /** The part of the range inside it. */
  readonly page: number;
  readonly pages: number;
}
