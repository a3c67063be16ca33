import {
  collapseLeaves,
  dumpTables,
  FrameAllocator,
  flushBatch,
  PageTable,
  PhysicalMemory,
  restoreSnapshot,
  takeSnapshot,
  wasmLoops,
} from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';

/** Maps scattered frames and a range, looks them up in every way, takes all down, and leaks nothing. */
export function run(): string {
  const linux = x8664Linux();
  const { PAGE_KERNEL, IOREMAP } = linux.protections;
  const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 1 << 20 });
  const tables = new FrameAllocator(memory);
  const far = new FrameAllocator(null, { first: 0x100000, frames: 4096, scatter: 7 });
  const table = new PageTable({ format: x8664(), memory, frames: tables });

  const pages = 600; // more than one table holds
  const scattered = linux.window.start;
  const range = scattered + (1n << 30n);
  const frames = far.allocateMany(pages);
  table.map(scattered, frames, PAGE_KERNEL);
  table.mapRange(range, 0xb0000000n, 4 << 20, IOREMAP);

  for (let page = 0; page < pages; page++) {
    const va = scattered + BigInt(page) * 4096n + 8n;
    expect('translate', table.translate(va), BigInt(frames[page] ?? -1) * 4096n + 8n);
  }
  expect('range', table.translate(range + 0x345678n), 0xb0345678n);
  expect('leaf size', table.walk(range).leaf?.leafShift, 21);
  expect('execute fault', table.walk(scattered, { kind: 'execute', user: false }).fault?.kind, 'permission');
  expect(
    'leaves',
    [...table.leaves()].reduce((sum, { count }) => sum + count, 0),
    pages + 2,
  );
  const walked = table.walk(scattered).steps.map(({ name }) => name);

  // One page of a block, and back.
  const start = takeSnapshot(table);
  table.protect(range, 4096, { write: false });
  expect('a page of a block', table.walk(range).leaf?.leafShift, 12);
  expect('its neighbour', table.walk(range + 4096n).leaf?.protection.write, true);
  table.protect(range, 4096, { write: true });
  expect('collapse', collapseLeaves(table, range, 4 << 20), 1);
  expect('dump', dumpTables(table).split('\n').at(-2)?.includes('2 x 2M'), true);
  restoreSnapshot(table, start);

  const batch = flushBatch(table);
  table.unmap(scattered, pages * 4096, { batch });
  table.unmap(range, 4 << 20, { batch });
  batch.done();
  expect('after unmap', table.translate(scattered), null);
  table.destroy();
  far.freeMany(frames);
  expect('table frames left', tables.stats().allocated, 0);
  expect('mapped frames left', far.stats().allocated, 0);
  return `${walked.join(' ')}, ${pages} frames, no leak`;
}

function expect(what: string, found: unknown, expected: unknown): void {
  if (found !== expected) throw new Error(`${what}: ${String(found)} instead of ${String(expected)}`);
}
