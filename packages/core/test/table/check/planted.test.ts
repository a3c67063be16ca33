import {
  checkTables,
  PageTable,
  PageTableReader,
  PhysicalMemory,
  protection,
  type TableFinding,
} from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { TableRecords } from '../../../src/table/state/table-records.js';
import { arm64 } from '../../formats/arm64.js';
import { riscv64 } from '../../formats/riscv64.js';
import { x86 } from '../../formats/x86.js';
import { entryAt, markRun } from '../../support/entries.js';

/* One thing that is wrong at a time, written as raw words into good tables: exactly that is found, at its address. */

const WRITE = protection({ write: true, global: true });
const PAGE = 4096n;
const MiB = 1n << 20n;
const GiB = 1n << 30n;

/** Pages at two places, in tables of their own, and a block. */
function good(format = x86(4)) {
  const made = machine(format, 64, 16n * MiB);
  made.table.map(2n * MiB, [0x9000, 0x9001, 0x9005], WRITE);
  made.table.map(3n * GiB, [0x9100], WRITE);
  made.table.mapRange(4n * MiB, 512n * MiB, 2n * MiB, WRITE);
  const records = TableRecords.of(made.frames);
  const frameOf = (va: bigint, level: number) => Number(entryAt(made.table, va, level).table >> 12n);
  return { ...made, records, frameOf };
}

/** What is found, without the sentences. */
function found(table: PageTable | PageTableReader, mapped = false) {
  const { total, findings } = checkTables(table, { mapped });
  expect(total).toBe(findings.length);
  for (const { text } of findings) expect(text).toMatch(/^[a-z].*[a-z0-9]$/);
  return findings.map(({ text: _, ...rest }: TableFinding) => rest);
}

describe('checkTables', () => {
  test('finds nothing in good tables, and counts them', () => {
    const { table } = good();
    expect(checkTables(table)).toEqual({ tables: 6, leaves: 5, total: 0, findings: [] });
  });

  test.each([
    ['x86-64: a bit that must be 0 in a PTE', x86(4, 40), 3, 1n << 45n],
    ['x86-64: PS in a PGD entry', x86(4), 0, 1n << 7n],
  ])('finds a reserved entry: %s', (_name, format, level, bit) => {
    const { table, memory } = good(format);
    const { address, entry } = entryAt(table, 3n * GiB, level);
    memory.write64(address, entry | bit);
    const bytes = 1n << BigInt(format.levels[level]?.shift as number);
    const [first, ...others] = found(table);
    expect(first).toMatchObject({ kind: 'reserved', level, entry: entry | bit, address, bytes });
    expect(first?.va).toBe(3n * GiB - ((3n * GiB) % bytes));
    // What an upper entry does not lead to any more is lost.
    expect(others.every(({ kind }) => kind === 'orphan')).toBe(true);
    expect(others).toHaveLength(level === 0 ? 5 : 0);
  });

  test('finds a leaf with W and without R on riscv64', () => {
    const { table, memory } = good(riscv64(3));
    const { address } = entryAt(table, 2n * MiB);
    memory.write64(address, (0x9000n << 10n) | 5n);
    expect(found(table)).toEqual([
      {
        kind: 'reserved',
        va: 2n * MiB,
        bytes: PAGE,
        level: 2,
        entry: (0x9000n << 10n) | 5n,
        address,
        pfn: 0x9000,
      },
    ]);
  });

  test('finds an entry above the physical address width', () => {
    const format = arm64({ granule: 4, vaBits: 39, half: 'ttbr0', paBits: 40 });
    const { table, memory } = good(format);
    const { address, entry } = entryAt(table, 2n * MiB);
    const wide = entry | (1n << 44n);
    memory.write64(address, wide);
    expect(found(table)).toEqual([
      {
        kind: 'address-size',
        va: 2n * MiB,
        bytes: PAGE,
        level: 2,
        entry: wide,
        address,
        pfn: 0x9000 + 2 ** 32,
      },
    ]);
  });

  test('finds a table without bytes', () => {
    const { table, memory, frameOf } = good();
    const lost = frameOf(3n * GiB, 3);
    const { address, entry } = entryAt(table, 3n * GiB, 2);
    const beyond = (entry & 0xfffn) | (1n << 38n);
    memory.write64(address, beyond);
    expect(found(table)).toEqual([
      { kind: 'no-bytes', va: 3n * GiB, bytes: 2n * MiB, level: 3, entry: beyond, address, pfn: 2 ** 26 },
      { kind: 'orphan', va: null, bytes: 0n, level: 3, entry: null, address: null, pfn: lost },
    ]);
  });

  test('finds a table that a second entry points to, once', () => {
    const { table, memory, records, frameOf } = good();
    const { entry, address } = entryAt(table, 2n * MiB, 2);
    memory.write64(address + 16n, entry);
    records.add(records.find(frameOf(2n * MiB, 2)), 1);
    expect(found(table)).toEqual([
      {
        kind: 'again',
        va: 6n * MiB,
        bytes: 2n * MiB,
        level: 3,
        entry,
        address: address + 16n,
        pfn: frameOf(2n * MiB, 3),
      },
    ]);
  });

  test('finds a loop, and does not follow it', () => {
    const { table, memory, records, frameOf } = good();
    const entry = table.root | 0x63n;
    memory.write64(table.root + 8n * 510n, entry);
    records.add(records.find(frameOf(0n, 0)), 1);
    expect(found(table)).toEqual([
      {
        kind: 'loop',
        va: 0xffffff0000000000n,
        bytes: 512n * GiB,
        level: 1,
        entry,
        address: table.root + 4080n,
        pfn: frameOf(0n, 0),
      },
    ]);
  });

  test.each([
    ['a leaf is missing', (entry: bigint) => entry & 0n, 1],
    ['a leaf has no mark', (entry: bigint) => entry & ~(1n << 52n), 0],
    ['a leaf has another frame', (entry: bigint) => entry + 0x100000n, 0],
    ['a leaf may be executed', (entry: bigint) => entry & ~(1n << 53n), 0],
  ])('finds a contiguous run in which %s', (_name, change, gone) => {
    const { table, memory, records, frameOf } = good(arm64({ granule: 4, vaBits: 39, half: 'ttbr0' }));
    table.mapRange(8n * MiB, 64n * MiB, 64n * 1024n, WRITE);
    expect(found(table)).toEqual([]);
    const { address, entry } = entryAt(table, 8n * MiB + 5n * PAGE);
    memory.write64(address, change(entry));
    records.add(records.find(frameOf(8n * MiB, 2)), -gone);
    const first = entryAt(table, 8n * MiB);
    expect(found(table)).toEqual([
      {
        kind: 'run',
        va: 8n * MiB,
        bytes: 65536n,
        level: 2,
        entry: first.entry,
        address: first.address,
        pfn: 0x4000,
      },
    ]);
  });

  test('takes a run as whole in which hardware set accessed or dirty in some leaves', () => {
    const { table, memory } = good(arm64({ granule: 4, vaBits: 39, half: 'ttbr0' }));
    table.mapRange(8n * MiB, 64n * MiB, 64n * 1024n, { ...WRITE, accessed: false });
    const { address, entry } = entryAt(table, 8n * MiB + 5n * PAGE);
    memory.write64(address, entry | (1n << 10n));
    expect(found(table)).toEqual([]);
  });

  test('finds half a NAPOT run, at the address of the run', () => {
    const made = good(riscv64(3));
    const frames = Array.from({ length: 16 }, (_, i) => 0xa000 + i);
    made.table.map(8n * MiB, frames, WRITE, { maxRunShift: 12 });
    markRun(made, 8n * MiB + 8n * PAGE, 8, 1n << 63n);
    const { address, entry } = entryAt(made.table, 8n * MiB + 8n * PAGE);
    expect(found(made.table)).toEqual([
      { kind: 'run', va: 8n * MiB, bytes: 65536n, level: 2, entry, address, pfn: 0xa008 },
    ]);
    markRun(made, 8n * MiB, 16, 1n << 63n);
    expect(found(made.table)).toEqual([]);
  });

  test('finds a table whose frame is free', () => {
    const { table, frames, frameOf } = good();
    const pfn = frameOf(3n * GiB, 3);
    const { address, entry } = entryAt(table, 3n * GiB, 2);
    frames.free(pfn);
    expect(found(table)).toEqual([
      { kind: 'free', va: 3n * GiB, bytes: 2n * MiB, level: 3, entry, address, pfn },
    ]);
  });

  test.each([
    ['no record', (records: TableRecords, pfn: number) => records.leave(pfn)],
    [
      'the record of another level',
      (records: TableRecords, pfn: number, owner: number) => enter(records, pfn, 1, owner),
    ],
    ['an owner that is no page table', (records: TableRecords, pfn: number) => enter(records, pfn, 3, 77)],
  ])('finds a table with %s', (_name, plant) => {
    const { table, records, frameOf } = good();
    const pfn = frameOf(3n * GiB, 3);
    const { address, entry } = entryAt(table, 3n * GiB, 2);
    plant(records, pfn, records.ownerOf(records.find(pfn)));
    expect(found(table)).toEqual([
      { kind: 'record', va: 3n * GiB, bytes: 2n * MiB, level: 3, entry, address, pfn },
    ]);
  });

  test('takes a table of another live page table as linked on purpose', () => {
    const { table, frames, memory, format, records, frameOf } = good();
    const other = new PageTable({ format, memory, frames });
    other.map(5n << 39n, [1], WRITE);
    memory.write64(table.root + 8n * 5n, entryAt(other, 5n << 39n, 0).entry);
    records.add(records.find(frameOf(0n, 0)), 1);
    expect(found(table)).toEqual([]);
    expect(found(other)).toEqual([]);
  });

  test('finds a count that is not the number of entries', () => {
    const { table, memory, frameOf } = good();
    const { address, entry } = entryAt(table, 2n * MiB);
    memory.write64(address + 8n * 100n, entry);
    const link = entryAt(table, 2n * MiB, 2);
    expect(found(table)).toEqual([
      {
        kind: 'live',
        va: 2n * MiB,
        bytes: 2n * MiB,
        level: 3,
        entry: link.entry,
        address: link.address,
        pfn: frameOf(2n * MiB, 3),
      },
    ]);
    expect(checkTables(table).findings[0]?.text).toMatch(/has 4 entries, and its record counts 3$/);
  });

  test('finds a root with a wrong count', () => {
    const { table, memory, frameOf } = good();
    memory.write64(table.root + 8n * 9n, 2n);
    expect(found(table)).toEqual([
      { kind: 'live', va: 0n, bytes: 1n << 48n, level: 0, entry: null, address: null, pfn: frameOf(0n, 0) },
    ]);
  });

  test('finds a table that no entry leads to', () => {
    const { table, memory, records, frameOf } = good();
    const pfn = frameOf(3n * GiB, 3);
    memory.write64(entryAt(table, 3n * GiB, 2).address, 0n);
    records.add(records.find(frameOf(3n * GiB, 2)), -1);
    expect(found(table)).toEqual([
      { kind: 'orphan', va: null, bytes: 0n, level: 3, entry: null, address: null, pfn },
    ]);
  });

  test('finds a leaf that maps a table and may write, when asked', () => {
    const { table, frameOf } = good();
    const pfn = frameOf(3n * GiB, 3);
    table.map(5n * GiB, [1, pfn], WRITE);
    table.map(6n * GiB, [pfn], protection({ write: false }));
    const { address, entry } = entryAt(table, 5n * GiB + PAGE);
    expect(found(table)).toEqual([]);
    expect(found(table, true)).toEqual([
      { kind: 'mapped', va: 5n * GiB + PAGE, bytes: PAGE, level: 3, entry, address, pfn },
    ]);
  });

  test('names each table in a block that maps several, at its page', () => {
    const { table } = good();
    table.mapRange(1n << 40n, 16n * MiB, 2n * MiB, WRITE, { maxLeafShift: 21 });
    const findings = found(table, true);
    const { tables } = checkTables(table);
    expect(findings).toHaveLength(tables);
    expect(findings.map(({ va, pfn }) => (va ?? 0n) - (1n << 40n) + 16n * MiB - BigInt(pfn) * PAGE)).toEqual(
      findings.map(() => 0n),
    );
  });

  test('keeps as many findings as it is told, and counts all, by address', () => {
    const { table, memory } = good();
    for (let i = 300n; i < 400n; i++) memory.write64(table.root + 8n * i, 0x81n);
    const all = checkTables(table, { most: 5 });
    // The root counts none of them.
    expect(all.total).toBe(101);
    expect(all.findings).toHaveLength(5);
    const addresses = checkTables(table).findings.map(({ va }) => va as bigint);
    expect(addresses).toEqual([...addresses].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
    expect(checkTables(table, { most: 0 })).toMatchObject({ total: 101, findings: [] });
  });

  test('checks the records for a reader over the same root, too', () => {
    const { table, memory, frames, format, frameOf } = good();
    const reader = new PageTableReader({ format, memory, root: table.root });
    expect(found(reader)).toEqual([]);
    frames.free(frameOf(3n * GiB, 3));
    expect(found(reader).map(({ kind }) => kind)).toEqual(['free']);
  });

  test('changes nothing', () => {
    const { table, memory, records } = good();
    const before = [Buffer.from(memory.bytesAt(16n * MiB, 64 * 4096)), new Int32Array(records.state).slice()];
    checkTables(table, { mapped: true });
    expect([Buffer.from(memory.bytesAt(16n * MiB, 64 * 4096)), new Int32Array(records.state)]).toEqual(
      before,
    );
  });

  test('refuses what is no page table, and wrong options', () => {
    const { table } = good();
    expect(thrown(() => checkTables({} as PageTable))).toMatch(/^EINVAL/);
    expect(thrown(() => checkTables(table, { most: -1 }))).toMatch(/^EINVAL.*most/);
    expect(thrown(() => checkTables(table, { mapped: 1 as never }))).toMatch(/^EINVAL.*mapped/);
    expect(thrown(() => checkTables(table, { more: 1 } as never))).toMatch(/^EINVAL/);
    table.destroy();
    expect(thrown(() => checkTables(table))).toMatch(/^EINVAL/);
  });

  test('reads garbage once a frame, whatever it says', () => {
    const pages = 64;
    const memory = PhysicalMemory.create({ bytes: pages * 4096 });
    let seed = 7;
    const next = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0);
    for (let round = 0; round < 30; round++) {
      for (let at = 0; at < pages * 4096; at += 8) {
        const isLink = next() % 3 !== 0;
        const flags = BigInt(next() >>> 16) & 0xfffn;
        const high = isLink ? 0n : BigInt(next()) << 32n;
        const frame = BigInt(next() % (pages + 8)) << 12n;
        memory.write64(BigInt(at), high | frame | (isLink ? 0x63n : flags));
      }
      for (const format of [x86(4), arm64({ granule: 4, vaBits: 48, half: 'ttbr0' }), riscv64(5)]) {
        const table = new PageTableReader({ format, memory, root: 0n });
        const { tables, total, findings } = checkTables(table, { mapped: true, most: 100 });
        expect(findings.length).toBe(Math.min(100, total));
        expect(tables).toBeLessThanOrEqual(pages);
        expect(table.counters.tablesRead).toBe(tables);
        expect(table.counters.entriesRead).toBe(2 * 512 * tables);
      }
    }
  });
});

function enter(records: TableRecords, pfn: number, level: number, owner: number): void {
  const live = records.live(records.find(pfn));
  records.enter(pfn, level, owner);
  records.add(records.find(pfn), live);
}
