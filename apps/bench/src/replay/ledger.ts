import { type Place, Places } from './places.js';
import type { Trace } from './trace.js';

/** An area whose request is recorded and whose free is not, although the kernel has freed it. */
export interface GoneArea extends Place {
  /** The row of its request. */
  readonly row: number;
  /** The row that gives its place again: its free is before that. Infinite for an area that is only missing at the end. */
  readonly until: number;
}

/** An area whose free is recorded, and whose request is not. */
export interface LostArea {
  /** First page. */
  readonly start: number;
  /** Pages; `null` when unknown. */
  readonly size: number | null;
  /** The number of the row that frees it; that behind the last one when it lives at the end. */
  readonly freed: number;
}

/** What a recording says about its own rows, by their numbers. */
export interface Ledger {
  /** By the row of the request. */
  readonly gone: ReadonlyMap<number, GoneArea>;
  /** By the row that frees them. */
  readonly lost: ReadonlyMap<number, LostArea>;
  /** Those that live at the end. */
  readonly lostAtEnd: readonly LostArea[];
  /** Sizes of areas of which nothing tells whether they live at the end. */
  readonly open: ReadonlySet<number>;
  /** The pages of areas whose request has a wrong size, by its row. */
  readonly sizes: ReadonlyMap<number, number>;
}

/** What the rows before and after a recording tell. */
export interface Ends {
  /** Areas from before the first row. */
  readonly early: readonly Place[];
  /** Pages of the areas at the end, by first page; `null` when unknown. */
  readonly end: ReadonlyMap<number, number> | null;
}

interface Live extends Place {
  readonly row: number;
  /** The row that gives a part of its place to another area; infinite for none. */
  until: number;
}

/**
 * Compares requests, frees and numbers of waiting pages with each other. No answer of vmarea is a part of it: it finds rows that are lost,
 * and sizes that are wrong, since the recording contradicts itself.
 */
export function ledgerOf(trace: Trace, ends: Ends): Ledger {
  return new Bookkeeper(trace, ends).ledger();
}

class Bookkeeper {
  readonly #trace: Trace;
  readonly #ends: Ends;
  readonly #live = new Map<number, Live>();
  readonly #places = new Places<Live>();
  readonly #gone = new Map<number, GoneArea>();
  readonly #lost = new Map<number, LostArea>();
  /** Pages by which waiting pages grew at a free, where that is not the size of its request; by the row of that. */
  readonly #grown = new Map<
    number,
    { readonly pages: number; readonly size: number; readonly freed: number }
  >();

  /** The last free, if its request is lost. */
  #lastLost: LostArea | null = null;
  readonly #endSizes = new Map<number, number>();

  constructor(trace: Trace, ends: Ends) {
    this.#trace = trace;
    this.#ends = ends;
    for (const { start, size } of ends.early) this.#give(-1, start, size);
  }

  ledger(): Ledger {
    const waiting = new WaitingPages(this.#trace);
    const asked = new Map<
      string,
      { readonly offsets: readonly number[]; readonly sizes: readonly number[] }
    >();
    for (const [row, { thread, event }] of this.#trace.rows.entries()) {
      const grown = waiting.pass(event);
      if (event.type === 'allocation' && event.start !== null) this.#give(row, event.start, event.size);
      else if (event.type === 'percpu entered') asked.set(thread, event);
      else if (event.type === 'percpu done' && event.start !== null) {
        const { offsets = [0], sizes = [1] } = asked.get(thread) ?? {};
        for (const [i, offset] of offsets.entries())
          this.#give(row, event.start + offset - (offsets[0] as number), sizes[i] as number);
      } else if (event.type === 'free') this.#free(row, event.start, grown);
    }
    return { ...this.#atEnd(), gone: this.#gone, lost: this.#lost, sizes: this.#sizes() };
  }

  /** Compares what lives after the last row with the state at the end. */
  #atEnd(): Pick<Ledger, 'lostAtEnd' | 'open'> {
    const { end } = this.#ends;
    for (const area of this.#live.values()) {
      const pages = end?.get(area.start);
      if (area.until < Number.POSITIVE_INFINITY || (end !== null && pages === undefined)) this.#isGone(area);
      else if (pages !== undefined && pages !== area.size) this.#endSizes.set(area.row, pages);
    }
    const freed = this.#trace.rows.length;
    return {
      open: new Set(end === null ? [...this.#live.values()].map(({ size }) => size) : []),
      lostAtEnd: [...(end ?? [])]
        .filter(([start]) => !this.#live.has(start))
        .map(([start, size]) => ({ start, size, freed })),
    };
  }

  #give(row: number, start: number, size: number): void {
    if (!Number.isInteger(start)) return;
    for (const area of this.#places.overlapping(start, size)) area.until = Math.min(area.until, row);
    const before = this.#live.get(start);
    if (before !== undefined) {
      this.#isGone(before);
      this.#places.delete(before);
    }
    const area = { row, start, size, until: Number.POSITIVE_INFINITY };
    this.#live.set(start, area);
    this.#places.add(area);
  }

  #free(row: number, start: number, { grown, without }: Grown): void {
    const area = this.#live.get(start);
    const last = this.#lastLost;
    this.#lastLost = null;
    if (area === undefined) {
      this.#lastLost = { start, size: grown, freed: row };
      this.#lost.set(row, this.#lastLost);
      return;
    }
    if (last !== null && grown !== area.size && without === area.size) {
      // The row before counts for nothing: it frees what never was.
      this.#lost.set(last.freed, { ...last, size: null });
      grown = without;
    }
    this.#live.delete(start);
    this.#places.delete(area);
    if (grown !== null && grown !== area.size)
      this.#grown.set(area.row, { pages: grown, size: area.size, freed: row });
  }

  #isGone({ row, start, size, until }: Live): void {
    if (row >= 0) this.#gone.set(row, { row, start, size, until });
  }

  /** Sizes of requests that no lost free explains. */
  #sizes(): Map<number, number> {
    const sizes = new Map(this.#endSizes);
    const gone = new Map<number, GoneArea[]>();
    for (const area of this.#gone.values()) {
      const same = gone.get(area.size);
      if (same === undefined) gone.set(area.size, [area]);
      else same.push(area);
    }
    for (const [row, { pages, size, freed }] of this.#grown)
      if (gone.get(pages - size)?.some((area) => area.row < freed && freed < area.until) !== true)
        sizes.set(row, pages);
    return sizes;
  }
}

/** The pages by which the waiting pages grow at a free; `null` when that is unknown. */
interface Grown {
  readonly grown: number | null;
  /** The same, if the free before it were none. */
  readonly without: number | null;
}

/** Follows the waiting pages of one processor, from row to row. With several, they count at the same time. */
class WaitingPages {
  readonly #isOne: boolean;
  /** After the last free; `null` when it is unknown. */
  #pages: number | null = 0;
  /** Before the last free. */
  #before: number | null = null;
  /** True when nothing was freed since the purge that runs began. */
  #isQuiet = true;

  constructor({ cpus }: Trace) {
    this.#isOne = cpus === 1;
  }

  /** The pages of what a row frees. */
  pass(event: Trace['rows'][number]['event']): Grown {
    if (event.type === 'purge entered') this.#isQuiet = true;
    // The sum is right only if each node was purged as a whole.
    else if (event.type === 'purge done') this.#set(this.#isQuiet ? 0 : null);
    else if (event.type === 'node purged') this.#set(null);
    if (event.type !== 'free') return NOTHING;
    const answer = { grown: this.#since(this.#pages, event), without: this.#since(this.#before, event) };
    this.#before = this.#pages;
    this.#pages = event.lazyPages;
    this.#isQuiet = false;
    return answer;
  }

  #set(pages: number | null): void {
    this.#pages = pages;
    this.#before = null;
  }

  #since(pages: number | null, { lazyPages }: { readonly lazyPages: number | null }): number | null {
    const grown = this.#isOne && pages !== null && lazyPages !== null ? lazyPages - pages : 0;
    return grown > 0 ? grown : null;
  }
}

const NOTHING: Grown = { grown: null, without: null };
