import {
  classify,
  type LevelPlan,
  type PageTableReader,
  type PhysicalMemory,
  pfnOf,
  planOf,
} from '@vmarea/core';

/** The frames that hold the tables below a root. */
export interface TableFrames {
  /** Frame numbers, ascending. */
  readonly frames: Float64Array;
  /** Tables of each level, root first: a table of two levels counts in both. */
  readonly perLevel: readonly number[];
  /** Entries of each level that point to tables which the dump lacks. */
  readonly missing: readonly number[];
}

/**
 * Finds the frames of all tables below a root. Each table is read once for each level at which it is met, so the work is bounded by
 * the memory, also where tables point to themselves.
 *
 * @param memory - where the tables are.
 */
export function tableFrames({ format, root }: PageTableReader, memory: PhysicalMemory): TableFrames {
  const { levels, pageShift, address } = planOf(format);
  const all = new Set<number>();
  const perLevel: number[] = [];
  const missing: number[] = [];
  let above = new Set([Number(root >> BigInt(pageShift))]);
  const inside = Number(root & ((1n << BigInt(pageShift)) - 1n)) / 4;
  for (const level of levels) {
    const below = new Set<number>();
    let lacking = 0;
    for (const pfn of above) {
      const place = memory.locate(pfn, pageShift);
      if (place === null) {
        above.delete(pfn);
        lacking++;
        continue;
      }
      all.add(pfn);
      const first = place.word + (level.index === 0 ? inside : 0);
      childrenOf(
        level,
        place.bank.words,
        first,
        (lo, hi) => below.add(pfnOf(address, lo, hi)),
        format.present,
      );
    }
    perLevel.push(above.size);
    missing.push(lacking);
    above = below;
  }
  return { frames: Float64Array.from(all).sort(), perLevel, missing };
}

function childrenOf(
  { level, entries }: LevelPlan,
  words: Int32Array,
  first: number,
  add: (lo: number, hi: number) => void,
  present: Parameters<typeof classify>[0],
): void {
  for (let at = first; at < first + 2 * entries; at += 2) {
    const lo = words[at] as number;
    const hi = words[at + 1] as number;
    if ((lo | hi) !== 0 && classify(present, level, { lo, hi }) === 'table') add(lo, hi);
  }
}
