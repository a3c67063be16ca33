import type { Snapshot } from '@vmarea/core';
import {
  FrameAllocator,
  PageTable,
  PhysicalMemory,
  protection,
  restoreSnapshot,
  takeSnapshot,
  wasmLoops,
} from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { webAssemblyMemory } from '../../memory/support.js';
import { digest } from '../../support/digest.js';

const WRITE = protection({ write: true, global: true });
const PAGES = { maxLeafShift: 12 };
const MiB = 1024 * 1024;
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;
/** Bytes that one PTE table translates. */
const SPAN = 0x200000n;
const GONE = 'EINVAL: this page table was made after the snapshot that was restored; make or open a new one';

describe('restoreSnapshot', () => {
  test('brings back bytes, mappings, tables and free frames, at every call', () => {
    const made = machine(arm);
    const { table, memory, frames } = made;
    table.map(BASE, [1, 2], WRITE);
    const data = frames.allocate();
    memory.write64(BigInt(data) << 12n, 77n);
    const before = digest(made);
    const snapshot = takeSnapshot(table);
    expect(digest(made), 'taking it changes nothing').toBe(before);
    const leaves = [...table.leaves()];
    for (const round of [1n, 2n]) {
      table.unmap(BASE, 8192, { reclaim: true });
      table.map(BASE + round * SPAN, [5], WRITE);
      memory.write64(BigInt(data) << 12n, round);
      memory.write64(63n << 12n, round);
      frames.free(data);
      restoreSnapshot(table, snapshot);
      expect(digest(made)).toBe(before);
      expect([...table.leaves()]).toEqual(leaves);
      expect(table.translate(BASE + 4096n)).toBe(0x2000n);
      expect(table.translate(BASE + round * SPAN)).toBeNull();
      expect(memory.read64(BigInt(data) << 12n)).toBe(77n);
    }
    table.destroy();
    expect(frames.stats().allocated).toBe(1);
  });

  test('goes forward in time as well as back', () => {
    const { table } = machine(arm);
    const snapshots: Snapshot[] = [takeSnapshot(table)];
    for (let i = 0; i < 4; i++) {
      table.map(BASE + BigInt(i) * SPAN, [i], WRITE);
      snapshots.push(takeSnapshot(table));
    }
    for (const i of [2, 4, 0, 3, 1, 4]) {
      restoreSnapshot(table, snapshots[i] as Snapshot);
      expect([...table.leaves()].map((run) => run.pfn)).toEqual([0, 1, 2, 3].slice(0, i));
    }
  });

  test('needs snapshots as large as the pages that are not zero', () => {
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 64 * MiB });
    const frames = new FrameAllocator(memory);
    const table = new PageTable({ format: arm, memory, frames });
    const empty = takeSnapshot(table).bytes;
    expect(empty).toBeLessThan(64 * 1024);
    memory.write64(40n << 20n, 1n);
    // One page, which is a run by itself.
    expect(takeSnapshot(table).bytes).toBe(empty + 4096 + 16);
    memory.write64((40n << 20n) + 4096n, 1n);
    expect(takeSnapshot(table).bytes).toBe(empty + 8192 + 16);
    expect(Object.isFrozen(takeSnapshot(table))).toBe(true);
  });

  test('works on shared and on grown memory, and leaves bytes outside the bank alone', () => {
    const wasm = webAssemblyMemory({ initial: 4, maximum: 16 });
    const placed = { byteOffset: 65536, bytes: 2 * 65536 };
    for (const memory of [
      PhysicalMemory.create({ loops: wasmLoops, bytes: 1 << 18, shared: true }),
      PhysicalMemory.over(wasm, placed),
    ]) {
      const made = { memory, frames: new FrameAllocator(memory, { shared: true }) };
      const table = new PageTable({ format: arm, ...made });
      table.map(BASE, [1], WRITE);
      const before = digest(made);
      const snapshot = takeSnapshot(table);
      wasm.grow(1);
      const all = new Uint8Array(wasm.buffer);
      for (const at of [0, 65535, 3 * 65536, all.length - 1]) all[at] = 9;
      table.map(BASE + SPAN, [2], WRITE);
      restoreSnapshot(table, snapshot);
      expect(digest(made)).toBe(before);
      for (const at of [0, 65535, 3 * 65536, all.length - 1]) expect(all[at]).toBe(9);
      table.map(BASE + SPAN, [3], WRITE);
      expect(table.translate(BASE + SPAN)).toBe(0x3000n);
    }
  });

  test('restores all writable banks, and no read-only one', () => {
    const image = new ArrayBuffer(8192);
    const memory = PhysicalMemory.of([
      { bytes: 1 << 18, base: 0n },
      { bytes: 8192, base: 0x100000000n },
      { source: image, base: 0x200000000n, writable: false },
    ]);
    const table = new PageTable({ format: arm, memory, frames: new FrameAllocator(memory) });
    memory.write64(0x100001000n, 5n);
    const snapshot = takeSnapshot(table);
    memory.write64(0x100000000n, 6n);
    memory.write64(0x100001000n, 6n);
    new Uint8Array(image)[0] = 7;
    restoreSnapshot(table, snapshot);
    expect(memory.read64(0x100000000n)).toBe(0n);
    expect(memory.read64(0x100001000n)).toBe(5n);
    expect(memory.read64(0x200000000n)).toBe(7n);
  });

  test('works on an opened table, whose root no page table made', () => {
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 1 << 18 });
    const frames = new FrameAllocator(memory, { reserved: [{ pfn: 0, frames: 8 }] });
    const table = new PageTable({ format: arm, memory, root: 0x1000n, frames });
    const snapshot = takeSnapshot(table);
    table.map(BASE, [1], WRITE);
    restoreSnapshot(table, snapshot);
    expect(memory.read64(0x1000n)).toBe(0n);
    expect(frames.stats().allocated).toBe(0);
    table.map(BASE, [2], WRITE);
    expect(table.translate(BASE)).toBe(0x2000n);
  });

  test('restores every allocator that page tables of the memory use', () => {
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 1 << 18 });
    const lower = new FrameAllocator(memory, { first: 0, frames: 32 });
    const upper = new FrameAllocator(memory, { first: 32, frames: 32 });
    const first = new PageTable({ format: arm, memory, frames: lower });
    first.map(BASE, [1], WRITE);
    const second = new PageTable({ format: arm, memory, root: first.root, frames: upper });
    second.map(BASE + SPAN, [2], WRITE);
    const before = [digest({ memory, frames: lower }), digest({ memory, frames: upper })];
    const snapshot = takeSnapshot(first);
    second.map(BASE + 2n * SPAN, [3], WRITE);
    restoreSnapshot(first, snapshot);
    expect([digest({ memory, frames: lower }), digest({ memory, frames: upper })]).toEqual(before);
    second.unmap(BASE + SPAN, 4096);
    restoreSnapshot(second, snapshot);
    expect(first.translate(BASE + SPAN)).toBe(0x2000n);
  });

  test('removes page tables whose allocator came later, and leaves that allocator as it is', () => {
    const { table, memory } = machine(arm);
    const snapshot = takeSnapshot(table);
    const frames = new FrameAllocator(memory, { first: 32, frames: 8 });
    const late = new PageTable({ format: arm, memory, frames });
    late.map(BASE, [1], WRITE);
    restoreSnapshot(table, snapshot);
    expect(thrown(() => late.translate(BASE))).toBe(GONE);
    expect(frames.stats().allocated).toBe(4);
    expect(new PageTable({ format: arm, memory, frames }).translate(BASE)).toBeNull();
  });
});

test('restoreSnapshot keeps the counters', () => {
  const { table } = machine(arm);
  const snapshot = takeSnapshot(table);
  table.map(BASE, [1], WRITE, PAGES);
  const { tablesAllocated, flushes } = table.counters;
  restoreSnapshot(table, snapshot);
  expect(table.counters.tablesAllocated).toBe(tablesAllocated);
  expect(table.counters.flushes).toBe(flushes + 1);
});
