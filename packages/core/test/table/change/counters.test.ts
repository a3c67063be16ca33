import type { Counters, PageTable } from '@vmarea/core';
import {
  applyToExisting,
  applyToRange,
  collapseLeaves,
  flushBatch,
  prepareTables,
  protection,
  splitLeaves,
  tablesNeeded,
} from '@vmarea/core';
import { machine } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { riscv64 } from '../../formats/riscv64.js';

/*
 * Exact work, in place of time. arm64 with four levels needs breaks; riscv64 with three never does. Each number follows from the
 * walk: one visit a table and call, one entry a table above the last level.
 */

const WRITE = protection({ write: true, global: true });
const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const BASE = 0xffff000000000000n;
const SMALL = { maxLeafShift: 12 } as const;

type Work = Omit<Counters, 'flushes'> & { flushes?: number };
/** Tables read, entries read, entries written, tables made, tables freed, flushes, tables zeroed. */
const work = (
  tablesRead: number,
  entriesRead: number,
  entriesWritten: number,
  tablesAllocated = 0,
  tablesFreed = 0,
  flushes = 0,
  tablesZeroed = 0,
): Work => ({
  ...{ tablesRead, entriesRead, entriesWritten },
  ...{ tablesAllocated, tablesZeroed, tablesFreed, flushes },
});

interface Case {
  what: string;
  before: (table: PageTable) => void;
  call: (table: PageTable) => void;
  arm: Work;
}

const pages = (table: PageTable): void => table.mapRange(BASE, 0n, 4 * MiB, WRITE, SMALL);
const blocks = (table: PageTable): void => table.mapRange(BASE, 0n, 4 * MiB, WRITE);
const large = (table: PageTable): void => table.mapRange(BASE, 0n, GiB, WRITE);
const threeTables = (table: PageTable): void =>
  table.mapRange(BASE, 0n, 3 * GiB, WRITE, { maxLeafShift: 21 });

const cases: readonly Case[] = [
  {
    what: 'map of 1024 pages into new tables',
    before: () => {},
    call: pages,
    // PGD, PUD, PMD with two slots, two PTE tables. A new table is not read for occupied slots. PTE tables are filled, not zeroed.
    arm: work(5, 4, 1024 + 4, 4, 0, 0, 2),
  },
  {
    what: 'map of 512 blocks and a page into new tables',
    before: () => {},
    call: (table) => table.mapRange(BASE, 0n, GiB + 4096, WRITE, { maxLeafShift: 21 }),
    // Two slots of the PUD, and one PMD table that the blocks fill. The PUD, the other PMD and its PTE table are zeroed.
    arm: work(5, 1 + 2 + 1, 512 + 1 + 4, 4, 0, 0, 3),
  },
  {
    what: 'map of 1536 blocks into three new tables',
    before: () => {},
    call: threeTables,
    // PGD, PUD with three slots, three PMD tables that the blocks fill. Only the PUD is zeroed.
    arm: work(5, 4, 1536 + 4, 4, 0, 0, 1),
  },
  {
    what: 'map of 1536 blocks into three tables that are there',
    before: (table) => {
      threeTables(table);
      table.unmap(BASE, 3 * GiB);
    },
    call: threeTables,
    arm: work(5, 4 + 1536, 1536),
  },
  {
    what: 'protect of 1024 pages',
    before: pages,
    call: (table) => table.protect(BASE, 4 * MiB, { write: false }),
    // Each entry is cleared, then written.
    arm: work(5, 4 + 1024, 2 * 1024, 0, 0, 1),
  },
  {
    what: 'protect that changes nothing',
    before: pages,
    call: (table) => table.protect(BASE, 4 * MiB, { write: true }),
    arm: work(5, 4 + 1024, 0),
  },
  {
    what: 'protect of one page of a 1 GiB block',
    before: large,
    call: (table) => table.protect(BASE, 4096, { write: false }),
    // Two tables of 512 pieces. The page, the block that holds it, and the 1 GiB block are cleared, then written.
    arm: work(2, 2, 2 * 512 + 6, 2, 0, 1),
  },
  {
    what: 'split of a block into pages',
    before: blocks,
    call: (table) => splitLeaves(table, BASE, 4096),
    arm: work(3, 3, 512 + 2, 1, 0, 1),
  },
  {
    what: 'split of pages',
    before: pages,
    call: (table) => splitLeaves(table, BASE, 4 * MiB),
    arm: work(5, 4, 0),
  },
  {
    what: 'collapse of 1024 pages',
    before: pages,
    call: (table) => void collapseLeaves(table, BASE, 4 * MiB),
    arm: work(5, 4 + 1024, 4, 0, 2, 1),
  },
  {
    what: 'collapse of scattered pages, which make no block and no run',
    before: (table) => {
      const frames = Array.from({ length: 512 }, (_, i) => 512 * (1 + (i % 7)));
      table.map(BASE, frames, WRITE);
    },
    call: (table) => void collapseLeaves(table, BASE, 2 * MiB),
    // The second page shows that there is no block; a run may begin at any sixteenth page.
    arm: work(4, 3 + 512, 0),
  },
  {
    what: 'unmap of 1024 pages in whole tables',
    before: pages,
    call: (table) => table.unmap(BASE, 4 * MiB),
    arm: work(5, 4, 1024, 0, 0, 1),
  },
  {
    what: 'unmap with reclaim',
    before: pages,
    call: (table) => table.unmap(BASE, 4 * MiB, { reclaim: true }),
    // The two PTE tables were cleared whole. Those above are scanned before they are freed: 512 entries each.
    arm: work(5, 4 + 2 * 512, 1024 + 4, 0, 4, 1),
  },
  {
    what: 'unmap of one page of a block',
    before: blocks,
    call: (table) => table.unmap(BASE + 0x1000n, 4096),
    // 512 pieces, one of them cleared. The entry of the block is cleared, then written.
    arm: work(3, 3, 512 + 1 + 2, 1, 0, 1),
  },
  {
    what: 'reclaim where nothing is empty',
    before: pages,
    call: (table) => void table.reclaim(BASE, 4 * MiB),
    arm: work(5, 4, 0),
  },
  {
    what: 'tablesNeeded and prepare of 4 MiB',
    before: () => {},
    call: (table) => {
      tablesNeeded(table, BASE, 4 * MiB);
      prepareTables(table, BASE, 4 * MiB);
    },
    // tablesNeeded reads the root alone.
    arm: work(1 + 5, 1 + 4, 4, 4, 0, 0, 4),
  },
  {
    what: 'map after prepare',
    before: (table) => void prepareTables(table, BASE, 4 * MiB),
    call: pages,
    arm: work(5, 4 + 1024, 1024),
  },
  {
    what: 'applyToRange that sets 1024 entries',
    before: (table) => void prepareTables(table, BASE, 4 * MiB),
    call: (table) => applyToRange(table, BASE, 4 * MiB, (slot) => slot.setLeaf(slot.page, WRITE)),
    arm: work(5, 4 + 1024, 1024),
  },
  {
    what: 'applyToExisting that only reads',
    before: pages,
    call: (table) => applyToExisting(table, BASE, GiB, () => undefined),
    // The 512 slots of the PMD table are read.
    arm: work(5, 2 + 512 + 1024, 0),
  },
  {
    what: 'map of a list of 1024 scattered frames',
    before: () => {},
    call: (table) =>
      table.map(
        BASE,
        Uint32Array.from({ length: 1024 }, (_, i) => 7 * i),
        WRITE,
      ),
    arm: work(5, 4, 1024 + 4, 4, 0, 0, 2),
  },
  {
    what: 'map of a block over an empty table',
    before: (table) => void prepareTables(table, BASE, 4096),
    call: (table) => table.mapRange(BASE, 0n, 2 * MiB, WRITE),
    // The empty table is scanned whole. Its entry is cleared, then written as a block.
    arm: work(4, 3 + 512, 2, 0, 1, 1),
  },
  {
    what: 'reclaim of four empty tables',
    before: (table) => void prepareTables(table, BASE, 4 * MiB),
    call: (table) => void table.reclaim(BASE, 4 * MiB),
    arm: work(5, 4 + 4 * 512, 4, 0, 4, 1),
  },
  {
    what: 'unmap into a batch, and done',
    before: pages,
    call: (table) => {
      const batch = flushBatch(table);
      table.unmap(BASE, 2 * MiB, { batch });
      table.unmap(BASE + BigInt(2 * MiB), 2 * MiB, { batch });
      batch.done();
    },
    arm: work(4 + 4, 3 + 3, 1024, 0, 0, 1),
  },
  {
    what: 'applyToRange that splits a block and clears one page',
    before: blocks,
    call: (table) =>
      applyToRange(table, BASE, 8192, (slot) => (slot.page === 0 ? slot.set(0, 0) : undefined), {
        blocks: 'split',
      }),
    arm: work(3, 3, 512 + 1 + 2, 1, 0, 1),
  },
  {
    what: 'map that meets an occupied slot at its end, and is undone',
    before: (table) => table.map(BASE + BigInt(4 * MiB - 4096), [1], WRITE),
    call: (table) => expect(() => table.mapRange(BASE, 0n, 4 * MiB, WRITE, SMALL)).toThrow('EBUSY'),
    // 512 pages and a link are written. Only the link is undone: its table is freed. The second table is read to its last entry.
    arm: work(5, 4 + 512, 513 + 1, 1, 1, 1),
  },
];

describe('the counters tell the exact work', () => {
  test.each(cases)('of $what', ({ before, call, arm }) => {
    const { table } = machine(arm64({ granule: 4, vaBits: 48 }));
    before(table);
    table.resetCounters();
    call(table);
    expect(table.counters).toEqual(arm);
  });

  test('of destroy, which reads every table above the last level and frees all', () => {
    const { table } = machine(arm64({ granule: 4, vaBits: 48 }));
    pages(table);
    table.resetCounters();
    const { counters } = table;
    table.destroy();
    expect(counters).toEqual(work(3, 3 * 512, 0, 0, 5, 1));
  });

  test('of calls that need no break, which is less', () => {
    const { table } = machine(riscv64(3));
    table.mapRange(0n, 0n, 4 * MiB, WRITE, SMALL);
    const count = (call: () => void): Work => {
      table.resetCounters();
      call();
      return { ...table.counters };
    };
    expect(count(() => table.protect(0n, 4 * MiB, { write: false }))).toEqual(
      work(4, 3 + 1024, 1024, 0, 0, 1),
    );
    expect(count(() => collapseLeaves(table, 0n, 4 * MiB))).toEqual(work(4, 3 + 1024, 2, 0, 2, 1));
    // Without runs, the second page shows that there is nothing to collapse.
    table.unmap(0n, 4 * MiB);
    table.map(0n, [512, 3, ...Array.from({ length: 510 }, (_, i) => i)], WRITE);
    expect(count(() => collapseLeaves(table, 0n, 2 * MiB, { maxLeafShift: 12 }))).toEqual(work(3, 2, 0));
    table.unmap(0n, 4 * MiB);
    table.mapRange(0n, 0n, 4 * MiB, WRITE, { maxLeafShift: 21 });
    expect(count(() => splitLeaves(table, 0n, 4096))).toEqual(work(2, 2, 512 + 1, 1, 0, 1));
    expect(count(() => table.unmap(BigInt(2 * MiB) + 4096n, 4096))).toEqual(work(2, 2, 512 + 1 + 1, 1, 0, 1));
  });
});
