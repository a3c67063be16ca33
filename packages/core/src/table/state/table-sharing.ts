import type { SinglePageCalls } from '../change/map/single-page.js';
import type { ChangeSet } from '../change/set/change-set.js';
import type { TableContext } from './context.js';

/** What a page table needs of the threads that share it: the option `threads` of `PageTable`. */
export interface TableSharing {
  /** How calls on shared page tables run. */
  readonly tables: SharedTables;
}

/**
 * How calls on page tables run that several threads share. `PageTable` imports no implementation: a program
 * without threads carries none.
 */
export interface SharedTables {
  /** Takes in a page table of this thread: flushes of other threads reach its sink from now on. */
  attach(context: TableContext): void;
  /**
   * Runs a call that changes entries: with others, or alone. A call with others that finds out that it must be
   * alone has undone everything; it then runs again, alone.
   */
  run<R>(context: TableContext, isAlone: boolean, call: () => R): R;
  /** What one call changes. */
  changeSet(context: TableContext): ChangeSet;
  /** The fast path for single pages. */
  singlePages(context: TableContext): SinglePageCalls | null;
  /**
   * Notes that tables are out of the tree, and wait for a flush: when the thread dies, a recovery frees them.
   */
  hold(context: TableContext, pfns: readonly number[], order: number): void;
  /** Gives frames of tables back once no thread can hold them. They are out of the tree. */
  retire(context: TableContext, pfns: readonly number[], order: number): void;
  /** Asks the other threads for a flush of this root. This thread's sink has made its own. */
  post(context: TableContext, va: bigint, bytes: bigint, leafShift: number, tables: readonly number[]): void;
}
