import type { Configuration, PageTable } from '@vmarea/core';
import type { Bed } from '../bed.js';
import { scatteredSize } from '../size.js';
import { intoEmptyRoot, intoPreparedTables } from './map-rounds.js';
import type { Round, Workload } from './workload.js';

function openWith(rounds: typeof intoPreparedTables) {
  return (bed: Bed): (() => Round) => {
    const frames = bed.frames();
    return rounds(bed, frames.length, (table: PageTable) =>
      table.map(bed.start, frames, bed.protection, bed.baseLeaves),
    );
  };
}

const openFresh = openWith(intoEmptyRoot);

/** W1: one call of `map` with a list of scattered frames. */
export const MAP: readonly Workload[] = [
  {
    id: 'W1.fresh',
    family: 'W1',
    description: 'map scattered base pages in one call, into an empty root',
    unit: 'page',
    size: (configuration, pages) => scatteredSize(configuration, pages),
    open: openFresh,
  },
  {
    id: 'W1.existing',
    family: 'W1',
    description: 'map scattered base pages in one call, into existing empty tables',
    unit: 'page',
    size: (configuration, pages) => scatteredSize(configuration, pages),
    open: openWith(intoPreparedTables),
  },
];

/** log2 of the pages in which W8's sizes are given. */
const SMALL_PAGE_SHIFT = 12;

/** W8: W1 over larger ranges, whose tables and lists exceed the caches. */
export const MAP_LARGE: readonly Workload[] = (
  [
    ['W8.1G', 1, '1 GiB'],
    ['W8.16G', 16, '16 GiB'],
    ['W8.256G', 256, '256 GiB'],
  ] as const
).map(([id, times, bytes]) => ({
  id,
  family: id,
  description: `W1.fresh over ${bytes} of addresses`,
  unit: 'page',
  size: (configuration, pages) => scatteredSize(configuration, pagesOf(configuration, times * pages)),
  open: openFresh,
}));

/** The pages of a format that have as many bytes as a number of 4 KiB pages. */
function pagesOf({ format: { pageShift } }: Configuration, pages: number): number {
  return Math.max(1, Math.floor(pages / 2 ** (pageShift - SMALL_PAGE_SHIFT)));
}
