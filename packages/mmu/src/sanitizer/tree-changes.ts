import type { Words } from '@vmarea/core';
import type { TableNode } from './table-node.js';

/**
 * Neighbouring entries of one table that changed alike at one look, at one of the addresses of the table.
 * Before, all were leaves with the same flags, or it is one entry that pointed to a table, or they were not
 * present.
 */
export interface Gone {
  readonly kind: 'leaf' | 'table' | 'none';
  readonly node: TableNode;
  /** Index of the first entry. */
  readonly index: number;
  readonly count: number;
  /** Base page of the first entry, from the start of the root's range. */
  readonly page: number;
  /** Two words for each entry: what a processor may have cached. */
  readonly before: Int32Array;
  /** What stands there now; zeros below a table that was unlinked. */
  readonly after: Int32Array;
}

/** Neighbouring entries of one table that became leaves, and were not present before. */
export interface Come {
  readonly node: TableNode;
  readonly index: number;
  readonly count: number;
  readonly page: number;
}

/** A valid entry that got another valid value without being invalid in between. */
export interface Replaced {
  readonly node: TableNode;
  readonly index: number;
  readonly page: number;
  readonly before: Words;
  readonly after: Words;
}

/** Who is told what a look at the tables has found. */
export interface TreeChanges {
  gone(change: Gone): void;
  come(change: Come): void;
  replaced(change: Replaced): void;
  /** A table below a new link holds leaves. False when nobody needs to hear of them. */
  wantsCome(page: number, pages: number): boolean;
  /** Entries of a table changed whose level has runs. */
  runTouched(node: TableNode, index: number): void;
}
