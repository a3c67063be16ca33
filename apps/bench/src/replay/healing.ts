import { NIL } from '@vmarea/core';
import type { Evidence } from './evidence.js';
import type { LiveArea, LiveAreas } from './live-areas.js';
import type { Source, Sources, Wanted } from './sources.js';
import type { Event } from './trace.js';

/** An answer that differs: recorded and ours. */
export interface Differing {
  /** The number of its row. */
  readonly row: number;
  readonly recorded: number | null;
  readonly source: Source;
  /** False when rows of several processors may be out of order. */
  readonly isOrdered?: boolean;
}

type Percpu = Extract<Event, { type: 'percpu entered' }>;

/**
 * Moves areas to where the kernel has them, after a difference has been counted, so that the next decisions are judged by themselves.
 *
 * A row can also be damaged. Then our place is the kernel's, and the area only has another name. `Evidence` decides.
 */
export class Healing {
  readonly #areas: LiveAreas;
  readonly #sources: Sources;
  readonly #evidence: Evidence;

  constructor(areas: LiveAreas, sources: Sources, evidence: Evidence) {
    this.#areas = areas;
    this.#sources = sources;
    this.#evidence = evidence;
  }

  /**
   * Where the area of a request is from here on.
   *
   * @returns `null` when it has no place: the recorded request failed, or its place is held.
   */
  placed(differing: Differing, wanted: Wanted, node: number): LiveArea | null {
    const { source, recorded } = differing;
    const { size } = wanted;
    const found = source.start < 0 ? null : source.start;
    const isPossible = (): boolean => this.#isEdge(recorded as number, found, wanted);
    if (!this.#isTheirs(differing, size, isPossible))
      return found === null ? null : { start: found, size, node };
    if (recorded !== null && differing.isOrdered !== false && this.#sources.swap(source, recorded, size))
      return { start: recorded, size, node };
    this.#sources.release(source, size);
    if (recorded === null) return null;
    const claimed = this.#claim(differing.row, recorded, size);
    if (claimed > 0) {
      // The kernel takes the lowest place. It passed ours over, so somebody has it there.
      if (found !== null && source.pool < 0 && found < recorded) this.#hold(differing.row, found, size);
      return { start: recorded, size: claimed, node };
    }
    return found !== null && this.#areas.take(found, size) ? { start: found, size, node } : null;
  }

  /** The same for chunks of per-cpu memory. Returns their base, `null` for none. */
  chunks(differing: Differing, { offsets, sizes, align }: Percpu, vend: number): number | null {
    const [first = 0] = offsets;
    const { recorded, source } = differing;
    const base = source.start < 0 ? null : source.start - first;
    const size = sizes[0] as number;
    const isPossible = (): boolean => {
      const theirs = (recorded as number) - first;
      return offsets.some((offset, i) => this.#isTop(theirs + offset, sizes[i] as number, align, vend));
    };
    if (!this.#isTheirs(differing, size, isPossible)) return base;
    if (base !== null)
      for (const [i, offset] of offsets.entries()) this.#give(base + offset, sizes[i] as number);
    if (recorded === null) return null;
    for (const [i, offset] of offsets.entries())
      this.#claim(differing.row, recorded - first + offset, sizes[i] as number);
    return recorded - first;
  }

  #isTheirs({ row, recorded, source }: Differing, size: number, isPossible: () => boolean): boolean {
    const found = source.start < 0 ? null : source.start;
    if (recorded !== null && !Number.isInteger(recorded)) return false;
    const isLive = (name: number): boolean => this.#areas.has(name);
    return this.#evidence.isRecorded(row, { recorded, found, size }, isLive, isPossible);
  }

  /** Gives a place that the kernel passed over to those who have it. */
  #hold(row: number, start: number, size: number): void {
    for (const holder of this.#evidence.holders(row, start, size))
      if (!this.#areas.has(holder.start) && this.#areas.take(holder.start, holder.size))
        this.#areas.addLost({ ...holder, node: -1 });
  }

  #claim(row: number, start: number, size: number): number {
    return this.#areas.claim(
      start,
      size,
      (name) => name === start || this.#areas.isLost(name) || !this.#evidence.isFreedLater(name, row),
    );
  }

  #give(start: number, size: number): void {
    this.#areas.free.give(start, start + size);
  }

  /** True when a request can be given a place: at the lower edge of a free range, or where our areas are not the kernel's. */
  #isEdge(start: number, found: number | null, { size, align, vstart, vend }: Wanted): boolean {
    if (start % align !== 0 || start < vstart || start + size > vend) return false;
    const { free } = this.#areas;
    for (const [, area] of this.#areas.overlapping(start, 1))
      if (found !== up(area.start + area.size, align)) return false;
    const node = free.enclosing(start);
    const isFree = node !== NIL && (free.tree.end[node] as number) > start;
    if (!isFree) return true;
    return up(Math.max(free.tree.start[node] as number, vstart), align) === start;
  }

  /** True when a chunk ends at the upper edge of a free range. */
  #isTop(start: number, size: number, align: number, vend: number): boolean {
    const { tree } = this.#areas.free;
    const node = this.#areas.free.enclosing(start);
    const end = node === NIL ? 0 : (tree.end[node] as number);
    return Math.floor(Math.min(end, vend) / align) * align === start + size;
  }
}

function up(page: number, align: number): number {
  return Math.ceil(page / align) * align;
}
