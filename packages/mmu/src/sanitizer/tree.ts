import type { LevelReader } from './level-reader.js';
import type { TableNode } from './table-node.js';
import type { TreeChanges } from './tree-changes.js';

/** What the comparison of one table needs of the tree that it is in. */
export interface Tree {
  /** Who is told what is found. */
  readonly changes: TreeChanges;
  /** Index of the root's entry at which addresses jump over the canonical hole; -1 for none. */
  readonly middle: number;
  /** The reader of a table's level. */
  readerOf(node: TableNode): LevelReader;
  /** The table that an entry of a table points to. */
  child(node: TableNode, table: number): TableNode | undefined;
  /** First pages that a table translates, from the start of the root's range. */
  pagesOf(node: TableNode): number[];
  /**
   * An entry does not point to a table any more. A table that no entry points to leaves the tree, with all
   * below it.
   */
  unlink(node: TableNode, index: number, table: number): void;
}

/** An entry that points to a table since this look. */
export interface NewLink {
  readonly node: TableNode;
  readonly index: number;
  readonly table: number;
  /** The entry was not present before. */
  readonly isNew: boolean;
}
