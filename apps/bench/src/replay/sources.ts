import type { LiveAreas } from './live-areas.js';

/** Where the address of a request comes from. */
export interface Source {
  /** First page; negative when nothing fits. */
  readonly start: number;
  /** The node whose pool gave it; -1 for the free tree. */
  readonly pool: number;
  /** Pages that were taken at the recorded address instead, since lost rows explain it; none when they do not. */
  readonly explained?: number;
  /** True when another shape of the free tree gives this address, and the recording does not tell the shape. */
  readonly isOtherShape?: boolean;
}

/** A request, in pages. */
export interface Wanted {
  readonly size: number;
  readonly align: number;
  readonly vstart: number;
  readonly vend: number;
  /** False when the window is not vmalloc's. Such requests look at no pool. */
  readonly isUsual: boolean;
}

/**
 * Serves requests without lock rows, and knows what the recording does not tell about them.
 *
 * A request looks at its pool before it allocates the area object, which may sleep. A purge in between fills a pool that the request sees
 * no more. The row comes at the end. So a request whose row follows such a fill may have seen the pool as it was before.
 */
export class Sources {
  readonly #areas: LiveAreas;
  /** By node: the row at which a purge filled its pools last. */
  readonly #filled = new Map<number, number>();
  /** Heads that were not aligned and went to the tail, for a request that may have seen another pool; by first page. */
  readonly #rotated = new Map<number, number>();

  constructor(areas: LiveAreas) {
    this.#areas = areas;
  }

  /** A purge fills the pools of a node at a row. */
  fill(node: number, row: number): void {
    this.#filled.set(node, row);
  }

  /**
   * Looks at the pool for a request, at its row.
   *
   * @param node - of the processor in its row.
   * @param since - the last row of its thread: it looked at the pool after that.
   * @returns `null` when the free tree serves it.
   */
  fromPool(node: number, { size, align }: Wanted, since: number): Source | null {
    const { nodes } = this.#areas;
    const head = nodes.head(node, size);
    const start = nodes.take(node, size, align);
    if (start >= 0) return { start, pool: node };
    if (head >= 0 && this.#mayHaveMissed(node, since)) this.#rotated.set(head, node);
    return null;
  }

  /**
   * The other choice that explains a recorded address exactly, if the recording does not tell which was made.
   *
   * @param taken - what was taken. It is given back when there is another choice.
   * @param isOrdered - false when rows of several processors may be out of order, so that any pool may be the one.
   * @returns the new source; `null` when there is none, and nothing is done.
   */
  otherwise(
    recorded: number,
    taken: Source,
    wanted: Wanted,
    {
      node,
      since,
      isOrdered,
    }: { readonly node: number; readonly since: number; readonly isOrdered: boolean },
  ): Source | null {
    if (!wanted.isUsual) return null;
    const isUnseen = !isOrdered || this.#mayHaveMissed(node, since);
    if (taken.pool >= 0 && isUnseen && this.#find(wanted) === recorded) {
      this.release(taken, wanted.size);
      return this.#fromTree(wanted);
    }
    const pool = this.#rotated.get(recorded) ?? (isOrdered ? undefined : this.#poolWith(recorded, wanted));
    if (pool === undefined || recorded % wanted.align !== 0) return null;
    const isThere = this.#areas.nodes
      .state(pool)
      .pools[wanted.size - 1]?.some(({ start }) => start === recorded);
    if (isThere !== true) return null;
    this.#rotated.delete(recorded);
    this.release(taken, wanted.size);
    this.#areas.nodes.withdraw(recorded, recorded + wanted.size);
    return { start: recorded, pool };
  }

  /** Gives back what was just taken. */
  release({ start, pool }: Source, size: number): void {
    if (start < 0) return;
    if (pool >= 0) this.#areas.nodes.untake(pool, { start, size, node: pool });
    else this.#areas.free.give(start, start + size);
  }

  /**
   * Takes another range of the pool than its head, which was taken: the kernel's pool has them in another order. The head goes where that
   * one was.
   *
   * @returns false, and nothing is done, when the pool does not have it.
   */
  swap({ start: head, pool }: Source, wanted: number, size: number): boolean {
    if (pool < 0) return false;
    const { nodes } = this.#areas;
    const above: number[] = [];
    let at = nodes.take(pool, size, 1);
    for (; at >= 0 && at !== wanted; at = nodes.take(pool, size, 1)) above.push(at);
    const isFound = at === wanted;
    for (const start of [...above, ...(isFound ? [head] : [])].reverse())
      nodes.untake(pool, { start, size, node: pool });
    return isFound;
  }

  /** True when a purge has filled the pools of a node since a row. */
  #mayHaveMissed(node: number, since: number): boolean {
    return (this.#filled.get(node) ?? -1) > since;
  }

  /** The node whose pool has an address at its head. */
  #poolWith(start: number, { size }: Wanted): number | undefined {
    const { nodes } = this.#areas;
    for (let node = 0; node < nodes.count; node++) if (nodes.head(node, size) === start) return node;
    return undefined;
  }

  #find({ size, align, vstart, vend }: Wanted): number {
    return this.#areas.free.find(size, align, vstart, vend);
  }

  #fromTree({ size, align, vstart, vend }: Wanted): Source {
    return { start: this.#areas.free.take(size, align, vstart, vend), pool: -1 };
  }
}
