import { toBigint } from '@vmarea/core';
import { factsOf } from './explain.js';
import { judgeRunOf } from './run-rules.js';
import { StaleRun } from './stale-run.js';
import type { State } from './state.js';
import type { TableNode } from './table-node.js';
import type { Come, Gone, Replaced, TreeChanges } from './tree-changes.js';
import type { WatchedRoot } from './watched-root.js';

/** Judges what a look at the tables of a root has found. */
export class TableRules implements TreeChanges {
  readonly #state: State;
  readonly #root: WatchedRoot;

  constructor(state: State, root: WatchedRoot) {
    this.#state = state;
    this.#root = root;
  }

  gone(change: Gone): void {
    if (change.kind === 'none' && !this.#root.cachesNotPresent) return;
    const { event, processors, stale } = this.#state;
    stale.add(StaleRun.of(this.#root, change, event, processors));
  }

  come({ node, index, count, page }: Come): void {
    const { pages } = this.#root.tree.readerOf(node);
    const first = this.#root.absolute(page);
    for (const run of this.#olderIn(first, first + count * pages))
      this.#again(run, node, index, count, first);
  }

  wantsCome(page: number, pages: number): boolean {
    const first = this.#root.absolute(page);
    return this.#olderIn(first, first + pages).length > 0;
  }

  replaced({ node, index, page, before, after }: Replaced): void {
    const root = this.#root;
    const reader = root.tree.readerOf(node);
    if (!reader.needsBreak(before, after)) return;
    const { event, processors, reports } = this.#state;
    const isLeaf = reader.kind(before.lo, before.hi) === 'leaf';
    reports.add({
      ...{ code: 'break-before-make', class: 'error', cause: 'in-place' },
      ...{ processor: processors[0] as number, processors, asid: root.asid },
      va: root.address(root.absolute(page)),
      bytes: 1n << BigInt(reader.level.shift),
      level: reader.level.name,
      entryAddress: root.entryAddress(node.pfn, reader.index, index),
      ...{ before: toBigint(before), after: toBigint(after), changedAt: event, flushAt: 0, at: event },
      frame: isLeaf ? reader.frame(before.lo, before.hi, index) : reader.table(before.lo, before.hi),
    });
  }

  runTouched(node: TableNode, index: number): void {
    judgeRunOf(this.#state, this.#root, node, index);
  }

  /** Leaves of these addresses that changed at an earlier event and that some processor may have. */
  #olderIn(first: number, end: number): StaleRun[] {
    const { stale, event } = this.#state;
    return stale
      .within(first, end)
      .filter(
        ({ parts, isGlobal }) =>
          parts.kind === 'leaf' &&
          parts.changedAt < event &&
          (parts.root === this.#root || parts.root.asid === this.#root.asid || isGlobal),
      );
  }

  /** Addresses of a run were mapped again. */
  #again(run: StaleRun, node: TableNode, index: number, count: number, first: number): void {
    const { event, reports, stale } = this.#state;
    const { page, reader } = run.parts;
    const { pages } = this.#root.tree.readerOf(node);
    const end = Math.min(run.end, first + count * pages);
    const from = Math.floor((Math.max(page, first) - page) / reader.pages);
    const to = Math.ceil((end - page) / reader.pages);
    if (reader.index === node.level && this.#isBack(run, from, to, node, index, first)) {
      stale.restore(run, from, to);
      return;
    }
    const at = Math.floor((Math.max(page, first) - first) / pages);
    const after = this.#root.entry(node, index + at);
    reports.add(
      factsOf(run, {
        code: 'address-reused',
        at: event,
        entry: from,
        entries: to - from,
        isError: true,
        after,
      }),
    );
  }

  /** True when the new leaves are what may be cached. */
  #isBack(run: StaleRun, from: number, to: number, node: TableNode, index: number, first: number): boolean {
    const { reader, before, page } = run.parts;
    const { copy } = node;
    for (let entry = from; entry < to; entry++) {
      const at = index + (page + entry * reader.pages - first) / reader.pages;
      const [lo, hi] = [copy[2 * at] as number, copy[2 * at + 1] as number];
      const old = [before[2 * entry] as number, before[2 * entry + 1] as number] as const;
      if (reader.frame(lo, hi, at) !== run.frame(entry)) return false;
      if (reader.meaning(lo, hi).text !== reader.meaning(...old).text) return false;
    }
    return true;
  }
}
