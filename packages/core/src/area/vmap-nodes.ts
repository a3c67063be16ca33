import { counted, printsItself } from '../prints.js';
import type { FreeSpace } from './free-space.js';

/** A freed range that waits: in a node's lazy list, or in a pool. */
export interface Waiting {
  /** First page. */
  readonly start: number;
  /** Pages, guard included. */
  readonly size: number;
  /** The node that the area was allocated for, as its flags say; -1 for none. */
  readonly node: number;
}

/** The pages from the first to the last of some ranges, the end exclusive. */
export interface Hull {
  /** First page. */
  readonly start: number;
  /** The page after the last one. */
  readonly end: number;
}

/** The lock that a step takes. */
export type Lock = 'pool' | 'heap';

/** Pages of the largest ranges that are pooled. */
const CLASSES = 256;
/** Pages of neighbouring addresses that belong to one node, when there are several nodes. */
const ZONE_PAGES = 16;

/** One node: what was freed there, and its pools by size. The head of a pool is its last element. */
export interface Node {
  /** What waits, in no order. */
  lazy: Waiting[];
  readonly pools: Waiting[][];
}

/**
 * Freed ranges on their way back: lazy lists, and pools by size. Each possible processor has a set of them.
 *
 * Nothing that is freed can be used again before a purge. A purge puts ranges of up to 256 pages in pools,
 * where only requests of that size on that processor find them. The others go back to the free space. With
 * one processor there are no pools.
 *
 * Arguments are not checked: this is a part of `VmapAreas`, which checks them, for replays and simulators.
 *
 * Source: Linux 6.12, `mm/vmalloc.c`: free_vmap_area_noflush, __purge_vmap_area_lazy, decay_va_pool_node,
 * purge_vmap_node, node_alloc, node_pool_del_va. The order of all steps is that of recorded streams of 6.12.
 */
export class VmapNodes {
  /** Pages that wait in lazy lists, guards included (vmap_lazy_nr). */
  lazyPages = 0;
  readonly #free: FreeSpace;
  readonly #nodes: Node[];
  readonly #zone: number;

  /** @param count - possible processors, 1 to 128. */
  constructor(free: FreeSpace, count: number) {
    this.#free = free;
    this.#zone = count === 1 ? 1 : ZONE_PAGES;
    this.#nodes = Array.from({ length: count }, () => ({
      lazy: [],
      pools: count === 1 ? [] : Array.from({ length: CLASSES }, () => []),
    }));
    printsItself(new.target.prototype);
  }

  /** What waits, and what is in pools. */
  toString(): string {
    const waiting = counted(this.lazyPages, 'page');
    return `VmapNodes of ${counted(this.count, 'node')}: ${waiting} to purge, ${counted(this.pooled, 'range')} in pools`;
  }

  /** Number of nodes. */
  get count(): number {
    return this.#nodes.length;
  }

  /** The node that an address belongs to. */
  nodeOf(page: number): number {
    return Math.floor(page / this.#zone) % this.#nodes.length;
  }

  /**
   * Takes a range of exactly this size from a node's pool. It looks only at the head of the pool. A head
   * that is not aligned goes to the tail, and nothing is taken.
   *
   * @returns its first page; -1 for none.
   */
  take(node: number, size: number, align: number): number {
    const pool = this.#nodes[node]?.pools[size - 1];
    const head = pool?.pop();
    if (pool === undefined || head === undefined) return -1;
    if (head.start % align === 0) return head.start;
    pool.unshift(head);
    return -1;
  }

  /** The first page of a pool's head: what `take` would look at. −1 for an empty pool. */
  head(node: number, size: number): number {
    return this.#nodes[node]?.pools[size - 1]?.at(-1)?.start ?? -1;
  }

  /** Puts a range back at the head of the pool that `take` took it from, as if it had never been taken. */
  untake(node: number, range: Waiting): void {
    this.#nodes[node]?.pools[range.size - 1]?.push(range);
  }

  /**
   * Takes every range that overlaps some pages out of all pools and lazy lists: for a replay that learns from
   * a recording that these pages do not wait any more.
   *
   * @param start - first page.
   * @param end - the page after the last one.
   * @returns what it took out, in no order.
   */
  withdraw(start: number, end: number): Waiting[] {
    const taken: Waiting[] = [];
    const isOutside = (range: Waiting): boolean => {
      if (range.start >= end || range.start + range.size <= start) return true;
      taken.push(range);
      return false;
    };
    for (const node of this.#nodes) {
      for (let i = 0; i < node.pools.length; i++) {
        const pool = node.pools[i] as Waiting[];
        if (isAnyInside(pool, start, end)) node.pools[i] = pool.filter(isOutside);
      }
      const pooled = taken.length;
      if (isAnyInside(node.lazy, start, end)) node.lazy = node.lazy.filter(isOutside);
      for (const { size } of taken.slice(pooled)) this.lazyPages -= size;
    }
    return taken;
  }

  /** Adds a freed range to the list of its node. */
  add(range: Waiting): void {
    const home = range.node >= 0 ? range.node : this.nodeOf(range.start);
    this.#nodes[home]?.lazy.push(range);
    this.lazyPages += range.size;
  }

  /**
   * Purges: takes all lazy lists, flushes, decays the pools, and then puts what was taken where it belongs.
   *
   * @param isFull - empties the pools and does not fill them, as for a request that found nothing.
   * @param flush - called with what was taken, `null` for nothing, before any of it can be used again. When
   *   it throws, all of it waits again. What it frees itself waits for the next purge.
   * @returns the number of ranges that waited.
   */
  purge(isFull: boolean, flush: (hull: Hull | null) => void = () => {}): number {
    // Linux decays each node right before it takes that node's list. Neither uses what the other changes, so
    // the lists can come first here. They must: a decay cannot be undone.
    const lists = this.#nodes.map((_node, i) => this.collect(i));
    try {
      flush(hullOf(lists));
    } catch (error) {
      for (const [i, list] of lists.entries()) {
        const node = this.#nodes[i] as Node;
        node.lazy = list.concat(node.lazy);
      }
      throw error;
    }
    for (let node = 0; node < lists.length; node++) finish(this.decay(node, isFull));
    for (const [node, list] of lists.entries()) finish(this.giveBack(node, list, isFull));
    return lists.reduce((sum, list) => sum + list.length, 0);
  }

  /** Empties all pools into the free space, as Linux does when memory is short. */
  shrink(): void {
    for (let node = 0; node < this.count; node++) finish(this.decay(node, true));
  }

  /** Number of ranges in pools. */
  get pooled(): number {
    return this.#nodes.reduce((sum, { pools }) => sum + pools.reduce((all, pool) => all + pool.length, 0), 0);
  }

  /** Pages of the ranges in pools. */
  get pooledPages(): number {
    return this.#nodes.reduce(
      (sum, { pools }) => sum + pools.reduce((all, pool, i) => all + pool.length * (i + 1), 0),
      0,
    );
  }

  /** A node's lazy list, by address, and its pools by size, heads first. */
  state(node: number): {
    readonly lazy: readonly Waiting[];
    readonly pools: readonly (readonly Waiting[])[];
  } {
    const { lazy, pools } = this.#nodes[node] as Node;
    return {
      lazy: [...lazy].sort((a, b) => a.start - b.start),
      pools: pools.map((pool) => [...pool].reverse()),
    };
  }

  /** The lists themselves, for a checkpoint of all areas. */
  get lists(): readonly Node[] {
    return this.#nodes;
  }

  /**
   * Moves a quarter of each pool of a node, from its head, back into the free space; or all of it. Linux
   * 6.12 counts a quarter down from 0 when a pool has fewer than four ranges, and so takes all of them.
   * While it looks through a pool, others find the pool empty.
   *
   * A step ends where Linux takes a lock for the next one, and yields which lock. A replay of several
   * processors needs this, since others may come in between. `purge` runs all steps at once.
   */
  *decay(node: number, isFull: boolean): Generator<Lock> {
    const { pools } = this.#nodes[node] as Node;
    const decayed: Waiting[] = [];
    for (let i = 0; i < pools.length; i++) {
      if ((pools[i] as Waiting[]).length === 0) continue;
      yield 'pool';
      const pool = pools[i] as Waiting[];
      pools[i] = [];
      const quarter = pool.length >> 2;
      const count = isFull || quarter === 0 ? pool.length : quarter;
      for (let taken = 0; taken < count; taken++) decayed.push(pool.pop() as Waiting);
      if (pool.length === 0) continue;
      yield 'pool';
      pools[i] = pool;
    }
    if (decayed.length === 0) return;
    decayed.sort((a, b) => a.start - b.start);
    yield 'heap';
    // Neighbours are joined first, so the tree gets fewer and longer ranges.
    let { start } = decayed[0] as Waiting;
    let end = start;
    for (const range of decayed) {
      if (range.start !== end) {
        this.#give(start, end);
        start = range.start;
      }
      end = range.start + range.size;
    }
    this.#give(start, end);
  }

  /** Takes the lazy list of a node, by address: the first step of a purge. */
  collect(node: number): Waiting[] {
    const home = this.#nodes[node] as Node;
    const list = home.lazy.sort((a, b) => a.start - b.start);
    home.lazy = [];
    return list;
  }

  /**
   * Puts what a purge collected in a node's pools, in address order, and gives the rest back in reverse
   * order. It runs in steps, as `decay` does.
   */
  *giveBack(node: number, list: readonly Waiting[], isFull: boolean): Generator<Lock> {
    const { pools } = this.#nodes[node] as Node;
    const rest: Waiting[] = [];
    for (const range of list) {
      this.lazyPages -= range.size;
      const isPooled = range.node >= 0 && !isFull && range.size <= pools.length;
      if (!isPooled) {
        rest.push(range);
        continue;
      }
      yield 'pool';
      (pools[range.size - 1] as Waiting[]).push(range);
    }
    if (rest.length === 0) return;
    yield 'heap';
    for (let i = rest.length - 1; i >= 0; i--) {
      const { start, size } = rest[i] as Waiting;
      this.#give(start, start + size);
    }
  }

  #give(start: number, end: number): void {
    // A range that comes back was taken, and is in one place only. An overlap is our own fault, and must not
    // go unnoticed.
    if (!this.#free.give(start, end)) throw new Error(`pages ${start} to ${end} are free already`);
  }
}

/** True when a range overlaps some pages. Most do not, and a search makes no new list. */
function isAnyInside(ranges: readonly Waiting[], start: number, end: number): boolean {
  for (let i = 0; i < ranges.length; i++) {
    const range = ranges[i] as Waiting;
    if (range.start < end && range.start + range.size > start) return true;
  }
  return false;
}

/** The pages from the first to the last range; `null` when there is none. */
function hullOf(lists: readonly (readonly Waiting[])[]): Hull | null {
  let start = Number.POSITIVE_INFINITY;
  let end = 0;
  for (const list of lists) {
    for (const range of list) {
      start = Math.min(start, range.start);
      end = Math.max(end, range.start + range.size);
    }
  }
  return end === 0 ? null : { start, end };
}

function finish(steps: Generator<Lock>): void {
  while (steps.next().done !== true);
}
