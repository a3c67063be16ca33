import { FreeSpace, NIL, VmapNodes } from '@vmarea/core';

/** A live area of the replay, for a recorded one. */
export interface LiveArea {
  readonly start: number;
  readonly size: number;
  /** The node in its flags; -1 for none. */
  readonly node: number;
}

/**
 * The areas of a replay: the free tree, the waiting ranges, and the live areas by the name that the recording has for them.
 *
 * A name is the recorded first page. It is also the place, except for an area whose recorded answer is not ours.
 */
export class LiveAreas {
  readonly free: FreeSpace;
  readonly nodes: VmapNodes;
  /** Live areas by recorded first page; `null` for one that failed here. */
  readonly areas = new Map<number, LiveArea | null>();
  /** The names of areas whose recorded answer is damaged, by their place: a row may free them by that. */
  readonly #places = new Map<number, number>();

  /** Names of areas whose request is lost. */
  readonly #lost = new Set<number>();

  /**
   * @param pages - of the address space.
   * @param early - areas from before the first row, by address.
   */
  constructor(
    pages: number,
    nodes: number,
    early: readonly { readonly start: number; readonly size: number }[],
  ) {
    this.free = new FreeSpace(pages, early);
    this.nodes = new VmapNodes(this.free, nodes);
    for (const { start, size } of early) this.add(start, { start, size, node: -1 });
  }

  /** Names a new area. */
  add(name: number, area: LiveArea | null): void {
    this.#places.delete(name);
    this.#lost.delete(name);
    this.areas.set(name, area);
    if (area !== null && area.start !== name) this.#places.set(area.start, name);
  }

  /** Adds an area whose request is lost: its free is still one of an address that no row gave. */
  addLost(area: LiveArea): void {
    this.add(area.start, area);
    this.#lost.add(area.start);
  }

  /** True when an area is there only because the kernel passed its place over. */
  isLost(name: number): boolean {
    return this.#lost.has(name);
  }

  /** True when a live area has this name. */
  has(name: number): boolean {
    return this.areas.has(name);
  }

  /** Frees an area by its name or place, so that it waits. Returns false when no row gave it. */
  lazyFree(page: number): boolean {
    const name = this.areas.has(page) ? page : this.#places.get(page);
    const area = name === undefined ? undefined : this.areas.get(name);
    if (name === undefined || area === undefined) return false;
    this.areas.delete(name);
    if (area !== null) {
      if (this.#places.get(area.start) === name) this.#places.delete(area.start);
      this.nodes.add(area);
    }
    return !this.#lost.delete(name);
  }

  /** Takes a place that is free as a whole. Returns false, and nothing is done, when it is not. */
  take(start: number, size: number): boolean {
    const { tree } = this.free;
    const node = this.free.enclosing(start);
    if (node === NIL || (tree.start[node] as number) > start || (tree.end[node] as number) < start + size)
      return false;
    this.free.clip(node, start, size);
    return true;
  }

  /** The live areas that overlap some pages, by name. */
  overlapping(start: number, size: number): [number, LiveArea][] {
    const found: [number, LiveArea][] = [];
    // No list of all areas is made: a replay that differs asks this for each difference.
    this.areas.forEach((area, name) => {
      if (area !== null && area.start < start + size && area.start + area.size > start)
        found.push([name, area]);
    });
    return found;
  }

  /**
   * Takes a place, whatever has it: waiting ranges go back to the free tree, a live area that begins before it loses what is at and behind
   * it. A live area that begins inside it stays, and ends it.
   *
   * @param isGone - says whether the kernel has freed a live area that is in the way. Such an area goes as a whole.
   * @returns the pages taken; 0 when somebody holds the place in the middle of a purge. What was in the way is free then.
   */
  claim(start: number, size: number, isGone: (name: number) => boolean): number {
    const inside = this.overlapping(start, size).filter(
      ([name, area]) => area.start > start && !isGone(name),
    );
    const end = inside.reduce((least, [, area]) => Math.min(least, area.start), start + size);
    for (const waiting of this.nodes.withdraw(start, end))
      this.free.give(waiting.start, waiting.start + waiting.size);
    for (const [name, area] of this.overlapping(start, end - start)) {
      const kept = isGone(name) ? 0 : Math.max(0, start - area.start);
      this.areas.set(name, kept === 0 ? null : { ...area, size: kept });
      this.free.give(area.start + kept, area.start + area.size);
    }
    return this.take(start, end - start) ? end - start : 0;
  }
}
