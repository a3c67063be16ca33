import type { SharedTables, TableContext } from '../state/context.js';
import type { SinglePageCalls } from './map/single-page.js';
import type { ChangeSet } from './set/change-set.js';

/** What calls need of the threads that share a page table: each of its `SharedTables` is one. */
export interface SharedCalls extends SharedTables {
  /** What one call changes. */
  changeSet(context: TableContext): ChangeSet;
  /** The fast path for single pages. */
  singlePages(context: TableContext): SinglePageCalls | null;
}

/** How calls on a page table run that threads share; `null` when only one thread uses it. */
export function sharedCalls({ sharing }: TableContext): SharedCalls | null {
  return sharing as SharedCalls | null;
}
