import {
  collapseLeaves,
  PhysicalMemory,
  prepareTables,
  protection,
  splitLeaves,
  wasmLoops,
} from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { leafTemplate, planOf } from '../../../src/format/plan.js';
import type { MapCall } from '../../../src/table/change/map/map-call.js';
import { writeLeaves } from '../../../src/table/change/map/write-leaves.js';
import type { TableVisit } from '../../../src/table/state/table-visit.js';
import { arm64 } from '../../formats/arm64.js';
import { riscv64 } from '../../formats/riscv64.js';
import { entryAt } from '../../support/entries.js';

const WRITE = protection({ write: true, global: true });
const MiB = 1024 * 1024;
const BASE = 0xffff000000000000n;
const CONT = 1n << 52n;
const NAPOT = 1n << 63n;
const arm = arm64({ granule: 4, vaBits: 48 });

/** The pages with the mark, counted from the base, as ranges: `16-31`. */
function marked(
  table: ReturnType<typeof machine>['table'],
  pages: number,
  bytes = 4096,
  from = BASE,
): string {
  const ranges: [number, number][] = [];
  for (let page = 0; page < pages; page++) {
    const steps = table.walk(from + BigInt(page * bytes)).steps;
    if (((steps.at(-1)?.entry ?? 0n) & CONT) === 0n) continue;
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === page - 1) last[1] = page;
    else ranges.push([page, page]);
  }
  return ranges.map(([first, end]) => `${first}-${end}`).join(' ');
}

describe('map forms runs', () => {
  test('where address and frames are aligned; the ends stay single pages', () => {
    const { table } = machine(arm);
    table.mapRange(BASE + 0x5000n, 0x4000_5000n, 64 * 4096, WRITE);
    expect(marked(table, 80)).toBe('16-63');
    // None where address and frames are not aligned alike.
    const other = machine(arm).table;
    other.mapRange(BASE + 0x5000n, 0x4000_6000n, 64 * 4096, WRITE);
    expect(marked(other, 80)).toBe('');
  });

  test.each([
    [4, 12, 16],
    [16, 14, 128],
    [64, 16, 32],
  ] as const)('of the length that the manual gives for the granule of %d K', (granule, shift, run) => {
    const { table } = machine(arm64({ granule, vaBits: 48 }));
    const bytes = 2 ** shift;
    table.mapRange(BASE, 0n, (2 * run - 1) * bytes, WRITE);
    expect(marked(table, 2 * run, bytes)).toBe(`0-${run - 1}`);
    expect(table.counters.entriesWritten).toBe(2 * run - 1 + 3 - (granule === 64 ? 1 : 0));
  });

  test('of blocks', () => {
    const { table } = machine(arm);
    table.mapRange(BASE, 0n, 40 * 2 * MiB, WRITE);
    expect(marked(table, 40, 2 * MiB)).toBe('0-31');
    const list = Uint32Array.from({ length: 17 * 512 }, (_, i) => 0x4000 + i);
    const lists = machine(arm).table;
    lists.map(BASE, list, WRITE);
    expect(marked(lists, 17, 2 * MiB)).toBe('0-15');
  });

  test('of the frames of a list that are adjacent', () => {
    const { table } = machine(arm);
    const list = Float64Array.from({ length: 64 }, (_, i) => 0x400 + i);
    list[40] = 7;
    table.map(BASE, list, WRITE);
    expect(marked(table, 64)).toBe('0-31 48-63');
    expect(table.translate(BASE + 40n * 4096n)).toBe(0x7000n);
    expect(table.translate(BASE + 63n * 4096n)).toBe(0x43f000n);
  });

  test('up to maxLeafShift', () => {
    const { table } = machine(arm);
    table.mapRange(BASE, 0n, MiB, WRITE, { maxLeafShift: 15 });
    expect(marked(table, 256)).toBe('');
    table.mapRange(BASE + BigInt(MiB), 0n, MiB, WRITE, { maxLeafShift: 16 });
    expect(marked(table, 512)).toBe('256-511');
    // With a maxLeafShift of one block, blocks stay single.
    const blocks = machine(arm).table;
    blocks.mapRange(BASE, 0n, 32 * 2 * MiB, WRITE, { maxLeafShift: 24 });
    expect(marked(blocks, 32, 2 * MiB)).toBe('');
  });

  test('up to maxRunShift, beside larger blocks', () => {
    const { table } = machine(arm);
    table.mapRange(BASE, 0n, 33 * 2 * MiB + 65536, WRITE, { maxLeafShift: 30, maxRunShift: 16 });
    expect(marked(table, 32, 2 * MiB)).toBe('');
    expect(marked(table, 16, 4096, BASE + BigInt(33 * 2 * MiB))).toBe('0-15');
    const none = machine(arm).table;
    none.mapRange(BASE, 0n, 3 * MiB, WRITE, { maxRunShift: 0 });
    expect(marked(none, 256, 4096, BASE + BigInt(2 * MiB))).toBe('');
    expect(collapseLeaves(none, BASE, 3 * MiB, { maxRunShift: 15 })).toBe(0);
    expect(collapseLeaves(none, BASE, 3 * MiB, { maxRunShift: 16 })).toBe(16);
    expect(thrown(() => none.mapRange(BASE, 0n, MiB, WRITE, { maxRunShift: 2.5 }))).toMatch(
      /^EINVAL: maxRunShift is 2.5/,
    );
  });

  test('of NAPOT: all entries equal, with half the size below the frame', () => {
    const { table } = machine(riscv64(3));
    table.mapRange(0x20000n, 0x8000_0000n, 0x11000, WRITE);
    const first = entryAt(table, 0x20000n).entry;
    expect(first >> 10n).toBe((NAPOT >> 10n) | 0x80008n);
    for (let page = 0x20n; page < 0x30n; page++) expect(entryAt(table, page * 4096n).entry).toBe(first);
    expect(entryAt(table, 0x30000n).entry >> 10n).toBe(0x80010n);
    expect(table.translate(0x2f123n)).toBe(0x8000_f123n);
  });

  test('or writes nothing at all when a slot is occupied', () => {
    for (const taken of [0n, 20n, 63n]) {
      const { table, memory } = machine(arm);
      table.map(BASE + taken * 4096n, [1], WRITE);
      const before = memory.banks[0]?.words.slice();
      expect(thrown(() => table.mapRange(BASE, 0x4000_0000n, 64 * 4096, WRITE))).toMatch(/^EBUSY/);
      expect(memory.banks[0]?.words).toEqual(before);
    }
  });

  test('but leaves blocks single where an empty table stood in the slot of one', () => {
    const { table } = machine(arm);
    prepareTables(table, BASE + BigInt(3 * 2 * MiB), 4096);
    table.mapRange(BASE, 0n, 32 * 2 * MiB, WRITE);
    expect(marked(table, 32, 2 * MiB)).toBe('16-31');
    expect([...table.leaves()].map(({ count, leafShift }) => [count, leafShift])).toEqual([
      [16, 21],
      [16, 21],
    ]);
  });

  test('and clears what it has written when a list changes meanwhile', () => {
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 4096 });
    const [bank] = memory.banks;
    if (bank === undefined) throw new Error('no bank');
    const plan = planOf(arm64({ granule: 4, vaBits: 48, paBits: 40 }));
    const level = plan.levels[plan.last];
    if (level === undefined) throw new Error('no level');
    const call = {
      ...{ context: { plan }, maxLeafShift: 64, maxRunShift: 64, first: 0 },
      changes: { shared: null },
      leaves: { level, plain: leafTemplate(plan, 0x703, 0), marked: null, others: null },
    } as unknown as MapCall;
    const table = { level, bank, word: 0 } as TableVisit;
    for (const bad of [3, 40]) {
      const narrow = Uint32Array.from({ length: 48 }, (_, i) => 0x400 + i);
      narrow[bad] = 2 ** 28;
      const source = { narrow, wide: null, start: 0 };
      expect(writeLeaves(call, table, 0, 48, source, 0)).toBe(bad);
      expect(bank.words.every((word) => word === 0)).toBe(true);
    }
  });
});

describe('collapse forms runs', () => {
  test('again where a run was undone, by a break where the architecture needs one', () => {
    const { table, flushes, memory } = machine(arm);
    table.mapRange(BASE, 0n, 32 * 4096, WRITE);
    const before = memory.banks[0]?.words.slice();
    table.protect(BASE + 0x5000n, 4096, { write: false });
    expect(marked(table, 32)).toBe('16-31');
    expect(collapseLeaves(table, BASE, 32 * 4096)).toBe(0);
    table.protect(BASE + 0x5000n, 4096, { write: true });
    flushes.length = 0;
    table.resetCounters();
    // Page 5 is clean now and the others are dirty: the whole run becomes dirty.
    expect(collapseLeaves(table, BASE, 32 * 4096)).toBe(1);
    expect(memory.banks[0]?.words).toEqual(before);
    expect(flushes).toMatchObject([{ va: BASE, bytes: 65536n, leafShift: 12 }]);
    // Each of the 16 entries is cleared, then written.
    expect(table.counters.entriesWritten).toBe(32);
    expect(collapseLeaves(table, BASE, 32 * 4096)).toBe(0);
  });

  test('that are accessed and dirty if any of the leaves was', () => {
    for (const clean of [0n, 5n, 15n]) {
      const { table } = machine(arm);
      table.mapRange(BASE, 0n, 65536, WRITE, { maxLeafShift: 12 });
      const dirty = entryAt(table, BASE).entry;
      table.protect(BASE + clean * 4096n, 4096, { write: false });
      table.protect(BASE + clean * 4096n, 4096, { write: true });
      expect(entryAt(table, BASE + clean * 4096n).entry).not.toBe(dirty | (clean << 12n));
      expect(collapseLeaves(table, BASE, 65536)).toBe(1);
      for (let page = 0n; page < 16n; page++) {
        expect(entryAt(table, BASE + page * 4096n).entry).toBe(dirty | CONT | (page << 12n));
      }
    }
  });

  test('of the blocks that it makes', () => {
    const { table, frames } = machine(arm, 64);
    table.mapRange(BASE, 0n, 17 * 2 * MiB, WRITE, { maxLeafShift: 12 });
    // A run of 16 blocks, and one block; the rest of the table stays.
    expect(collapseLeaves(table, BASE, 17 * 2 * MiB)).toBe(2);
    expect(marked(table, 17, 2 * MiB)).toBe('0-15');
    expect(frames.stats().allocated).toBe(3);
  });

  test('of NAPOT leaves', () => {
    const { table } = machine(riscv64(3));
    table.mapRange(0n, 0x8000_0000n, 0x10000, WRITE, { maxLeafShift: 12 });
    expect(collapseLeaves(table, 0n, 0x10000)).toBe(1);
    expect(entryAt(table, 0xf000n).entry >> 10n).toBe((NAPOT >> 10n) | 0x80008n);
    expect(collapseLeaves(table, 0n, 0x10000)).toBe(0);
  });

  test('only of leaves that are equal, adjacent and aligned', () => {
    const { table } = machine(arm);
    table.map(
      BASE,
      Array.from({ length: 16 }, (_, i) => 0x401 + i),
      WRITE,
    );
    expect(collapseLeaves(table, BASE, 65536)).toBe(0);
    table.unmap(BASE, 65536);
    table.mapRange(BASE, 0n, 65536, WRITE, { maxLeafShift: 12 });
    table.protect(BASE, 4096, { user: true });
    expect(collapseLeaves(table, BASE, 65536)).toBe(0);
    table.protect(BASE, 4096, { user: false });
    expect(collapseLeaves(table, BASE, 61440)).toBe(0);
    expect(collapseLeaves(table, BASE, 65536, { maxLeafShift: 15 })).toBe(0);
    expect(collapseLeaves(table, BASE, 65536)).toBe(1);
  });
});

test('split clears the marks of whole tables of runs after a table without runs', () => {
  const { table } = machine(arm);
  table.mapRange(BASE, 0n, 2 * MiB, WRITE, { maxLeafShift: 12 });
  table.mapRange(BASE + BigInt(2 * MiB), 0x4000_0000n, 2 * MiB, WRITE, { maxLeafShift: 16 });
  expect(marked(table, 1024)).toBe('512-1023');
  splitLeaves(table, BASE, 4 * MiB);
  expect(marked(table, 1024)).toBe('');
});
