import type { SharedTables } from './context.js';

/** What a page table needs of the threads that share it: the option `threads` of `PageTable`. */
export interface TableSharing {
  /** How calls on shared page tables run. */
  readonly tables: SharedTables;
}
