import type { LevelReader } from './level-reader.js';
import type { Gone } from './tree-changes.js';
import type { WatchedRoot } from './watched-root.js';

/** Why a flush that reached the addresses of a run did not make a processor forget it. */
export type MissCause = 'wrong-asid' | 'keeps-global' | 'stride' | 'tables-not-named' | 'range';

/** The last flush that should have covered a run, and did not. */
export interface Miss {
  readonly cause: MissCause;
  readonly event: number;
  /** The address space that the flush named. */
  readonly asid: number | null;
}

/** One processor has forgotten a run. */
export interface Done {
  readonly processor: number;
  readonly event: number;
}

/** What a run is made of. */
interface RunParts {
  readonly root: WatchedRoot;
  readonly kind: Gone['kind'];
  readonly reader: LevelReader;
  /** The table that holds the entries, and the index of the first. */
  readonly table: number;
  readonly index: number;
  readonly count: number;
  /** First page, as address >> pageShift. */
  readonly page: number;
  /** Two words for each entry: as it may be cached, and as it was right after the change. */
  readonly before: Int32Array;
  readonly after: Int32Array;
  /** The event at which the change was seen. */
  readonly changedAt: number;
}

/**
 * Neighbouring entries of one table that some processor may still have cached as they were before they
 * changed. It goes when a flush that covers it is done on every processor. One that covers a part cuts it.
 */
export class StaleRun {
  readonly parts: RunParts;
  readonly isGlobal: boolean;
  /** The lowest frame of the leaves and the one after the highest; of a table entry the table. */
  readonly frames: readonly [number, number];
  /** Processors that may have it cached. */
  readonly waiting: Set<number>;
  done: readonly Done[] = [];
  /** The event of the last flush request that covers it; 0 for none. */
  requestedAt = 0;
  /** Who has said that he will flush it; `null` for nobody. */
  owedTo: 'purge' | 'batch' | null = null;
  owedAt = 0;
  miss: Miss | null = null;
  /** The event at which a frame of it was freed; 0 for none. */
  freedAt = 0;

  constructor(parts: RunParts, waiting: Iterable<number>) {
    this.parts = parts;
    this.waiting = new Set(waiting);
    const { kind, reader, before } = parts;
    const [lo, hi] = before as unknown as [number, number];
    this.isGlobal = kind === 'leaf' && reader.meaning(lo, hi).isGlobal;
    this.frames = this.#frames();
  }

  /** What was told of a tree's root. */
  static of(root: WatchedRoot, gone: Gone, changedAt: number, processors: Iterable<number>): StaleRun {
    const { kind, node, index, count, page, before, after } = gone;
    const reader = root.tree.readerOf(node);
    const parts = { root, kind, reader, table: node.pfn, index, count, before, after, changedAt };
    return runOf({ ...parts, page: root.absolute(page) }, processors);
  }

  /** The page after the last. */
  get end(): number {
    const { page, count, reader } = this.parts;
    return page + count * reader.pages;
  }

  /** The first frame of an entry, or the table that it points to. */
  frame(entry: number): number {
    const { kind, reader, before, index } = this.parts;
    const lo = before[2 * entry] as number;
    const hi = before[2 * entry + 1] as number;
    return kind === 'table' ? reader.table(lo, hi) : reader.frame(lo, hi, index + entry);
  }

  /** A part with everything that is known of the whole. */
  slice(from: number, to: number): StaleRun {
    const { index, page, before, after, reader } = this.parts;
    const parts = {
      ...this.parts,
      ...{ index: index + from, count: to - from, page: page + from * reader.pages },
      ...{ before: before.subarray(2 * from, 2 * to), after: after.subarray(2 * from, 2 * to) },
    };
    const { done, requestedAt, owedTo, owedAt, miss, freedAt } = this;
    const known = { done, requestedAt, owedTo, owedAt, miss, freedAt };
    return Object.assign(runOf(parts, this.waiting), known);
  }

  #frames(): [number, number] {
    const { kind, count, reader } = this.parts;
    if (kind === 'none') return [0, 0];
    if (kind === 'table') return [this.frame(0), this.frame(0) + 1];
    let low = Number.POSITIVE_INFINITY;
    let high = 0;
    for (let entry = 0; entry < count; entry++) {
      const frame = this.frame(entry);
      low = Math.min(low, frame);
      high = Math.max(high, frame);
    }
    return [low, high + reader.pages];
  }
}

/** Outside of the class: a bundler gives a class that names itself another name. */
function runOf(parts: RunParts, waiting: Iterable<number>): StaleRun {
  return new StaleRun(parts, waiting);
}
