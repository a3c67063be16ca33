import { wide } from '@vmarea/testkit';
import { describe, expect, it } from 'vitest';
import { bytesWritten } from '../../src/speed/work.js';
import { WORKLOADS } from '../../src/speed/workloads/registry.js';
import { configurationOf, measured } from '../support/speed.js';

/** Tables read, entries read, entries written, tables allocated, and how many of these were zeroed. */
type Numbers = readonly [number, number, number, number, number];

async function numbers(format: string, workload: string, pages: number): Promise<Numbers> {
  const { work } = await measured(configurationOf(format), workload, { pages });
  if (work === null) throw new Error('no work was counted');
  return [work.tablesRead, work.entriesRead, work.entriesWritten, work.tablesAllocated, work.tablesZeroed];
}

/**
 * 1,500 pages from the window's start: tables of 512, 512 and 476 pages, one PMD, one PUD, a root. With 5 levels there is one
 * more table over these, the P4D of the same 512 GiB.
 */
const PAGES = 1500;

const SMALL: readonly (readonly [workload: string, fourLevels: Numbers, fiveLevels: Numbers])[] = [
  // 5 new tables and the root are read; only the 5 slots that get a table are looked at, since a new table is empty; each
  // page and each new table is one entry. The last table, which is filled in part, and the two above the others are zeroed.
  ['W1.fresh', [6, 5, 1505, 5, 3], [7, 6, 1506, 6, 4]],
  // The same tables are there: the 5 entries that name them are read, and every page's slot, which must be empty.
  ['W1.existing', [6, 1505, 1500, 0, 0], [7, 1506, 1500, 0, 0]],
  // As W1.fresh: where the frames come from makes no difference.
  ['W1L', [6, 5, 1505, 5, 3], [7, 6, 1506, 6, 4]],
  // 1,500 blocks of 2M lie in 3 PMDs (512, 512, 476) below one PUD, and the first two are filled.
  ['W2.2M', [5, 4, 1504, 4, 2], [6, 5, 1505, 5, 3]],
  // 1,500 / 16 = 93 blocks of 1G lie in one PUD.
  ['W2.1G', [2, 1, 94, 1, 1], [3, 2, 95, 2, 2]],
  // 5 entries lead to the tables of pages. Those that are taken whole are cleared without a look; of the last one, 476 entries
  // are. The tables stay.
  ['W3', [6, 481, 1500, 0, 0], [7, 482, 1500, 0, 0]],
  // Translations are not counted.
  ['W4.random', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W4.sequential', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W4.cursor', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W4.batch', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W4.batch-sequential', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  // 375 pages, each a walk from the root: 4 (5) tables, an entry of each.
  ['W5.map-prepared', [1500, 1500, 375, 0, 0], [1875, 1875, 375, 0, 0]],
  // 6,000 pages lie in 12 tables of pages, one PMD, one PUD (one P4D): the walk that makes a table does not read its slot there.
  ['W5.map-fresh', [1500, 1486, 389, 14, 14], [1875, 1860, 390, 15, 15]],
  ['W5.translate', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  // As W5.map-prepared; the slot's old entry is read, and cleared.
  ['W5.unmap', [1500, 1500, 375, 0, 0], [1875, 1875, 375, 0, 0]],
  ['W5.area-map', [1500, 1500, 375, 0, 0], [1875, 1875, 375, 0, 0]],
  ['W5.area-unmap', [1500, 1500, 375, 0, 0], [1875, 1875, 375, 0, 0]],
  // Twice 6 (7) tables, the 5 (6) entries that lead down, and every page's entry, which is changed.
  ['W6', [12, 3010, 3000, 0, 0], [14, 3012, 3000, 0, 0]],
  // Areas have no tables: what they do is in the checksum.
  ['W7.10k', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W7.1M', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  // W1.fresh again.
  ['W8.1G', [6, 5, 1505, 5, 3], [7, 6, 1506, 6, 4]],
  // 24,000 pages: 47 tables of pages (46.9), one PMD, one PUD.
  ['W8.16G', [50, 49, 24_049, 49, 3], [51, 50, 24_050, 50, 4]],
  // 384,000 pages: 750 tables of pages in two PMDs, one PUD.
  ['W8.256G', [754, 753, 384_753, 753, 3], [755, 754, 384_754, 754, 4]],
  // Hits walk nothing. A miss reads an entry of each of 4 (5) tables for each of the 1,500 pages.
  ['W9.hit', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W9.hit-number', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W9.flat', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W9.view', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W9.refill', [6000, 6000, 0, 0, 0], [7500, 7500, 0, 0, 0]],
  ['W9.walk', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W9.switch', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  // Calls of the API, whose work the tests of core know.
  ['W10.vmalloc-1', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W10.vmalloc-4', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W10.vmalloc-256', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W10.map-ram', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W10.area', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W10.lazy-fault', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W10.guest-fault', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W10.leaves', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W10.dump', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
  ['W10.vmallocinfo', [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
];

/** 262,144 pages, 1 GiB: 512 tables of pages, one PMD, one PUD (one P4D), a root. */
const REAL: typeof SMALL = [
  ['W1.fresh', [515, 514, 262_658, 514, 2], [516, 515, 262_659, 515, 3]],
  ['W1.existing', [515, 262_658, 262_144, 0, 0], [516, 262_659, 262_144, 0, 0]],
  ['W3', [515, 514, 262_144, 0, 0], [516, 515, 262_144, 0, 0]],
];

describe('exact work', () => {
  it('is known for every workload', () => {
    expect(SMALL.map(([id]) => id)).toEqual(WORKLOADS.map(({ id }) => id));
  });

  it.each(SMALL)('%s, small', async (workload, fourLevels, fiveLevels) => {
    expect(await numbers('x86-64', workload, PAGES)).toEqual(fourLevels);
    expect(await numbers('x86-64-la57', workload, PAGES)).toEqual(fiveLevels);
  });

  it.each(REAL)('%s, in the size that is measured', async (workload, fourLevels, fiveLevels) => {
    expect(await numbers('x86-64', workload, 2 ** 18)).toEqual(fourLevels);
    expect(await numbers('x86-64-la57', workload, 2 ** 18)).toEqual(fiveLevels);
  });

  it('depends on the shape of the tables', async () => {
    // 10,000 pages of 64K: two tables of up to 8,192 pages, the first of them filled, one PMD, and a root.
    const { work } = await measured(wide, 'W1.fresh', { pages: 10_000 });
    expect(work).toEqual({
      tablesRead: 4,
      entriesRead: 3,
      entriesWritten: 10_003,
      tablesAllocated: 3,
      tablesZeroed: 2,
    });
  });

  it('is 8 bytes for an entry, and a page for a zeroed table', () => {
    const tables = { tablesAllocated: 5, tablesZeroed: 3 };
    const work = { tablesRead: 6, entriesRead: 5, entriesWritten: 1505, ...tables };
    expect(bytesWritten(work, 4096)).toBe(12_040 + 12_288);
  });
});
