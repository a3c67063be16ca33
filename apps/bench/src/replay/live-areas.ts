import { FreeSpace, NIL, VmapNodes, type Waiting } from '@vmarea/core';
import { type Place, Places } from './places.js';

/** A live area of the replay, for a recorded one. */
export interface LiveArea {
  readonly start: number;
  readonly size: number;
  /** The node in its flags; -1 for none. */
  readonly node: number;
  /** The row of its request; none for an area without one. */
  readonly row?: number | undefined;
}

/** A live area that has a place, with its name. */
interface Named extends Place {
  readonly name: number;
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
  readonly areas: ReadonlyMap<number, LiveArea | null>;
  readonly #areas = new Map<number, LiveArea | null>();
  /** The names of areas whose recorded answer is damaged, by their place: a row may free them by that. */
  readonly #places = new Map<number, number>();

  /** Names of areas whose request is lost. */
  readonly #lost = new Set<number>();
  /** Live areas by place. Made at the first difference, since a replay without one needs none. */
  #index: Places<Named> | null = null;
  /** Those in the index, by name. */
  readonly #named = new Map<number, Named>();

  /**
   * @param pages - of the address space.
   * @param early - areas from before the first row, by address.
   */
  constructor(
    pages: number,
    nodes: number,
    early: readonly { readonly start: number; readonly size: number }[],
  ) {
    this.areas = this.#areas;
    this.free = new FreeSpace(pages, early);
    this.nodes = new VmapNodes(this.free, nodes);
    for (const { start, size } of early) this.add(start, { start, size, node: -1 });
  }

  /** Names a new area. */
  add(name: number, area: LiveArea | null): void {
    this.#places.delete(name);
    this.#lost.delete(name);
    this.#set(name, area);
    if (area !== null && area.start !== name) this.#places.set(area.start, name);
  }

  /** Adds an area whose request is lost: its free is still one of an address that no row gave. */
  addLost(area: LiveArea): void {
    this.add(area.start, area);
    this.#lost.add(area.start);
  }

  /** Takes back what `addLost` added. Its place stays taken. */
  forgetLost({ start }: LiveArea): void {
    this.#forget(start, this.areas.get(start) ?? null);
    this.#lost.delete(start);
  }

  /** True when an area is there only because the kernel passed its place over. */
  isLost(name: number): boolean {
    return this.#lost.has(name);
  }

  /** True when a live area has this name. */
  has(name: number): boolean {
    return this.areas.has(name);
  }

  /** The live area with a name or place; `null` for none. */
  named(page: number): LiveArea | null {
    return this.areas.get(this.#nameOf(page) ?? -1) ?? null;
  }

  #nameOf(page: number): number | undefined {
    return this.areas.has(page) ? page : this.#places.get(page);
  }

  /** Frees an area by its name or place, so that it waits. Returns false when no row gave it. */
  lazyFree(page: number): boolean {
    const name = this.#nameOf(page);
    const area = name === undefined ? undefined : this.areas.get(name);
    if (name === undefined || area === undefined) return false;
    this.#forget(name, area);
    if (area !== null) this.nodes.add(area);
    return !this.#lost.delete(name);
  }

  /**
   * A live area has been freed and purged without a row: it goes where a purge puts it.
   *
   * @param isFull - true when that purge fills no pools.
   */
  purged(name: number, isFull: boolean): void {
    const area = this.areas.get(name) ?? null;
    this.#forget(name, area);
    this.#lost.delete(name);
    if (area === null) return;
    const home = area.node >= 0 ? area.node : this.nodes.nodeOf(area.start);
    this.nodes.lazyPages += area.size;
    for (const _step of this.nodes.giveBack(home, [area], isFull));
  }

  /** A live area goes to the free tree. Returns it; `null` when it has no place. */
  drop(name: number): LiveArea | null {
    const area = this.areas.get(name) ?? null;
    if (area === null) return null;
    this.#forget(name, area);
    this.free.give(area.start, area.start + area.size);
    return area;
  }

  /** Changes the size of a live area. Returns false, and nothing is done, when the pages behind it are not free. */
  resize(name: number, size: number): boolean {
    const area = this.areas.get(name) ?? null;
    if (area === null || !this.#move(area, size)) return false;
    this.#set(name, { ...area, size });
    return true;
  }

  /** The same for a range in a lazy list. */
  resizeWaiting(waiting: Waiting, size: number): boolean {
    if (!this.#move(waiting, size)) return false;
    this.nodes.withdraw(waiting.start, waiting.start + 1);
    this.nodes.add({ ...waiting, size });
    return true;
  }

  /** Gives back the pages behind the new end of a range, or takes those before it. */
  #move({ start, size: old }: Place, size: number): boolean {
    if (size > old) return this.take(start + old, size - old);
    if (size < old) this.free.give(start + size, start + old);
    return true;
  }

  #set(name: number, area: LiveArea | null): void {
    this.#areas.set(name, area);
    if (this.#index === null) return;
    const named = this.#named.get(name);
    if (named !== undefined) this.#index.delete(named);
    this.#named.delete(name);
    if (area !== null) this.#enter(this.#index, name, area);
  }

  #enter(index: Places<Named>, name: number, { start, size }: Place): void {
    const named = { name, start, size };
    index.add(named);
    this.#named.set(name, named);
  }

  #forget(name: number, area: LiveArea | null): void {
    this.#set(name, null);
    this.#areas.delete(name);
    if (area !== null && this.#places.get(area.start) === name) this.#places.delete(area.start);
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
    let index = this.#index;
    if (index === null) {
      index = new Places();
      for (const [name, area] of this.areas) if (area !== null) this.#enter(index, name, area);
      this.#index = index;
    }
    return index.overlapping(start, size).map(({ name }) => [name, this.areas.get(name) as LiveArea]);
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
      this.#set(name, kept === 0 ? null : { ...area, size: kept });
      this.free.give(area.start + kept, area.start + area.size);
    }
    return this.take(start, end - start) ? end - start : 0;
  }
}
