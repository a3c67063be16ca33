/** Pages that are mapped alike: to frames that follow each other, with one right. Plain numbers, in base pages. */
export interface Interval {
  readonly first: number;
  readonly pages: number;
  readonly pfn: number;
  readonly write: boolean;
}

/** What is mapped, as a list of intervals: the model of random calls, which shares nothing with page tables. */
export class Intervals {
  #list: Interval[] = [];

  /** True when a page of a range is mapped. */
  isTaken(first: number, pages: number): boolean {
    return this.#list.some((one) => one.first < first + pages && first < one.first + one.pages);
  }

  /** The mapping of a page. */
  at(page: number): Interval | undefined {
    return this.#list.find((one) => one.first <= page && page < one.first + one.pages);
  }

  add(interval: Interval): void {
    this.#list.push(interval);
  }

  /** Takes a range away, and gives what was there. */
  remove(first: number, pages: number): Interval[] {
    const gone: Interval[] = [];
    const kept: Interval[] = [];
    for (const one of this.#list) {
      const from = Math.max(one.first, first);
      const to = Math.min(one.first + one.pages, first + pages);
      if (from >= to) {
        kept.push(one);
        continue;
      }
      gone.push(part(one, from, to));
      if (one.first < from) kept.push(part(one, one.first, from));
      if (to < one.first + one.pages) kept.push(part(one, to, one.first + one.pages));
    }
    this.#list = kept;
    return gone;
  }

  /** Gives a range another right. */
  protect(first: number, pages: number, write: boolean): void {
    for (const one of this.remove(first, pages)) this.#list.push({ ...one, write });
  }

  /** All of it in the order of addresses, what continues joined. */
  joined(): Interval[] {
    return join([...this.#list].sort((a, b) => a.first - b.first));
  }
}

function part(one: Interval, from: number, to: number): Interval {
  return { ...one, first: from, pages: to - from, pfn: one.pfn + (from - one.first) };
}

/** Joins neighbours in a sorted list where the second continues the first. */
export function join(list: readonly Interval[]): Interval[] {
  const joined: Interval[] = [];
  for (const one of list) {
    const last = joined[joined.length - 1];
    const continues =
      last !== undefined &&
      last.first + last.pages === one.first &&
      last.pfn + last.pages === one.pfn &&
      last.write === one.write;
    if (continues) joined[joined.length - 1] = { ...last, pages: last.pages + one.pages };
    else joined.push(one);
  }
  return joined;
}
