import type { PageTable } from '@vmarea/core';
import { diffTables, dumpTables, protection } from '@vmarea/core';
import { machine } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';

/* Exact work of the calls that list tables: what they read; they write nothing. */

const WRITE = protection({ write: true, global: true });
const BASE = 0xffff000000000000n;
const MIB = 1n << 20n;
const arm = arm64({ granule: 4, vaBits: 48 });

/** 4 MiB in pages, in two tables. */
function filled(): PageTable {
  const { table } = machine(arm);
  table.mapRange(BASE, 0n, 4n * MIB, WRITE, { maxLeafShift: 12 });
  table.resetCounters();
  return table;
}

const work = (tablesRead: number, entriesRead: number) => ({
  tablesRead,
  entriesRead,
  entriesWritten: 0,
  tablesAllocated: 0,
  tablesZeroed: 0,
  tablesFreed: 0,
  flushes: 0,
});

describe('the counters', () => {
  test.each<[string, (table: PageTable) => unknown]>([
    ['leaves', (table) => [...table.leaves()]],
    ['dump', (table) => dumpTables(table)],
    ['dump as a tree', (table) => dumpTables(table, { tables: true })],
    ['diff', (table) => [...diffTables(table, filled())]],
  ])('count each entry of all five tables for %s of everything', (_name, call) => {
    const table = filled();
    call(table);
    expect(table.counters).toEqual(work(5, 5 * 512));
  });

  test.each<[string, (table: PageTable) => unknown]>([
    ['leaves', (table) => [...table.leaves(BASE + MIB, 0x3000)]],
    ['dump', (table) => dumpTables(table, { va: BASE + MIB, bytes: 0x3000 })],
    ['diff', (table) => [...diffTables(table, filled(), { va: BASE + MIB, bytes: 0x3000 })]],
  ])('count one entry a table, three in the last, for %s of three pages', (_name, call) => {
    const table = filled();
    call(table);
    expect(table.counters).toEqual(work(4, 3 + 3));
  });

  test('count all entries of the tables whose use a tree shows', () => {
    const table = filled();
    dumpTables(table, { tables: true, va: BASE + MIB, bytes: 0x3000 });
    expect(table.counters).toEqual(work(4, 4 * 512));
    table.resetCounters();
    dumpTables(table, { tables: true, levels: 2 });
    expect(table.counters).toEqual(work(3, 3 * 512));
  });

  test('count one read of both tables for a diff', () => {
    const [here, there] = [filled(), filled()];
    expect([...diffTables(here, there)]).toEqual([]);
    expect(there.counters).toEqual(work(5, 5 * 512));
  });
});
