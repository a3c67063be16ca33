import type { WalkSource } from '../walk-source.js';
import type { CycleRange } from './description.js';
import type { Resolved } from './resolved.js';
import type { TlbStats, TlbUnitStats } from './stats.js';
import type { Unit } from './unit.js';
import type { Walker } from './walker.js';

/** The counters of a model. */
export interface Counted {
  /** Reads, writes, executes. */
  readonly accesses: readonly [number, number, number];
  readonly units: readonly Unit[];
  readonly resolved: Resolved;
  readonly source: WalkSource;
  readonly walker: Walker;
  readonly invalidations: number;
  readonly dropped: number;
}

/** The counters as a plain object that does not change. */
export function statsOf(counted: Counted): TlbStats {
  const [read, write, execute] = counted.accesses;
  const { resolved } = counted;
  const { walks, faults, walksBySize, reads, caches, lines } = counted.walker;
  const tlbs = counted.units.map(unitStats);
  const l2Hits = sum(tlbs.filter(({ level }) => level === 2).map(({ hits }) => hits));
  return {
    accesses: read + write + execute,
    accessesByKind: { read, write, execute },
    tlbs,
    walks,
    walksBySize: sizesOf(walksBySize).map((leafShift) => ({
      leafShift,
      walks: walksBySize[leafShift] as number,
    })),
    faults,
    levels: counted.source.levels.map(({ name, shift }, level) => ({
      name,
      shift,
      reads: reads[level] as number,
      walkCacheHits: caches.levelHits[level] as number,
    })),
    tableReads: sum([...reads]),
    walkCaches: resolved.walkCaches.map(({ name }, i) => ({
      name,
      hits: caches.hits[i] as number,
    })),
    tableCache: lines === null ? null : { hits: lines.hits, misses: lines.misses },
    invalidations: counted.invalidations,
    entriesDropped: counted.dropped,
    cycles: {
      l2Hits: times(resolved.cycles.l2Hit, l2Hits),
      walks: times(resolved.cycles.walk, walks - faults),
    },
  };
}

function unitStats({ shape, hits, misses }: Unit): TlbUnitStats {
  return {
    name: shape.name,
    level: shape.level,
    hits: sum([...hits]),
    misses: sum([...misses]),
    bySize: sizesOf(hits, misses).map((leafShift) => ({
      leafShift,
      hits: hits[leafShift] as number,
      misses: misses[leafShift] as number,
    })),
  };
}

/** The sizes that any of some counters has, ascending. 0 is none. */
function sizesOf(...counters: Float64Array[]): number[] {
  return Array.from({ length: 64 }, (_, shift) => shift).filter(
    (shift) => shift > 0 && counters.some((counter) => counter[shift] !== 0),
  );
}

function times(range: CycleRange | null, count: number): CycleRange | null {
  return range === null ? null : { low: range.low * count, high: range.high * count };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
