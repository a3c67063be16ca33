import { CheckError } from '@vmarea/cli';
import type { PageTable } from '@vmarea/core';
import { timed } from '../../timed.js';
import type { Bed } from '../bed.js';
import { fold } from '../fold.js';
import { scatteredSize } from '../size.js';
import { sumOf, workOf } from '../work.js';
import type { Workload } from './workload.js';

/** The checksum of the frames and write permissions of all leaves. All must have the same permission. */
function foldRights(bed: Bed, table: PageTable, sum: number, write: boolean): number {
  const { format, name } = bed.configuration;
  let folded = sum;
  let leaves = 0;
  for (const run of table.leaves(bed.start, bed.bytes)) {
    const rights = format.decode(
      { lo: Number(run.flags & 0xffffffffn) | 0, hi: Number(run.flags >> 32n) | 0 },
      run.level,
    );
    if (rights.write !== write)
      throw new CheckError(`${name}: a leaf has other permissions than protect gave it`);
    for (let i = 0; i < run.count; i++, leaves++) {
      folded = fold(fold(folded, run.pfn + i), rights.write ? 1 : 0);
    }
  }
  if (leaves !== bed.size.rangePages) {
    throw new CheckError(`${name}: ${leaves} leaves after protect instead of ${bed.size.rangePages}`);
  }
  return folded;
}

/** W6: changes every entry twice in a round: to read-only, and back. */
export const PROTECT: readonly Workload[] = [
  {
    id: 'W6',
    family: 'W6',
    description: 'protect scattered base pages in one call: read-only, then writable again',
    unit: 'page',
    size(configuration, pages) {
      const size = scatteredSize(configuration, pages);
      return 'reason' in size ? size : { ...size, units: 2 * size.units };
    },
    open(bed) {
      const table = bed.keptTable();
      table.map(bed.start, bed.frames(), bed.protection, bed.baseLeaves);
      return (isChecked) => {
        table.resetCounters();
        let ns = timed(() => table.protect(bed.start, bed.bytes, { write: false }));
        const forth = workOf(table);
        let sum = isChecked ? foldRights(bed, table, 0, false) : 0;
        table.resetCounters();
        ns += timed(() => table.protect(bed.start, bed.bytes, { write: true }));
        const work = sumOf(forth, workOf(table));
        sum = isChecked ? foldRights(bed, table, sum, true) : 0;
        return { ns, work, checksum: isChecked ? sum : null };
      };
    },
  },
];
