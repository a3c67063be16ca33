import type { PageTableFormat, PhysicalMemory } from '@vmarea/core';
import { LevelReader } from './level-reader.js';
import { compareTable } from './table-compare.js';
import { TableNode } from './table-node.js';
import { tellBelow, tellGone } from './tell-tree.js';
import type { NewLink, Tree } from './tree.js';
import type { TreeChanges } from './tree-changes.js';

/** A table that is linked more often is followed at its first so many addresses. */
const MOST_ADDRESSES = 32;

/**
 * A copy of all tables below one root, which finds every write to them: by the engine, by a guest, by
 * anybody. It compares words, so a look costs microseconds for each table, and what follows costs as much as
 * has changed.
 *
 * What it cannot see is an entry that changes twice between two looks.
 *
 * Tables are compared from the root down. An entry that points elsewhere takes the copies below it out first,
 * so the bytes of a table that is a data page by now are never read as entries.
 */
export class ShadowTree implements Tree {
  readonly readers: readonly LevelReader[];
  readonly root: TableNode;
  readonly changes: TreeChanges;
  readonly middle: number;
  readonly #memory: PhysicalMemory;
  readonly #pageShift: number;
  readonly #rootWord: number;
  /** By level: the tables by frame. */
  readonly #nodes: readonly Map<number, TableNode>[];

  /** @param root - physical address in bytes; it has bytes. */
  constructor(memory: PhysicalMemory, format: PageTableFormat, root: bigint, changes: TreeChanges) {
    this.#memory = memory;
    this.#pageShift = format.pageShift;
    this.changes = changes;
    this.readers = format.levels.map((_, index) => new LevelReader(format, index));
    this.#nodes = this.readers.map(() => new Map());
    this.middle = format.range.upper === 'sign' ? (this.readers[0] as LevelReader).entries / 2 : -1;
    const pfn = Number(root >> BigInt(format.pageShift));
    // A small root may start inside its frame.
    this.#rootWord = Number(root & ((1n << BigInt(format.pageShift)) - 1n)) / 4;
    this.root = this.#enter(pfn, 0) as TableNode;
  }

  /** Number of tables, one for each level at which it is linked. */
  get size(): number {
    return this.#nodes.reduce((sum, nodes) => sum + nodes.size, 0);
  }

  /** Finds what was written since the last look, and tells it. */
  look(): void {
    const links: NewLink[] = [];
    for (const nodes of this.#nodes) for (const node of nodes.values()) this.#compare(node, links);
    this.#follow(links);
  }

  /** The same for the tables in one frame alone. */
  lookAt(pfn: number): void {
    for (const node of this.tablesIn(pfn)) this.#see(node);
  }

  /**
   * The same for the tables on the way to one page.
   *
   * @param page - from the start of the root's range.
   */
  lookAlong(page: number): void {
    let node: TableNode | undefined = this.root;
    while (node !== undefined) {
      this.#see(node);
      const reader: LevelReader = this.readerOf(node);
      const index = Math.floor(page / reader.pages) % reader.entries;
      const lo = node.copy[2 * index] as number;
      const hi = node.copy[2 * index + 1] as number;
      node = reader.kind(lo, hi) === 'table' ? this.child(node, reader.table(lo, hi)) : undefined;
    }
  }

  /** Tells of everything in the tree as gone: the root is not used any more. */
  end(): void {
    tellGone(this, this.root, 0, true);
    for (const nodes of this.#nodes) nodes.clear();
  }

  readerOf({ level }: TableNode): LevelReader {
    return this.readers[level] as LevelReader;
  }

  child(node: TableNode, table: number): TableNode | undefined {
    return this.#nodes[node.level + 1]?.get(table);
  }

  /** True while a table is in the tree. */
  has(node: TableNode): boolean {
    return this.#nodes[node.level]?.get(node.pfn) === node;
  }

  /** The tables in a frame, one node for each level at which it is linked. */
  tablesIn(pfn: number): TableNode[] {
    return this.#nodes.flatMap((nodes) => nodes.get(pfn) ?? []);
  }

  pagesOf(node: TableNode): number[] {
    if (node === this.root) return [0];
    const pages: number[] = [];
    for (const { node: parent, index } of node.parents) {
      const step = this.readerOf(parent).pages;
      for (const page of this.pagesOf(parent)) {
        pages.push(page + index * step);
        if (pages.length === MOST_ADDRESSES) return pages;
      }
    }
    return pages;
  }

  /** The words of a table now; `null` without bytes. */
  wordsOf(pfn: number, level: number): Int32Array | null {
    const place = this.#memory.locate(pfn, this.#pageShift);
    if (place === null) return null;
    const from = place.word + (level === 0 ? this.#rootWord : 0);
    const count = 2 * (this.readers[level] as LevelReader).entries;
    const { words, atomic } = place.bank;
    if (atomic === null) return words.subarray(from, from + count);
    const copy = new Int32Array(count);
    for (let i = 0; i < count; i += 2) {
      copy[i] = atomic.load64(from + i);
      copy[i + 1] = atomic.high;
    }
    return copy;
  }

  unlink(node: TableNode, index: number, table: number): void {
    const child = this.child(node, table);
    if (child === undefined) return;
    child.leave(node, index);
    if (child.parents.length > 0) return;
    this.#nodes[child.level]?.delete(table);
    this.#eachTable(child, (at, below) => this.unlink(child, at, below));
  }

  #see(node: TableNode): void {
    const links: NewLink[] = [];
    this.#compare(node, links);
    this.#follow(links);
  }

  #compare(node: TableNode, links: NewLink[]): void {
    const words = this.wordsOf(node.pfn, node.level);
    if (words !== null) compareTable(this, node, words, links);
  }

  /** Adds the tables that entries point to now, and tells of what they map. */
  #follow(links: readonly NewLink[]): void {
    for (const { node, index, table, isNew } of links) {
      // It may have left the tree later in the same look.
      if (node !== this.root && node.parents.length === 0) continue;
      this.#link(node, index, table);
      if (isNew) this.#tellCome(node, index, table);
    }
  }

  /** Adds a table and all below it; `null` when it has no bytes. */
  #enter(pfn: number, level: number): TableNode | null {
    const words = this.wordsOf(pfn, level);
    if (words === null) return null;
    const node = new TableNode(pfn, level, words.slice());
    this.#nodes[level]?.set(pfn, node);
    this.#eachTable(node, (index, table) => this.#link(node, index, table));
    return node;
  }

  #link(node: TableNode, index: number, table: number): void {
    const child = this.child(node, table) ?? this.#enter(table, node.level + 1);
    child?.parents.push({ node, index });
  }

  /** Tells of the leaves below a link that was not present before. */
  #tellCome(node: TableNode, index: number, table: number): void {
    const child = this.child(node, table);
    if (child === undefined) return;
    const { pages } = this.readerOf(node);
    for (const first of this.pagesOf(node)) {
      const page = first + index * pages;
      if (this.changes.wantsCome(page, pages)) tellBelow(this, child, page);
    }
  }

  #eachTable(node: TableNode, call: (index: number, table: number) => void): void {
    const reader = this.readerOf(node);
    for (let index = 0; index < reader.entries; index++) {
      const lo = node.copy[2 * index] as number;
      const hi = node.copy[2 * index + 1] as number;
      if ((lo | hi) !== 0 && reader.kind(lo, hi) === 'table') call(index, reader.table(lo, hi));
    }
  }
}
