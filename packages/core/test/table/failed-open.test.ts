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
import { expect, test } from 'vitest';
import { arm64 } from '../formats/arm64.js';

const format = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;

test('a restore skips a page table whose construction failed', () => {
  const { table, memory, frames } = machine(format, 4);
  let flushes = 0;
  const sink = { flush: () => void flushes++ };
  const fail = () => {
    expect(thrown(() => new PageTable({ format, memory, frames, root: 1n << 40n, sink }))).toMatch(/^EFAULT/);
    const taken = Array.from({ length: frames.stats().free }, () => frames.allocate());
    expect(thrown(() => new PageTable({ format, memory, frames, sink }))).toMatch(/^ENOMEM/);
    frames.freeMany(taken);
  };
  fail();
  const snapshot = takeSnapshot(table);
  fail();
  table.map(BASE, [1], protection());
  restoreSnapshot(table, snapshot);
  expect(table.translate(BASE)).toBeNull();
  expect(flushes).toBe(0);
});

test('a page table over frames without bytes is refused', () => {
  const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 1 << 16 });
  const frames = new FrameAllocator(null, { first: 1 << 20, frames: 8 });
  expect(thrown(() => new PageTable({ format, memory, frames }))).toMatch(/^EINVAL/);
});
