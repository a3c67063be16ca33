import type { PageTableFormat } from '../../format/page-table-format.js';
import type { Protection } from '../../format/protection.js';

/** Most protections that are kept of one level. */
const MOST = 4096;

/** The protections of leaves by level and flags. The format is asked once for each. */
export class ProtectionCache {
  readonly #format: PageTableFormat;
  readonly #known: readonly Map<number, Map<number, Protection>>[];

  constructor(format: PageTableFormat) {
    this.#format = format;
    this.#known = format.levels.map(() => new Map());
  }

  find(level: number, lo: number, hi: number): Protection {
    const byLow = this.#known[level] as Map<number, Map<number, Protection>>;
    let protection = byLow.get(lo)?.get(hi);
    if (protection === undefined) {
      protection = this.#format.decode({ lo, hi }, level);
      if (byLow.size >= MOST) byLow.clear();
      const byHigh = byLow.get(lo) ?? new Map<number, Protection>();
      if (byHigh.size >= MOST) byHigh.clear();
      byLow.set(lo, byHigh.set(hi, protection));
    }
    return protection;
  }
}
