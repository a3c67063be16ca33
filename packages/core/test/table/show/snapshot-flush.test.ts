import type { FlushSink } from '@vmarea/core';
import { hex, PageTable, protection, restoreSnapshot, takeSnapshot } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { riscv64 } from '../../formats/riscv64.js';
import { digest, fingerprint } from '../../support/digest.js';
import { entryAt } from '../../support/entries.js';

const WRITE = protection({ write: true, global: true });
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;
/** Bytes that one PTE table translates. */
const SPAN = 0x200000n;
const tableAt = (table: PageTable, va: bigint, level = 3): number =>
  Number((table.walk(va).steps[level]?.table ?? 0n) >> 12n);
const sorted = (pfns: readonly number[] | undefined): number[] => [...(pfns ?? [])].sort((a, b) => a - b);

describe('the flush of a restore', () => {
  test('covers the whole root and names the tables that go, while their frames are still allocated', () => {
    const held: boolean[] = [];
    const seen: (bigint | null)[] = [];
    const sink: FlushSink = {
      flush: (_va, _bytes, _leafShift, tables) => {
        held.push(...tables.map((pfn) => made.frames.isAllocated(pfn)));
        seen.push(made.table.translate(BASE));
      },
    };
    const made = machine(arm, 64, 0n, sink);
    const { table, flushes } = made;
    table.map(BASE, [1], WRITE);
    const snapshot = takeSnapshot(table);
    table.map(BASE + SPAN, [2], WRITE);
    table.map(BASE + (1n << 39n), [3], WRITE);
    const late = [
      tableAt(table, BASE + SPAN),
      ...[1, 2, 3].map((level) => tableAt(table, BASE + (1n << 39n), level)),
    ];
    table.unmap(BASE, 4096);
    flushes.length = 0;
    seen.length = 0;
    restoreSnapshot(table, snapshot);
    expect(flushes).toHaveLength(1);
    expect(flushes[0]).toMatchObject({ va: BASE, bytes: 1n << 48n, leafShift: 12 });
    expect(sorted(flushes[0]?.tablesFreed)).toEqual(sorted(late));
    expect(held).toEqual([true, true, true, true]);
    expect(seen, 'the entries are back when the sink is called').toEqual([0x1000n]);
    flushes.length = 0;
    restoreSnapshot(table, snapshot);
    expect(flushes.map((flush) => flush.tablesFreed)).toEqual([[]]);
  });

  test('is two flushes around a canonical hole', () => {
    const { table, flushes } = machine(riscv64(4));
    restoreSnapshot(table, takeSnapshot(table));
    expect(flushes.map(({ va, bytes }) => [hex(va), bytes])).toEqual([
      [hex(0n), 1n << 47n],
      [hex(0xffff800000000000n), 1n << 47n],
    ]);
  });

  test('names a table that stands at another address now, and the tables below it', () => {
    const { table, flushes } = machine(arm);
    const far = BASE + (1n << 39n);
    table.map(BASE, [1], WRITE);
    const snapshot = takeSnapshot(table);
    const tables = [1, 2, 3].map((level) => tableAt(table, BASE, level));
    table.unmap(BASE, 4096, { reclaim: true });
    table.map(far, [2], WRITE);
    // The lowest free frames are taken first: the same frames are tables at another address.
    expect([1, 2, 3].map((level) => tableAt(table, far, level))).toEqual(tables);
    flushes.length = 0;
    restoreSnapshot(table, snapshot);
    expect(sorted(flushes[0]?.tablesFreed)).toEqual(sorted(tables));
  });

  test('names the tables below an entry of which one word changes', () => {
    const { table, memory, flushes } = machine(arm);
    table.map(BASE, [1], WRITE);
    const { address, entry } = entryAt(table, BASE, 1);
    const below = [2, 3].map((level) => tableAt(table, BASE, level));
    const snapshot = takeSnapshot(table);
    // Bit 59 forbids execution below; bit 9 is ignored.
    for (const bit of [1n << 59n, 1n << 9n]) {
      memory.write64(address, entry | bit);
      flushes.length = 0;
      restoreSnapshot(table, snapshot);
      expect(sorted(flushes[0]?.tablesFreed), hex(bit)).toEqual(sorted(below));
    }
  });

  test('ends in a tree that points to itself', () => {
    const { table, memory, flushes } = machine(arm);
    table.map(BASE, [1], WRITE);
    const snapshot = takeSnapshot(table);
    for (let slot = 256n; slot < 512n; slot++) memory.write64(table.root + 8n * slot, table.root | 0x403n);
    flushes.length = 0;
    restoreSnapshot(table, snapshot);
    expect(flushes).toHaveLength(1);
    expect(memory.read64(table.root + 8n * 511n)).toBe(0n);
  });

  test('reaches the sinks of all page tables of the memory, also of those that go', () => {
    const log: [string, number[]][] = [];
    const made = machine(arm);
    const { memory, frames } = made;
    const process = (name: string): PageTable =>
      new PageTable({
        format: arm,
        memory,
        frames,
        sink: { flush: (_va, _bytes, _leafShift, tables) => log.push([name, sorted(tables)]) },
      });
    const first = process('first');
    first.map(BASE, [1], WRITE);
    const ended = process('ended');
    ended.map(BASE, [2], WRITE);
    const snapshot = takeSnapshot(first);
    ended.destroy();
    const late = process('late');
    late.map(BASE, [3], WRITE);
    const lateTables = [0, 1, 2, 3].map((level) => tableAt(late, BASE, level));
    log.length = 0;
    restoreSnapshot(made.table, snapshot);
    expect(log).toEqual([
      ['first', []],
      ['late', sorted(lateTables)],
    ]);
    expect(made.flushes).toHaveLength(1);
  });

  test('undoes everything when any of the sinks throws', () => {
    const made = machine(arm);
    const { memory, frames, table } = made;
    let fails = false;
    const sink: FlushSink = {
      flush: () => {
        if (fails) throw new Error('stuck');
      },
    };
    const other = new PageTable({ format: arm, memory, frames, sink });
    table.map(BASE, [1], WRITE);
    other.map(BASE, [2], WRITE);
    const snapshot = takeSnapshot(table);
    const late = new PageTable({ format: arm, memory, frames });
    late.map(BASE, [3], WRITE);
    table.unmap(BASE, 4096, { reclaim: true });
    memory.write64(60n << 12n, 5n);
    const before = [digest(made), fingerprint(made)];
    fails = true;
    for (const through of [table, other]) {
      expect(() => restoreSnapshot(through, snapshot)).toThrow(/^stuck$/);
      expect([digest(made), fingerprint(made)]).toEqual(before);
      expect(table.translate(BASE)).toBeNull();
      expect(late.translate(BASE)).toBe(0x3000n);
    }
    fails = false;
    late.unmap(BASE, 4096);
    restoreSnapshot(other, snapshot);
    expect(table.translate(BASE)).toBe(0x1000n);
  });

  test('refuses to let a sink take frames or change another page table', () => {
    const made = machine(arm);
    const { memory, frames, table } = made;
    let meddle = (): unknown => null;
    const other = new PageTable({ format: arm, memory, frames, sink: { flush: () => meddle() } });
    other.map(BASE, [1], WRITE);
    const snapshot = takeSnapshot(other);
    other.map(BASE + SPAN, [2], WRITE);
    const data = frames.allocate();
    const taken: number[] = [];
    meddle = () => taken.push(frames.allocate());
    expect(thrown(() => restoreSnapshot(other, snapshot))).toBe(
      'EBUSY: a flush sink took or gave back frames during the restore',
    );
    expect(other.translate(BASE + SPAN)).toBe(0x2000n);
    // As many frames as before, but others.
    meddle = () => {
      if (!frames.isAllocated(data)) return;
      taken.push(frames.allocate());
      frames.free(data);
    };
    expect(thrown(() => restoreSnapshot(other, snapshot))).toMatch(
      /^EBUSY: a flush sink took or gave back frames/,
    );
    expect(other.translate(BASE + SPAN)).toBe(0x2000n);
    expect(frames.isAllocated(taken[0] as number)).toBe(true);
    meddle = () => table.map(BASE, [3], WRITE);
    const before = digest(made);
    expect(thrown(() => restoreSnapshot(table, snapshot))).toMatch(
      /^EBUSY: this page table is in the middle/,
    );
    expect(thrown(() => restoreSnapshot(other, snapshot))).toMatch(
      /^EBUSY: this page table is in the middle/,
    );
    expect(digest(made)).toBe(before);
  });
});
