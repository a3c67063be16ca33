import {
  applyToExisting,
  applyToRange,
  collapseLeaves,
  type FlushBatch,
  flushBatch,
  prepareTables,
  protection,
  splitLeaves,
} from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { riscv64 } from '../../formats/riscv64.js';
import { sizes } from '../../support/entries.js';

const WRITE = protection({ write: true, global: true });
const MiB = 1024 * 1024;
const riscv = riscv64(3);
const arm = arm64({ granule: 4, vaBits: 48 });

describe('a batch', () => {
  test('leaves flushes and frames to done, which flushes each range once', () => {
    const { table, frames, flushes } = machine(riscv);
    for (const va of [0x1000n, 0x2000n, 0x3000n, 0x4000_0000n]) table.map(va, [5], WRITE);
    const batch = flushBatch(table);
    expect(batch.isPending).toBe(false);
    const held = frames.stats().allocated;
    table.unmap(0x3000n, 4096, { batch });
    table.unmap(0x1000n, 4096, { batch, reclaim: true });
    table.unmap(0x2000n, 4096, { batch, reclaim: true });
    table.unmap(0x4000_0000n, 4096, { batch, reclaim: true });
    expect(flushes).toEqual([]);
    expect([...table.leaves()]).toEqual([]);
    expect(frames.stats().allocated).toBe(held);
    expect(batch).toMatchObject({
      isPending: true,
      ranges: [
        { va: 0x1000n, bytes: 0x3000n },
        { va: 0x4000_0000n, bytes: 0x1000n },
      ],
      tables: 4,
    });
    batch.done();
    expect(flushes.map(({ va, bytes, leafShift }) => [va, bytes, leafShift])).toEqual([
      [0x1000n, 0x3000n, 12],
      [0x4000_0000n, 0x1000n, 12],
    ]);
    expect(flushes.every((flush) => flush.tablesFreed.length === 4)).toBe(true);
    expect(frames.stats().allocated).toBe(1);
    expect(batch).toMatchObject({ isPending: false, ranges: [], tables: 0 });
    batch.done();
    expect(flushes).toHaveLength(2);
  });

  test('must be done before its range takes a new mapping, and before the table is destroyed', () => {
    const { table } = machine(riscv);
    table.map(0x1000n, [5], WRITE);
    table.map(0x20_0000n, [5], WRITE);
    const batch = flushBatch(table);
    table.unmap(0x1000n, 4096, { batch });
    const busy =
      'EBUSY at 0x0000000000001000: a batch owes a flush for this range; call done() of the batch first';
    expect(thrown(() => table.map(0x1000n, [6], WRITE))).toBe(busy);
    expect(thrown(() => table.mapRange(0x1000n, 0n, 8192, WRITE))).toBe(busy);
    expect(thrown(() => applyToRange(table, 0x1000n, 4096, (slot) => slot.setLeaf(6, WRITE)))).toBe(busy);
    expect(thrown(() => prepareTables(table, 0x1000n, 4096))).toBe(busy);
    expect(thrown(() => table.destroy())).toBe(
      'EBUSY: a batch of this page table owes a flush; call its done() first',
    );
    // Addresses beside it can be mapped, and all can be read.
    table.map(0x2000n, [6], WRITE);
    applyToExisting(table, 0x1000n, 8192, () => undefined);
    batch.done();
    table.map(0x1000n, [6], WRITE);
    table.destroy();
  });

  test('does not defer a flush that a break needs in the middle of a call', () => {
    const { table, flushes } = machine(arm);
    const base = 0xffff000000000000n;
    table.mapRange(base, 0n, 4 * MiB, WRITE);
    const batch = flushBatch(table);
    // A block becomes a table: break, flush, make, at once.
    table.unmap(base + 0x1000n, 4096, { batch });
    expect(flushes).toHaveLength(1);
    expect(batch.isPending).toBe(false);
    // A whole block is only cleared.
    table.unmap(base + BigInt(2 * MiB), 2 * MiB, { batch });
    expect(flushes).toHaveLength(1);
    expect(batch.isPending).toBe(true);
    batch.done();
  });

  test('takes protect, split, collapse, applyToExisting and reclaim as well', () => {
    const { table, flushes, frames } = machine(riscv);
    table.mapRange(0n, 0n, 2 * MiB, WRITE);
    const batch = flushBatch(table);
    splitLeaves(table, 0n, 4096, { batch });
    table.protect(0n, 2 * MiB, { write: false }, { batch });
    expect(collapseLeaves(table, 0n, 2 * MiB, { batch })).toBe(1);
    applyToExisting(table, 0n, 2 * MiB, (slot) => slot.set(0, 0), { batch, blocks: 'visit' });
    expect(table.reclaim(undefined, undefined, { batch })).toBe(1);
    expect(flushes).toEqual([]);
    expect(sizes(table)).toEqual([]);
    expect(frames.stats().allocated).toBe(3);
    batch.done();
    // The table that went translated 1 GiB.
    expect(flushes).toMatchObject([{ va: 0n, bytes: 1n << 30n, leafShift: 12 }]);
    expect(frames.stats().allocated).toBe(1);
  });

  test('keeps what it owes when the sink throws, and done can be called again', () => {
    let isBroken = true;
    const made = machine(riscv, 64, 0n, {
      flush: () => {
        if (isBroken) throw new Error('broken');
      },
    });
    const { table, frames, flushes } = made;
    table.map(0x1000n, [5], WRITE);
    table.map(0x4000_0000n, [5], WRITE);
    const batch = flushBatch(table);
    table.unmap(0x1000n, 4096, { batch, reclaim: true });
    table.unmap(0x4000_0000n, 4096, { batch, reclaim: true });
    expect(() => batch.done()).toThrow('broken');
    expect(batch).toMatchObject({ isPending: true, tables: 4 });
    expect(frames.stats().allocated).toBe(5);
    isBroken = false;
    flushes.length = 0;
    batch.done();
    expect(flushes).toHaveLength(2);
    expect(frames.stats().allocated).toBe(1);
  });

  test('is refused by another table, inside a sink and inside a callback', () => {
    const { table } = machine(riscv);
    const other = machine(riscv).table;
    const batch = flushBatch(other);
    expect(thrown(() => table.unmap(0n, 4096, { batch }))).toBe(
      'EINVAL: `batch` is not a batch of this page table; flushBatch(table) makes one',
    );
    expect(thrown(() => table.unmap(0n, 4096, { batch: {} as never }))).toMatch(
      /^EINVAL: `batch` is not a batch/,
    );
    other.map(0n, [1], WRITE);
    other.unmap(0n, 4096, { batch });
    expect(thrown(() => applyToRange(other, 0x20_0000n, 4096, () => batch.done()))).toMatch(/^EBUSY/);
    batch.done();
  });
});

describe('what a batch owes', () => {
  test('is flushed with the smallest stride of what was merged', () => {
    const { table, flushes } = machine(riscv);
    table.mapRange(0x4000_0000n, 0n, 2 * MiB, WRITE);
    table.map(0x4020_0000n, [5], WRITE);
    const batch = flushBatch(table);
    table.unmap(0x4020_0000n, 4096, { batch });
    table.unmap(0x4000_0000n, 2 * MiB, { batch });
    batch.done();
    expect(flushes).toEqual([{ va: 0x4000_0000n, bytes: 0x20_1000n, leafShift: 12, tablesFreed: [] }]);
  });

  test('keeps the slots of waiting tables empty', () => {
    const { table, memory } = machine(arm);
    const base = 0xffff000000000000n;
    const call = (batch: FlushBatch, reclaims: boolean) => {
      table.map(base, [7], WRITE);
      table.unmap(base, 4096, reclaims ? { batch } : { batch, reclaim: true });
      if (reclaims) table.reclaim(base, 4096, { batch });
      const root = memory.read64(table.root);
      // Another page of the same tables: a cached walk would lead into those that wait.
      expect(thrown(() => table.map(base + 0x5000n, [9], WRITE))).toMatch(
        /^EBUSY at 0xffff000000005000: a batch owes/,
      );
      expect(memory.read64(table.root)).toBe(root);
      table.map(base + (1n << 39n), [9], WRITE);
      table.unmap(base + (1n << 39n), 4096, { reclaim: true });
      batch.done();
      table.map(base + 0x5000n, [9], WRITE);
      table.unmap(base + 0x5000n, 4096, { reclaim: true });
    };
    call(flushBatch(table), false);
    call(flushBatch(table), true);
  });

  test('does not keep a slot from entries that are not valid', () => {
    const { table } = machine(riscv);
    table.map(0n, [7], WRITE);
    const batch = flushBatch(table);
    applyToRange(table, 0n, 4096, (slot) => slot.set(0x1000, 0), { batch });
    expect(batch.isPending).toBe(true);
    applyToRange(table, 0n, 4096, (slot) => slot.set(0, 0), { batch });
    batch.done();
    expect(sizes(table)).toEqual([]);
  });
});
