import type { Bed } from '../bed.js';
import { firstLinearFrame, linearSize } from '../size.js';
import { intoEmptyRoot } from './map-rounds.js';
import type { Round, Workload } from './workload.js';

/** Each round maps leaves of one size into an empty root, with one call of `mapRange`. */
function open(bed: Bed): () => Round {
  const { format } = bed.configuration;
  const { leafShift, units } = bed.size;
  const leafPages = 2 ** (leafShift - format.pageShift);
  const pa = BigInt(firstLinearFrame(format, leafShift)) << BigInt(format.pageShift);
  const options = { maxLeafShift: leafShift };
  return intoEmptyRoot(
    bed,
    units,
    (table) => table.mapRange(bed.start, pa, bed.bytes, bed.protection, options),
    leafPages,
  );
}

/** W1L and W2: adjacent frames, as base pages and as blocks of the next two levels. */
export const LINEAR: readonly Workload[] = [
  {
    id: 'W1L',
    family: 'W1L',
    description: 'map a linear range of base pages in one call, into an empty root',
    unit: 'page',
    size: (configuration, pages) => linearSize(configuration, 0, pages),
    open,
  },
  {
    id: 'W2.2M',
    family: 'W2',
    description: 'map a linear range of blocks one level up (2M of a 4K format), into an empty root',
    unit: 'leaf',
    size: (configuration, pages) => linearSize(configuration, 1, pages),
    open,
  },
  {
    id: 'W2.1G',
    family: 'W2',
    description: 'map a linear range of blocks two levels up (1G of a 4K format), into an empty root',
    unit: 'leaf',
    // 16,384 blocks of 1 GiB are half of the 32 TiB of x86-64's vmalloc window.
    size: (configuration, pages) => linearSize(configuration, 2, Math.floor(pages / 16)),
    open,
  },
];
