import type { Hull, Lock, VmapNodes, Waiting } from '@vmarea/core';

/** The result of a purge. */
export interface Purged {
  readonly areas: number;
  readonly hull: Hull | null;
}

/**
 * A purge that runs: each node is decayed, then its lazy list is taken; after the flush, each list is worked off. Rows tell when.
 */
export class PurgeRun {
  readonly thread: string;
  readonly isFull: boolean;
  readonly #nodes: VmapNodes;
  /** What was taken from each node, and whether it is worked off. */
  readonly #lists = new Map<number, { list: readonly Waiting[]; isDone: boolean }>();

  constructor(nodes: VmapNodes, thread: string, isFull: boolean) {
    this.#nodes = nodes;
    this.thread = thread;
    this.isFull = isFull;
  }

  /** Takes the lazy list of a node. */
  collect(node: number): void {
    const known = this.#lists.get(node);
    // A row of the decay may have taken it, before a row tells when the lock was held.
    const before = known === undefined || known.isDone ? [] : known.list;
    this.#lists.set(node, { list: [...before, ...this.#nodes.collect(node)], isDone: false });
  }

  /** Works off the list of a node, step by step. */
  giveBack(node: number): Generator<Lock> {
    const taken = this.#lists.get(node);
    if (taken === undefined || taken.isDone) return nothing();
    taken.isDone = true;
    return this.#nodes.giveBack(node, taken.list, this.isFull);
  }

  /**
   * Ends the purge. Nodes without rows are done now.
   *
   * @param isWhole - false when rows tell of locks: then a node without a row has no list.
   */
  end(isWhole: boolean): Purged {
    for (let node = 0; isWhole && node < this.#nodes.count; node++) {
      if (this.#lists.has(node)) continue;
      finish(this.#nodes.decay(node, this.isFull));
      this.collect(node);
    }
    const nodes = [...this.#lists].sort(([a], [b]) => a - b);
    for (const [node] of nodes) finish(this.giveBack(node));
    return purgedOf(nodes.flatMap(([, { list }]) => list));
  }
}

function purgedOf(all: readonly Waiting[]): Purged {
  if (all.length === 0) return { areas: 0, hull: null };
  let start = Number.POSITIVE_INFINITY;
  let end = 0;
  for (const range of all) {
    start = Math.min(start, range.start);
    end = Math.max(end, range.start + range.size);
  }
  return { areas: all.length, hull: { start, end } };
}

/** Does all steps at once. */
export function finish(steps: Generator<Lock>): void {
  while (steps.next().done !== true);
}

function* nothing(): Generator<Lock> {}
