import type { FlushSink } from '@vmarea/core';
import { FrameAllocator, PageTable, PhysicalMemory, protection, VmError } from '@vmarea/core';
import { describe, expect, it } from 'vitest';
import { formats } from '../formats/index.js';
import { fingerprint, firstAddress } from '../support/machine.js';

const WRITE = protection({ write: true });

/** An allocator that fails from the n-th frame on. */
class Failing extends FrameAllocator {
  left = Number.POSITIVE_INFINITY;
  override tryAllocate(order = 0): number {
    if (this.left <= 0) return -1;
    this.left--;
    return super.tryAllocate(order);
  }
}

describe.each(formats.map((format) => [format.name, format] as const))('%s', (_name, format) => {
  it('leaves everything as it was, whichever allocation fails', () => {
    const pageBytes = 2 ** format.pageShift;
    const memory = PhysicalMemory.create({ bytes: 40 * pageBytes });
    const frames = new Failing(memory, { pageShift: format.pageShift });
    const table = new PageTable({ format, memory, frames });
    const lastTable = format.levels[format.levels.length - 2];
    const pages = lastTable === undefined ? 3 : 2 ** (lastTable.shift - format.pageShift) + 3;
    const start = firstAddress(format);
    // Something is there already, beside the range.
    table.map(start, [1], WRITE);
    const va = start + BigInt(pageBytes);
    const map = () => table.mapRange(va, 0n, pages * pageBytes, WRITE, { maxLeafShift: format.pageShift });
    if (pages + 1 > 2 ** (format.range.bits - format.pageShift)) return;
    let failures = 0;
    for (let allowed = 0; ; allowed++) {
      frames.left = allowed;
      const before = fingerprint({ memory, frames });
      try {
        map();
        break;
      } catch (error) {
        expect((error as VmError).code).toBe('ENOMEM');
        failures++;
        expect(fingerprint({ memory, frames })).toBe(before);
        expect(table.translate(va)).toBeNull();
        expect([...table.leaves()].reduce((sum, run) => sum + run.count, 0)).toBe(1);
      }
    }
    // The range reaches one page beyond the first table of the last level: one new table, unless the root is it.
    expect(failures).toBe(format.levels.length === 1 ? 0 : 1);
    frames.left = Number.POSITIVE_INFINITY;
    expect([...table.leaves()].reduce((sum, run) => sum + run.count, 0)).toBe(pages + 1);
  });

  it('takes a map back that meets an occupied slot at its end, and flushes', () => {
    const pageBytes = 2 ** format.pageShift;
    const memory = PhysicalMemory.create({ bytes: 40 * pageBytes });
    const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
    const flushed: { va: bigint; bytes: bigint; freed: number; allocated: number }[] = [];
    const sink: FlushSink = {
      flush: (va, bytes, _leafShift, tablesFreed) => {
        flushed.push({ va, bytes, freed: tablesFreed.length, allocated: frames.stats().allocated });
      },
    };
    const table = new PageTable({ format, memory, frames, sink });
    const start = firstAddress(format);
    const lastTable = format.levels[format.levels.length - 2];
    const pages = lastTable === undefined ? 3 : 2 ** (lastTable.shift - format.pageShift) + 3;
    if (pages + 1 > 2 ** (format.range.bits - format.pageShift)) return;
    const busy = start + BigInt((pages - 1) * pageBytes);
    table.map(busy, [7], WRITE);
    const before = fingerprint({ memory, frames });
    const { allocated } = frames.stats();
    const call = () =>
      table.mapRange(start, 0n, pages * pageBytes, WRITE, { maxLeafShift: format.pageShift });
    expect(call).toThrow(VmError);
    expect(call).toThrow(`EBUSY at 0x${busy.toString(16).padStart(16, '0')}`);
    expect(fingerprint({ memory, frames })).toBe(before);
    // Two refused calls, two flushes of the whole range, made while the call's own tables were still held.
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
