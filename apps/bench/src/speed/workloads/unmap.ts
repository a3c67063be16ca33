import { prepareTables } from '@vmarea/core';
import { timed } from '../../timed.js';
import { scatteredSize } from '../size.js';
import { workOf } from '../work.js';
import type { Workload } from './workload.js';

/** W3: unmaps what W1 maps. The tables stay. */
export const UNMAP: readonly Workload[] = [
  {
    id: 'W3',
    family: 'W3',
    description: 'unmap scattered base pages in one call; the tables stay',
    unit: 'page',
    size: (configuration, pages) => scatteredSize(configuration, pages),
    open(bed) {
      const frames = bed.frames();
      const table = bed.keptTable();
      prepareTables(table, bed.start, bed.bytes);
      return () => {
        table.map(bed.start, frames, bed.protection, bed.baseLeaves);
        table.resetCounters();
        const ns = timed(() => table.unmap(bed.start, bed.bytes));
        const work = workOf(table);
        return { ns, work, checksum: bed.foldRange(table, 0) };
      };
    },
  },
];
