import { firstAddress } from '@vmarea/conformance';
import type { FlushSink, PageTableFormat } from '@vmarea/core';
import { FrameAllocator, PageTable, PhysicalMemory, protection, VmError, wasmLoops } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { formats } from '../../formats/index.js';
import { fingerprint } from '../../support/digest.js';

const WRITE = protection({ write: true });

/** An allocator that fails from the n-th frame on. */
class Failing extends FrameAllocator {
  left = Number.POSITIVE_INFINITY;
  override tryAllocate(order = 0): number {
    if (this.left <= 0) return -1;
    this.left--;
    return super.tryAllocate(order);
  }
  override tryAllocateMany(count: number): Float64Array | null {
    if (this.left < count) return null;
    this.left -= count;
    return super.tryAllocateMany(count);
  }
}

/** log2 of the root's frames. */
function rootOrder(format: PageTableFormat): number {
  return Math.max(0, (format.levels[0]?.bits ?? 0) + 3 - format.pageShift);
}

describe.each(formats.map((format) => [format.name, format] as const))('a map of %s', (_name, format) => {
  const pageBytes = 2 ** format.pageShift;
  const last = format.levels.length - 1;
  const lastTable = format.levels[last - 1];
  /** One whole PTE table, and three pages of the next; three pages where the root is the only level. */
  const pages = lastTable === undefined ? 3 : 2 ** (lastTable.shift - format.pageShift) + 3;
  const start = firstAddress(format, 'lower');
  const count = (table: PageTable): number => [...table.leaves()].reduce((sum, run) => sum + run.count, 0);

  test('leaves everything as it was when any of its allocations fails', () => {
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 40 * pageBytes });
    const frames = new Failing(memory, { pageShift: format.pageShift });
    const table = new PageTable({ format, memory, frames });
    const empty = fingerprint({ memory, frames });
    // A table for each level below the root, and a second PTE table.
    const needed = last === 0 ? 0 : last + 1;
    for (let allowed = 0; allowed < needed; allowed++) {
      frames.left = allowed;
      const call = () =>
        table.mapRange(start, 0n, pages * pageBytes, WRITE, { maxLeafShift: format.pageShift });
      expect(call).toThrow(/^ENOMEM.*: no frame for a /);
      expect(frames.left, 'the allocations before the one that fails').toBe(0);
      expect(fingerprint({ memory, frames })).toBe(empty);
      expect(table.translate(start)).toBeNull();
      expect(count(table)).toBe(0);
    }
    frames.left = needed;
    table.mapRange(start, 0n, pages * pageBytes, WRITE, { maxLeafShift: format.pageShift });
    expect(frames.left).toBe(0);
    expect(count(table)).toBe(pages);
  });

  const block = format.levels[last - 1];
  // A root that is the only level has no blocks.
  if (block?.leaf) {
    test('puts a replaced table back when a later allocation fails', () => {
      const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 40 * pageBytes });
      const frames = new Failing(memory, { pageShift: format.pageShift });
      const table = new PageTable({ format, memory, frames });
      table.map(start, [1], WRITE);
      table.unmap(start, pageBytes);
      const before = fingerprint({ memory, frames });
      // A block replaces the empty table; the pages after it need a table of their own.
      const call = () => table.mapRange(start, 0n, pages * pageBytes, WRITE);
      frames.left = 0;
      expect(call).toThrow(/^ENOMEM.*: no frame for a /);
      expect(fingerprint({ memory, frames })).toBe(before);
      frames.left = 1;
      call();
      expect([...table.leaves()].map((run) => [run.leafShift, run.count])).toEqual([
        [block?.shift, 1],
        [format.pageShift, 3],
      ]);
      // One table is freed, one is made.
      expect(frames.stats().allocated).toBe(2 ** rootOrder(format) + last);
    });
  }

  test('is undone and flushed when it meets an occupied slot at its end', () => {
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 40 * pageBytes });
    const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
    const flushed: { va: bigint; bytes: bigint; freed: number; allocated: number }[] = [];
    const sink: FlushSink = {
      flush: (va, bytes, _leafShift, tablesFreed) => {
        flushed.push({ va, bytes, freed: tablesFreed.length, allocated: frames.stats().allocated });
      },
    };
    const table = new PageTable({ format, memory, frames, sink });
    const busy = start + BigInt((pages - 1) * pageBytes);
    table.map(busy, [7], WRITE);
    const before = fingerprint({ memory, frames });
    const { allocated } = frames.stats();
    const call = () =>
      table.mapRange(start, 0n, pages * pageBytes, WRITE, { maxLeafShift: format.pageShift });
    expect(call).toThrow(VmError);
    expect(call).toThrow(`EBUSY at 0x${busy.toString(16).padStart(16, '0')}`);
    expect(fingerprint({ memory, frames })).toBe(before);
    // Two refused calls: two flushes of the whole range, made while the tables of the call are still allocated.
    if (format.levels.length > 1) {
      expect(flushed).toHaveLength(2);
      expect(flushed[0]).toEqual({
        va: start,
        bytes: BigInt(pages * pageBytes),
        freed: 1,
        allocated: allocated + 1,
      });
    }
    expect(table.translate(busy)).toBe(7n << BigInt(format.pageShift));
  });
});
