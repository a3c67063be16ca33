/** Numbers of chunks, the latest one first: a heap, so that each takes a logarithm of steps in any order. */
export class LatestFirst {
  readonly #heap: number[] = [];

  /** The largest number; -1 when there is none. */
  get latest(): number {
    return this.#heap[0] ?? -1;
  }

  add(chunk: number): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(chunk);
    while (at > 0) {
      const above = (at - 1) >>> 1;
      if ((heap[above] as number) >= chunk) break;
      heap[at] = heap[above] as number;
      at = above;
    }
    heap[at] = chunk;
  }

  /** Drops the largest number. */
  drop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (let below = 1; below < heap.length; below = 2 * at + 1) {
      if (below + 1 < heap.length && (heap[below + 1] as number) > (heap[below] as number)) below++;
      if ((heap[below] as number) <= last) break;
      heap[at] = heap[below] as number;
      at = below;
    }
    heap[at] = last;
  }
}
