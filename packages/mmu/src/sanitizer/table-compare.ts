import type { EntryKind } from '@vmarea/core';
import { Grouping } from './grouping.js';
import type { LevelReader } from './level-reader.js';
import type { TableNode } from './table-node.js';
import { tellGone } from './tell-tree.js';
import type { NewLink, Tree } from './tree.js';
import type { Gone } from './tree-changes.js';

/** An entry that changed since the last look. */
interface Changed {
  readonly index: number;
  readonly lo: number;
  readonly hi: number;
  readonly newLo: number;
  readonly newHi: number;
}

/**
 * Compares one table with its copy, tells what has changed, and brings the copy up to date.
 *
 * @param links - gets the entries that point to another table now.
 */
export function compareTable(tree: Tree, node: TableNode, words: Int32Array, links: NewLink[]): void {
  const changed = changesOf(node, words);
  if (changed === null) return;
  for (const { index, newLo, newHi } of changed) {
    node.copy[2 * index] = newLo;
    node.copy[2 * index + 1] = newHi;
  }
  const reader = tree.readerOf(node);
  const pages = tree.pagesOf(node);
  const told = new Told(tree, node, pages, changed);
  const groups = new Set<number>();
  for (const [at, one] of changed.entries()) {
    const before = reader.kind(one.lo, one.hi);
    const after = reader.kind(one.newLo, one.newHi);
    if (before === 'table') leaveTable(tree, node, pages, one, after);
    const isSame = isAlike(reader, one, before, after);
    told.add(at, before, after, isSame);
    if (after === 'table' && !(before === 'table' && hasSameTable(reader, one)))
      links.push({
        ...{ node, index: one.index, table: reader.table(one.newLo, one.newHi) },
        isNew: !isValid(before),
      });
    const { run } = reader.level;
    if (run !== null) groups.add(one.index - (one.index % run.entries));
  }
  told.end();
  for (const index of groups) tree.changes.runTouched(node, index);
}

function changesOf({ copy }: TableNode, words: Int32Array): Changed[] | null {
  let changed: Changed[] | null = null;
  for (let i = 0; i < copy.length; i++) {
    if (copy[i] === words[i]) continue;
    const at = i & ~1;
    changed ??= [];
    changed.push({
      index: at / 2,
      lo: copy[at] as number,
      hi: copy[at + 1] as number,
      newLo: words[at] as number,
      newHi: words[at + 1] as number,
    });
    i = at + 1;
  }
  return changed;
}

/** An entry that pointed to a table has changed: what is below it is gone, or allowed differently. */
function leaveTable(
  tree: Tree,
  node: TableNode,
  pages: readonly number[],
  one: Changed,
  after: EntryKind,
): void {
  const reader = tree.readerOf(node);
  const table = reader.table(one.lo, one.hi);
  const stays = after === 'table' && hasSameTable(reader, one);
  if (stays && isAlike(reader, one, 'table', 'table')) return;
  const child = tree.child(node, table);
  if (child === undefined) return;
  for (const page of pages) tellGone(tree, child, page + one.index * reader.pages, !stays);
  if (!stays) tree.unlink(node, one.index, table);
}

function hasSameTable(reader: LevelReader, { lo, hi, newLo, newHi }: Changed): boolean {
  return reader.table(lo, hi) === reader.table(newLo, newHi);
}

function isValid(kind: EntryKind): boolean {
  return kind === 'table' || kind === 'leaf';
}

/** True when a processor that caches the old entry does what the new one says. */
function isAlike(reader: LevelReader, one: Changed, before: EntryKind, after: EntryKind): boolean {
  if (before !== after) return !isValid(before) && !isValid(after);
  const { index, lo, hi, newLo, newHi } = one;
  if (before === 'table')
    return hasSameTable(reader, one) && !reader.differs({ lo, hi }, { lo: newLo, hi: newHi });
  if (before !== 'leaf') return true;
  return (
    reader.frame(lo, hi, index) === reader.frame(newLo, newHi, index) &&
    reader.meaning(lo, hi).text === reader.meaning(newLo, newHi).text
  );
}

/** Tells the changes of one table, neighbours that are alike together, at each of its addresses. */
class Told {
  readonly #tree: Tree;
  readonly #node: TableNode;
  readonly #changed: readonly Changed[];
  /** First pages that the table translates. */
  readonly #pages: readonly number[];
  readonly #gone = new Grouping<Gone['kind']>((from, to, kind) => this.#tellGone(from, to, kind));
  readonly #come = new Grouping<'leaf'>((from, to) => this.#tellCome(from, to));

  constructor(tree: Tree, node: TableNode, pages: readonly number[], changed: readonly Changed[]) {
    this.#tree = tree;
    this.#node = node;
    this.#pages = pages;
    this.#changed = changed;
  }

  add(at: number, before: EntryKind, after: EntryKind, isSame: boolean): void {
    const { lo, hi, index } = this.#changed[at] as Changed;
    const isNext = at > 0 && (this.#changed[at - 1] as Changed).index === index - 1;
    const isCut = this.#node.level === 0 && index === this.#tree.middle;
    const mayJoin = isNext && !isCut && before !== 'table';
    const reader = this.#tree.readerOf(this.#node);
    const kind = isValid(before) ? (before as 'leaf' | 'table') : 'none';
    const flags = kind === 'leaf' ? reader.meaning(lo, hi) : null;
    this.#gone.add(at, isSame ? null : kind, flags, mayJoin);
    this.#come.add(at, after === 'leaf' && kind === 'none' ? 'leaf' : null, null, mayJoin);
    if (!isSame && kind !== 'none' && isValid(after)) this.#tellReplaced(at);
  }

  end(): void {
    this.#gone.end(this.#changed.length);
    this.#come.end(this.#changed.length);
  }

  #tellGone(from: number, to: number, kind: Gone['kind']): void {
    const before = new Int32Array(2 * (to - from));
    const after = new Int32Array(2 * (to - from));
    for (let at = from; at < to; at++) {
      const { lo, hi, newLo, newHi } = this.#changed[at] as Changed;
      before.set([lo, hi], 2 * (at - from));
      after.set([newLo, newHi], 2 * (at - from));
    }
    this.#each(from, (index, page) =>
      this.#tree.changes.gone({ kind, node: this.#node, index, count: to - from, page, before, after }),
    );
  }

  #tellCome(from: number, to: number): void {
    this.#each(from, (index, page) =>
      this.#tree.changes.come({ node: this.#node, index, count: to - from, page }),
    );
  }

  #tellReplaced(at: number): void {
    const { lo, hi, newLo, newHi } = this.#changed[at] as Changed;
    const before = { lo, hi };
    const after = { lo: newLo, hi: newHi };
    this.#each(at, (index, page) =>
      this.#tree.changes.replaced({ node: this.#node, index, page, before, after }),
    );
  }

  #each(at: number, call: (index: number, page: number) => void): void {
    const { index } = this.#changed[at] as Changed;
    const step = this.#tree.readerOf(this.#node).pages;
    for (const page of this.#pages) call(index, page + index * step);
  }
}
