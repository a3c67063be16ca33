import type { Area } from './area.js';
import { IntervalTree, NIL } from './interval-tree.js';

/** A live area, and what the allocator knows of it. */
export interface BusyArea {
  readonly area: Area;
  /** First page, and number of pages with the guard. */
  readonly start: number;
  readonly size: number;
  /** The node that its flags name; -1 for none. */
  readonly node: number;
}

/** The areas of one node, by tree index. */
interface Home {
  readonly tree: IntervalTree;
  readonly areas: (BusyArea | undefined)[];
}

/**
 * Live areas: one tree for each node. An area is in the tree of its first page's node.
 *
 * Source: Linux 6.12, `mm/vmalloc.c`: find_vmap_area looks at the node of the address and then backwards at
 * the others, since an area may begin in the zone of another node.
 */
export class BusyAreas {
  #count = 0;
  readonly #homes: Home[];
  readonly #nodeOf: (page: number) => number;

  /** @param nodeOf - gives the node of a page. */
  constructor(nodes: number, nodeOf: (page: number) => number) {
    this.#homes = Array.from({ length: nodes }, () => ({ tree: new IntervalTree(), areas: [] }));
    this.#nodeOf = nodeOf;
  }

  /** Number of live areas. */
  get count(): number {
    return this.#count;
  }

  add(busy: BusyArea): void {
    const { tree, areas } = this.#home(busy.start);
    areas[tree.insert(busy.start, busy.start + busy.size)] = busy;
    this.#count++;
  }

  /** The area that holds a page, its guard included. */
  find(page: number): BusyArea | undefined {
    const { length } = this.#homes;
    const first = this.#nodeOf(page);
    for (let i = 0; i < length; i++) {
      const { tree, areas } = this.#homes[(first - i + length) % length] as Home;
      const node = tree.find(page);
      if (node !== NIL) return areas[node];
    }
    return undefined;
  }

  remove({ start }: BusyArea): void {
    const { tree, areas } = this.#home(start);
    const node = tree.find(start);
    tree.erase(node);
    areas[node] = undefined;
    this.#count--;
  }

  /** Forgets all of them. */
  clear(): void {
    for (const [i] of this.#homes.entries()) this.#homes[i] = { tree: new IntervalTree(), areas: [] };
    this.#count = 0;
  }

  /** All of them, in Linux's order: by node, then by address. */
  *[Symbol.iterator](): IterableIterator<BusyArea> {
    for (const { tree, areas } of this.#homes)
      for (let node = tree.next(NIL); node !== NIL; node = tree.next(node)) yield areas[node] as BusyArea;
  }

  #home(start: number): Home {
    return this.#homes[this.#nodeOf(start)] as Home;
  }
}
