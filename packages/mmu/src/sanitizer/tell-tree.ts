import { Grouping } from './grouping.js';
import type { TableNode } from './table-node.js';
import type { Tree } from './tree.js';
import type { Gone } from './tree-changes.js';

/**
 * Tells that all that a table and the tables below it translate at one address is gone, or allowed
 * differently.
 *
 * @param page - first page that the table translates there.
 * @param isUnlinked - false when an entry above it has changed and still points to it.
 */
export function tellGone(tree: Tree, node: TableNode, page: number, isUnlinked: boolean): void {
  const reader = tree.readerOf(node);
  const { copy } = node;
  const runs = new Grouping<Gone['kind']>((from, to, kind) => {
    const before = copy.slice(2 * from, 2 * to);
    const after = isUnlinked ? new Int32Array(before.length) : before;
    const first = page + from * reader.pages;
    tree.changes.gone({ kind, node, index: from, count: to - from, page: first, before, after });
  });
  for (let index = 0; index < reader.entries; index++) {
    const lo = copy[2 * index] as number;
    const hi = copy[2 * index + 1] as number;
    const kind = reader.kind(lo, hi);
    const flags = kind === 'leaf' ? reader.meaning(lo, hi) : null;
    const told = kind === 'leaf' || (kind === 'table' && isUnlinked) ? kind : null;
    const isCut = node.level === 0 && index === tree.middle;
    runs.add(index, told, flags, kind !== 'table' && !isCut);
    const child = kind === 'table' ? tree.child(node, reader.table(lo, hi)) : undefined;
    if (child !== undefined) tellGone(tree, child, page + index * reader.pages, isUnlinked);
  }
  runs.end(reader.entries);
}

/** Tells of all leaves of a table and below it, which translate at one address now. */
export function tellBelow(tree: Tree, node: TableNode, page: number): void {
  const reader = tree.readerOf(node);
  const { copy } = node;
  const leaves = new Grouping<'leaf'>((from, to) => {
    tree.changes.come({ node, index: from, count: to - from, page: page + from * reader.pages });
  });
  for (let index = 0; index < reader.entries; index++) {
    const lo = copy[2 * index] as number;
    const hi = copy[2 * index + 1] as number;
    const kind = reader.kind(lo, hi);
    leaves.add(index, kind === 'leaf' ? kind : null, null, true);
    const child = kind === 'table' ? tree.child(node, reader.table(lo, hi)) : undefined;
    if (child !== undefined) tellBelow(tree, child, page + index * reader.pages);
  }
  leaves.end(reader.entries);
}
