import type { PageTable } from '@vmarea/core';
import { prepareTables } from '@vmarea/core';
import { timed } from '../../timed.js';
import type { Bed } from '../bed.js';
import { workOf } from '../work.js';
import type { Round } from './workload.js';

/** The timed calls of a round. */
type MapCalls = (table: PageTable) => void;

/**
 * Rounds with an empty root: the calls allocate all tables.
 *
 * @param mapped - pages or leaves that the calls map.
 * @param step - base pages of each.
 */
export function intoEmptyRoot(bed: Bed, mapped: number, map: MapCalls, step = 1): () => Round {
  return () => {
    const table = bed.table();
    const ns = timed(() => map(table));
    const work = workOf(table);
    const checksum = bed.foldRange(table, mapped, step);
    table.destroy();
    return { ns, work, checksum };
  };
}

/** Rounds with empty tables, such as an unmap leaves. */
export function intoPreparedTables(bed: Bed, mapped: number, map: MapCalls): () => Round {
  const table = bed.keptTable();
  prepareTables(table, bed.start, bed.bytes);
  return () => {
    table.resetCounters();
    const ns = timed(() => map(table));
    const work = workOf(table);
    const checksum = bed.foldRange(table, mapped);
    table.unmap(bed.start, bed.bytes);
    return { ns, work, checksum };
  };
}
