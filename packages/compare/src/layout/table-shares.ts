import type { LeafRun, PageTableFormat } from '@vmarea/core';
import { rootFrames } from '../parts/root-frames.js';
import type { Plan } from './plan.js';

/** Mapped pages of an area, by numbers of base pages. */
interface Span {
  readonly area: number;
  readonly first: number;
  /** Behind its last page. */
  readonly end: number;
}

/**
 * Who the bytes of page tables belong to. A table belongs to the areas that it maps, in proportion to their pages in it; the root to all.
 * The shares are whole bytes, and their sum is that of all tables.
 */
export class TableShares {
  /** For each area of the plan. */
  readonly bytes: Float64Array;
  readonly #pageBytes: number;
  readonly #spans: readonly Span[];
  /** For each level with tables below it: how many bits a table there spans, the last one that was met, and the first area that may be in it. */
  readonly #levels: readonly { readonly shift: bigint; readonly pages: number; last: number; from: number }[];

  constructor({ configuration: { format }, areas }: Pick<Plan, 'configuration' | 'areas'>) {
    this.#pageBytes = 2 ** format.pageShift;
    this.bytes = new Float64Array(areas.length);
    this.#spans = areas
      .flatMap(({ area, mapping }, index) => {
        if (mapping === null) return [];
        const first = Number(area.address >> BigInt(format.pageShift));
        return [{ area: index, first, end: first + mapping.pages }];
      })
      .sort((a, b) => a.first - b.first);
    this.#levels = levelsOf(format);
    const end = this.#spans.at(-1)?.end ?? 0;
    this.#share(rootFrames(format) * this.#pageBytes, 0, end, 0);
  }

  /** A run of leaves, the next in the order of addresses. */
  add({ va, bytes, level }: LeafRun): void {
    // The table that holds a leaf, and those above it, but for the root.
    for (let depth = 0; depth < level; depth++) {
      const state = this.#levels[depth];
      if (state === undefined) return;
      const first = Number(va >> state.shift);
      const last = Number((va + bytes - 1n) >> state.shift);
      for (let table = Math.max(first, state.last + 1); table <= last; table++) {
        const start = table * state.pages;
        while ((this.#spans[state.from]?.end ?? Number.POSITIVE_INFINITY) <= start) state.from++;
        this.#share(this.#pageBytes, start, start + state.pages, state.from);
      }
      state.last = Math.max(state.last, last);
    }
  }

  /** Shares bytes among the areas with pages in a range. */
  #share(bytes: number, start: number, end: number, from: number): void {
    let pages = 0;
    for (let i = from; i < this.#spans.length; i++) {
      const span = this.#spans[i] as Span;
      if (span.first >= end) break;
      pages += Math.min(end, span.end) - Math.max(start, span.first);
    }
    let before = 0;
    for (let i = from; i < this.#spans.length; i++) {
      const span = this.#spans[i] as Span;
      if (span.first >= end) break;
      const after = before + Math.min(end, span.end) - Math.max(start, span.first);
      const share = Math.round((bytes * after) / pages) - Math.round((bytes * before) / pages);
      this.bytes[span.area] = (this.bytes[span.area] as number) + share;
      before = after;
    }
  }
}

function levelsOf({ levels, pageShift }: PageTableFormat) {
  return levels
    .slice(0, -1)
    .map(({ shift }) => ({ shift: BigInt(shift), pages: 2 ** (shift - pageShift), last: -1, from: 0 }));
}
