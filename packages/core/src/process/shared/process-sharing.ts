import type { PageTableFormat } from '../../format/page-table-format.js';
import type { PageTable } from '../../table/page-table.js';
import type { PageTableOptions } from '../../table/state/make.js';
import type { TableSharing } from '../../table/state/table-sharing.js';
import type { ThreadCalls } from '../../threads/thread-calls.js';

/** What processes need of threads that share them. `Threads` has it. */
export interface ProcessSharing extends ThreadCalls, TableSharing {
  /** The formats that this thread knows, by name: those that it made processes with, and those that it attached with. */
  readonly formats: Map<string, PageTableFormat>;
  makeTable(options: PageTableOptions): PageTable;
  /** Forgets a page table of this thread whose root another thread has destroyed. */
  dropTable(table: PageTable): void;
  /** Runs calls on page tables in one section. */
  together<R>(call: () => R): R;
  /** Runs calls on page tables while no other thread is inside one. */
  alone<R>(call: () => R): R;
  /** Forgets the object with a number. */
  forget(number: number): void;
}
