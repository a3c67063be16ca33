import type { GoneArea, Ledger } from './ledger.js';
import type { LiveAreas } from './live-areas.js';

/** The most areas that are tried to explain one number of pages, and the most of them together. */
const TRIED = 24;
const TOGETHER = 4;

/** The areas of a replay that live only because the row of their free is lost. */
export class Losses {
  readonly #ledger: Ledger;
  readonly #live: LiveAreas;
  /** Those that have been given so far, by the row that gives their place again. */
  #pending: GoneArea[] = [];

  constructor(ledger: Ledger, live: LiveAreas) {
    this.#ledger = ledger;
    this.#live = live;
  }

  /** A row has been replayed. */
  passed(row: number): void {
    const area = this.#ledger.gone.get(row);
    if (area === undefined) return;
    const at = this.#pending.findIndex(({ until }) => until > area.until);
    this.#pending.splice(at < 0 ? this.#pending.length : at, 0, area);
  }

  /** Lost areas that may be freed before a row, soonest needed first. */
  before(row: number, isOne: (area: GoneArea) => boolean = () => true): GoneArea[] {
    if (this.#pending.length === 0) return [];
    this.#pending = this.#pending.filter((area) => this.#isHere(area));
    return this.#pending.filter((area) => area.row < row && row < area.until && isOne(area));
  }

  /** Areas that together have a number of pages; none when there are no such. */
  ofPages(row: number, pages: number): GoneArea[] {
    return together(this.before(row).slice(0, TRIED), pages, TOGETHER) ?? [];
  }

  /** Areas whose place a row gives again. */
  under(row: number, start: number, size: number): GoneArea[] {
    return this.#pending.filter(
      (area) =>
        this.#isHere(area) &&
        area.until <= row &&
        area.start < start + size &&
        area.start + area.size > start,
    );
  }

  #isHere({ start, row }: GoneArea): boolean {
    return this.#live.areas.get(start)?.row === row;
  }
}

function together(areas: readonly GoneArea[], pages: number, most: number): GoneArea[] | null {
  if (pages === 0) return [];
  if (most === 0) return null;
  // One alone is more likely than several.
  const one = areas.find(({ size }) => size === pages);
  if (one !== undefined) return [one];
  for (const [i, area] of areas.entries()) {
    if (area.size >= pages) continue;
    const others = together(areas.slice(i + 1), pages - area.size, most - 1);
    if (others !== null) return [area, ...others];
  }
  return null;
}
