import { dumpTables, hex, PageTableReader, PhysicalMemory, sparseBank } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { riscv64 } from '../../formats/riscv64.js';
import { fields, KERNEL, linesOf, MIB, sample, WINDOW } from '../../support/dump.js';
import { entryAt } from '../../support/entries.js';

describe('a table without bytes', () => {
  function image() {
    const { table, memory } = sample();
    const missing = table.walk(WINDOW + 2n * MIB).steps[2]?.table as bigint;
    const addresses = Array.from({ length: 64 }, (_, i) => BigInt(i) * 4096n);
    const kept = addresses.filter((pa) => pa !== missing);
    const bytes = new Uint8Array(kept.length * 4096);
    kept.forEach((pa, i) => {
      bytes.set(memory.bytesAt(pa, 4096), i * 4096);
    });
    const sparse = PhysicalMemory.of([sparseBank({ pageShift: 12, addresses: kept, bytes })]);
    return {
      table: new PageTableReader({ format: table.format, memory: sparse, root: table.root }),
      missing,
    };
  }

  test('has a line in its place, and the rest is listed', () => {
    const { table, missing } = image();
    const line = `0xffff800000000000-0xffff80003fffffff          1G  PMD  table ${hex(missing)}  slot    0  flags 0x1000000000000403  no bytes`;
    const [first, ...others] = linesOf(dumpTables(table));
    expect(first).toBe(line);
    expect(others).toEqual(linesOf(dumpTables(sample().table)).slice(4));
    expect(linesOf(dumpTables(table, { tables: true })).filter((text) => text.includes('no bytes'))).toEqual([
      `    ${line}`,
    ]);
    expect(thrown(() => [...table.leaves(undefined, undefined, { complete: true })])).toMatch(/^EFAULT/);
  });

  test('counts where lines are left out, with the bytes that it would translate', () => {
    expect(linesOf(dumpTables(image().table, { lines: 1 }))).toEqual([
      '... 4 runs and 1 table without bytes, 1G not shown',
    ]);
    const { table, memory } = machine(riscv64(3));
    table.mapRange(0n, 0x40000000n, 0x80000n, KERNEL);
    const { address } = entryAt(table, 0n, 1);
    for (const slot of [1n, 2n, 3n]) memory.write64(address + 8n * slot, (0x99999n << 10n) | 1n);
    expect(linesOf(dumpTables(table, { lines: 1 }))).toEqual([
      '... 1 run and 3 tables without bytes, 6.5M not shown',
    ]);
    expect(linesOf(dumpTables(table, { lines: 2 })).slice(1)).toEqual([
      '... 3 tables without bytes, 6M not shown',
    ]);
    expect(linesOf(dumpTables(table, { lines: 3 }))[1]).toBe('... 2 tables without bytes, 4M not shown');
  });
});

describe('the option lines', () => {
  /** 11 runs of one page, and 3 more after a table boundary. */
  function scattered() {
    const { table } = machine(riscv64(3));
    for (let i = 0n; i < 11n; i++) table.map(0x10000n + i * 0x2000n, [7], KERNEL);
    for (let i = 0n; i < 3n; i++) table.map(0x200000n + i * 0x2000n, [7], KERNEL);
    return table;
  }

  test.each([1, 2, 3, 4, 5, 13])('of %i shows both ends of a list and says what is left out', (lines) => {
    const table = scattered();
    const all = linesOf(dumpTables(table));
    const got = linesOf(dumpTables(table, { lines }));
    expect(got).toHaveLength(lines);
    const head = Math.ceil((lines - 1) / 2);
    const tail = lines - 1 - head;
    const missing = all.length - head - tail;
    expect(got).toEqual([
      ...all.slice(0, head),
      `... ${missing} runs, ${missing * 4}K not shown`,
      ...all.slice(all.length - tail),
    ]);
  });

  test.each([14, 15, 1000])('of %i leaves nothing out', (lines) => {
    const table = scattered();
    expect(dumpTables(table, { lines })).toBe(dumpTables(table));
  });

  test('counts for each table of a tree by itself', () => {
    const table = scattered();
    const all = linesOf(dumpTables(table, { tables: true }));
    expect(linesOf(dumpTables(table, { tables: true, lines: 3 }))).toEqual([
      ...all.slice(0, 4),
      '      ... 9 runs, 36K not shown',
      ...all.slice(13),
    ]);
    expect(linesOf(dumpTables(table, { tables: true, lines: 2 }))).toEqual([
      ...all.slice(0, 4),
      '      ... 10 runs, 40K not shown',
      all[14],
      all[15],
      '      ... 2 runs, 8K not shown',
    ]);
  });

  /** Three blocks and two tables in turn, in a root of riscv64. */
  function mixed() {
    const all = machine(riscv64(3));
    for (const slot of [0n, 2n, 4n]) all.table.mapRange(slot << 30n, 1n << 30n, 1n << 30n, KERNEL);
    for (const slot of [1n, 3n]) all.table.map(slot << 30n, [7], KERNEL);
    return all;
  }

  test('counts runs, dead entries, and tables with all below them, in a tree', () => {
    const { table, memory } = mixed();
    const all = linesOf(dumpTables(table, { tables: true }));
    expect(all).toHaveLength(1 + 3 + 2 * 3);
    const shown = (lines: number): string[] => linesOf(dumpTables(table, { tables: true, lines }));
    expect(shown(5)).toEqual(all);
    expect(shown(4)).toEqual([...all.slice(0, 5), '  ... 1 run and 1 table, 2G not shown', all[9]]);
    expect(shown(3)).toEqual([...all.slice(0, 2), '  ... 1 run and 2 tables, 3G not shown', all[9]]);
    expect(shown(2)).toEqual([...all.slice(0, 2), '  ... 2 runs and 2 tables, 4G not shown']);
    expect(shown(1)).toEqual([all[0], '  ... 3 runs and 2 tables, 5G not shown']);
    // Two adjacent ones of a kind are one run.
    for (const slot of [5n, 6n]) memory.write64(table.root + 8n * slot, 0x1230n);
    expect(shown(1)).toEqual([
      all[0]?.replace('5 of 512', '7 of 512'),
      '  ... 4 runs and 2 tables, 7G not shown',
    ]);
    for (const slot of [0n, 2n, 4n, 5n, 6n]) memory.write64(table.root + 8n * slot, 0n);
    expect(shown(1)[1]).toBe('  ... 2 tables, 2G not shown');
  });

  test('bounds what is read', () => {
    const { table } = mixed();
    table.resetCounters();
    dumpTables(table, { tables: true, lines: 1 });
    expect(table.counters).toMatchObject({ tablesRead: 1, entriesRead: 512 });
  });

  test('does not count a table that it leaves out as listed', () => {
    const { table, memory } = machine(riscv64(3));
    table.map(0n, [7], KERNEL);
    table.map(1n << 30n, [8], KERNEL);
    const [first, second] = [0n, 8n].map((at) => memory.read64(table.root + at)) as [bigint, bigint];
    memory.write64(table.root + 16n, first);
    memory.write64(table.root + 24n, second);
    const lines = linesOf(dumpTables(table, { tables: true, lines: 3 }));
    expect(lines.filter((line) => /^ {2}\S/.test(line)).map(fields)).toEqual([
      expect.stringMatching(/ slot 0 .* 1 of 512 in use$/),
      '2 tables, 2G not shown',
      expect.stringMatching(/ slot 3 .* 1 of 512 in use$/),
    ]);
    expect(lines).toHaveLength(8);
  });

  test('rounds a large sum to one decimal', () => {
    const { table } = machine(riscv64(4), 1024);
    const small = { maxLeafShift: 12 };
    const left = (): string | undefined => linesOf(dumpTables(table, { lines: 1 }))[0];
    table.mapRange(0n, 0n, 0x3ff000n, KERNEL, small);
    expect(left()).toBe(linesOf(dumpTables(table))[0]);
    table.map(1n << 38n, [7], KERNEL);
    expect(left()).toBe('... 2 runs, 4M not shown');
    table.mapRange(1n << 39n, 1n << 39n, 0x5b000n, KERNEL, small);
    expect(left()).toBe('... 3 runs, 4.4M not shown');
    table.mapRange(1n << 40n, 1n << 40n, 1n << 39n, KERNEL);
    table.mapRange(3n << 39n, 1n << 39n, 1n << 39n, KERNEL);
    expect(left()).toBe('... 5 runs, 1T not shown');
  });

  test('never gives a sum as 1024 of a unit', () => {
    const { table } = machine(riscv64(3), 1024);
    table.mapRange(0n, 0n, (1024n - 8n) << 20n, KERNEL, { maxLeafShift: 21 });
    table.mapRange(2n << 30n, 0n, 0x7ff000n, KERNEL, { maxLeafShift: 12 });
    expect(linesOf(dumpTables(table, { lines: 1 }))).toEqual(['... 2 runs, 1G not shown']);
  });
});
