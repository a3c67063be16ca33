/** Pages that somebody has. */
export interface Place {
  /** First page. */
  readonly start: number;
  /** Pages. */
  readonly size: number;
}

/** A block is split in two when it has more. */
const MOST = 256;

/**
 * Places by their first page. Each step takes time that hardly grows with their number, so that a recording with many differences is
 * replayed in time that grows with its length.
 *
 * Places may overlap. One that begins far before a range is found only if no other begins between them; a replay gives none such.
 */
export class Places<T extends Place> {
  /** Sorted, and sorted among each other. None is empty, but the only one. */
  #blocks: T[][] = [[]];

  add(place: T): void {
    const at = this.#blockOf(place.start);
    const block = this.#blocks[at] as T[];
    block.splice(lowerBound(block, place.start), 0, place);
    if (block.length <= MOST) return;
    this.#blocks.splice(at, 1, block.slice(0, MOST / 2), block.slice(MOST / 2));
  }

  delete(place: T): void {
    for (let at = this.#blockOf(place.start); at < this.#blocks.length; at++) {
      const block = this.#blocks[at] as T[];
      if ((block[0]?.start ?? 0) > place.start) return;
      const i = block.indexOf(place, lowerBound(block, place.start));
      if (i < 0) continue;
      block.splice(i, 1);
      if (block.length === 0 && this.#blocks.length > 1) this.#blocks.splice(at, 1);
      return;
    }
  }

  /** The places that overlap some pages, by their first page. */
  overlapping(start: number, size: number): T[] {
    const found: T[] = [];
    let at = this.#blockOf(start);
    let i = lowerBound(this.#blocks[at] as T[], start) - 1;
    if (i < 0 && at > 0) {
      at--;
      i = (this.#blocks[at] as T[]).length - 1;
    }
    for (i = Math.max(i, 0); at < this.#blocks.length; at++, i = 0) {
      for (const block = this.#blocks[at] as T[]; i < block.length; i++) {
        const place = block[i] as T;
        if (place.start >= start + size) return found;
        if (place.start + place.size > start) found.push(place);
      }
    }
    return found;
  }

  /** The first block that may have places that begin at a page. */
  #blockOf(start: number): number {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#blocks[middle]?.at(-1)?.start as number) < start) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function lowerBound(block: readonly Place[], start: number): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((block[middle] as Place).start < start) low = middle + 1;
    else high = middle;
  }
  return low;
}
