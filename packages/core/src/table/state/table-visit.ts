import type { LevelPlan, Plan } from '../../format/plan.js';
import type { Bank } from '../../memory/bank.js';
import type { PageRange } from '../page-range.js';
import type { TableRecords } from './table-records.js';

/** What visits need to know of a page table. */
interface Tree {
  readonly plan: Plan;
  readonly records: TableRecords | null;
  readonly root: { readonly pfn: number; readonly bank: Bank; readonly word: number };
}

/**
 * A visit to one table: where it stands, and the part of the call's range that its entries translate.
 *
 * A call has one visit for each level, and moves it from table to table. So a call over 131,072 tables makes no object for
 * each of them. What a visit says holds until the call moves it.
 */
export class TableVisit {
  readonly level: LevelPlan;
  bank: Bank;
  /** Index in `bank.words` of the first entry's low word. */
  word = -1;
  pfn = -1;
  /** Record of the table; -1 when it is not counted. */
  record = -1;
  /** The call made the table: it counts as empty, whatever it holds. */
  isNew = false;
  /** The entry in which the part starts, and the pages of that entry before the part. */
  slot = 0;
  inside = 0;
  /** Pages of the call before the part. */
  done = 0;
  /** Pages of the part. On the last level it may be several whole tables that follow each other in memory. */
  pages = 0;
  readonly #tree: Tree;
  #below: TableVisit | null = null;

  /** @param level - index of the tables' level: 0 for the root. */
  constructor(tree: Tree, level: number) {
    this.#tree = tree;
    this.level = tree.plan.levels[level] as LevelPlan;
    this.bank = tree.root.bank;
  }

  /** Moves to the root, for all of a range. */
  toRoot({ first, pages }: PageRange): this {
    const { pfn, bank, word } = this.#tree.root;
    this.#take(first, 0, pages);
    this.enter(pfn, bank);
    // A small root may start inside its frame.
    this.word = word;
    return this;
  }

  /**
   * The visit of the level below, moved to a part of this table's pages. `enter` says which table that is.
   *
   * @param offset - first page of the part, counted from the first page that the table translates.
   * @param done - pages of the call before the part.
   */
  below(offset: number, done: number, pages: number): TableVisit {
    this.#below ??= new TableVisit(this.#tree, this.level.index + 1);
    const below = this.#below;
    below.#take(offset, done, pages);
    return below;
  }

  /** Moves to a table. */
  enter(pfn: number, bank: Bank, isNew: boolean = false): this {
    const { plan, records } = this.#tree;
    this.pfn = pfn;
    this.bank = bank;
    this.word = bank.wordOf(pfn, plan.pageShift);
    this.record = records === null ? -1 : records.find(pfn);
    this.isNew = isNew;
    return this;
  }

  #take(offset: number, done: number, pages: number): void {
    const { level } = this;
    this.slot = Math.floor(offset / level.pages);
    // `Math.floor` gives V8 a small integer. Without it, the difference of two numbers beyond 2^31 stays a boxed double.
    this.inside = Math.floor(offset - this.slot * level.pages);
    this.done = done;
    this.pages = pages;
  }
}
