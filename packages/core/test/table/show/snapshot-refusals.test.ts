import type { FlushSink, Snapshot } from '@vmarea/core';
import {
  FrameAllocator,
  flushBatch,
  PageTable,
  PageTableReader,
  PhysicalMemory,
  protection,
  restoreSnapshot,
  takeSnapshot,
  wasmLoops,
} from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { digest } from '../../support/digest.js';

const WRITE = protection({ write: true, global: true });
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;

describe('snapshot and restore refuse, and change nothing', () => {
  test('while a batch owes a flush', () => {
    const made = machine(arm);
    const { table, memory, frames } = made;
    const other = new PageTable({ format: arm, memory, frames });
    table.map(BASE, [1], WRITE);
    const snapshot = takeSnapshot(table);
    const batch = flushBatch(table);
    table.unmap(BASE, 4096, { batch, reclaim: true });
    const before = digest(made);
    const message = 'EBUSY: a batch of a page table in this memory owes a flush; call its done() first';
    for (const one of [table, other]) {
      expect(thrown(() => takeSnapshot(one))).toBe(message);
      expect(thrown(() => restoreSnapshot(one, snapshot))).toBe(message);
    }
    expect(digest(made)).toBe(before);
    batch.done();
    restoreSnapshot(table, snapshot);
    expect(table.translate(BASE)).toBe(0x1000n);
  });

  test('inside a flush sink', () => {
    const said: string[] = [];
    let snapshot: Snapshot | undefined;
    const sink: FlushSink = {
      flush: () => {
        for (const one of [made.table, other]) {
          said.push(thrown(() => takeSnapshot(one)));
          if (snapshot !== undefined) said.push(thrown(() => restoreSnapshot(one, snapshot as Snapshot)));
        }
      },
    };
    const made = machine(arm, 64, 0n, sink);
    const { table, memory, frames } = made;
    const other = new PageTable({ format: arm, memory, frames });
    other.map(BASE, [1], WRITE);
    table.map(BASE, [1], WRITE);
    snapshot = takeSnapshot(table);
    table.unmap(BASE, 4096);
    expect(said).toHaveLength(4);
    for (const message of said) expect(message).toMatch(/^EBUSY: (this|another) page table .*in the middle/);
    restoreSnapshot(table, snapshot);
    expect(said).toHaveLength(8);
    for (const message of said) expect(message).toMatch(/^EBUSY/);
    expect(table.translate(BASE)).toBe(0x1000n);
  });

  test('for a value that is not a snapshot, or is one of another memory', () => {
    const made = machine(arm);
    const other = machine(arm);
    const snapshot = takeSnapshot(made.table);
    const beside = new PageTable({
      format: arm,
      memory: made.memory,
      frames: new FrameAllocator(made.memory, { first: 32, frames: 8 }),
    });
    made.table.map(BASE, [1], WRITE);
    const before = digest(made);
    for (const none of [undefined, null, 5, {}, { bytes: 4096 }, structuredClone(snapshot)]) {
      expect(thrown(() => restoreSnapshot(made.table, none as Snapshot))).toMatch(
        /^EINVAL: the snapshot has type /,
      );
    }
    const message = 'EINVAL: the snapshot is of another memory or another allocator';
    expect(thrown(() => restoreSnapshot(made.table, takeSnapshot(other.table)))).toBe(message);
    expect(thrown(() => restoreSnapshot(beside, snapshot))).toBe(message);
    expect(digest(made)).toBe(before);
    const twin = new PageTable({ format: arm, memory: other.memory, frames: made.frames });
    expect(thrown(() => restoreSnapshot(twin, snapshot))).toBe(message);
    expect(made.table.translate(BASE)).toBe(0x1000n);
    expect(made.flushes).toEqual([]);
  });

  test('for an allocator whose frames are tables in two memories', () => {
    const made = machine(arm);
    const { table, frames } = made;
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 64 * 4096 });
    table.map(BASE, [1], WRITE);
    const alone = takeSnapshot(table);
    const other = new PageTable({ format: arm, memory, frames });
    other.map(BASE, [2], WRITE);
    const before = digest(made);
    const message =
      'EINVAL: a page table in another memory takes its tables from the same allocator; ' +
      'give each memory an allocator of its own';
    for (const one of [table, other]) expect(thrown(() => takeSnapshot(one))).toBe(message);
    expect(thrown(() => restoreSnapshot(table, alone))).toBe(message);
    expect(digest(made)).toBe(before);
    expect(other.translate(BASE)).toBe(0x2000n);
    expect(made.flushes).toEqual([]);
    // The tables of the other are free again.
    other.destroy();
    table.map(BASE + (1n << 21n), [3], WRITE);
    restoreSnapshot(table, alone);
    expect([...table.leaves()].map(({ pfn }) => pfn)).toEqual([1]);
    expect(thrown(() => other.translate(BASE))).toMatch(/^EINVAL/);
  });

  test('for a memory whose bytes went away', () => {
    const ram = new ArrayBuffer(1 << 18);
    const memory = PhysicalMemory.of([{ bytes: 1 << 18 }, { source: ram, base: 1n << 32n }]);
    const frames = new FrameAllocator(memory);
    const table = new PageTable({ format: arm, memory, frames });
    const snapshot = takeSnapshot(table);
    table.map(BASE, [1], WRITE);
    structuredClone(ram, { transfer: [ram] });
    expect(thrown(() => restoreSnapshot(table, snapshot))).toBe(
      'EINVAL: the memory does not have the banks of the snapshot',
    );
    expect(table.translate(BASE)).toBe(0x1000n);
    expect(thrown(() => takeSnapshot(table))).toMatch(/^EFAULT at 0x0000000100000000/);
  });

  test('for a table that is only read', () => {
    const { table, memory } = machine(arm);
    const snapshot = takeSnapshot(table);
    const reader = new PageTableReader({ format: arm, memory, root: table.root });
    expect(thrown(() => takeSnapshot(reader as PageTable))).toMatch(/^EPERM: this page table is read-only/);
    expect(thrown(() => restoreSnapshot(reader as PageTable, snapshot))).toMatch(
      /^EPERM: this page table is read-only/,
    );
    // The reader has no tables to lose, and works on.
    restoreSnapshot(table, snapshot);
    expect(reader.translate(BASE)).toBeNull();
  });
});
