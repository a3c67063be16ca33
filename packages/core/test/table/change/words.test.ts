import { firstAddress } from '@vmarea/conformance';
import { FrameAllocator, flushBatch, PageTable, PhysicalMemory, protection, wasmLoops } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { TableRecords } from '../../../src/table/state/table-records.js';
import { arm64 } from '../../formats/arm64.js';
import { formats } from '../../formats/index.js';
import { x86 } from '../../formats/x86.js';
import { fingerprint } from '../../support/digest.js';
import { markRun } from '../../support/entries.js';

/*
 * Single pages by words. The random operations show that these calls do what `map` and `unmap` of a page do. Here is what they
 * have by themselves: the words, the work, the flush.
 */

const WRITE = protection({ write: true, global: true });
const READ = protection({ global: true });
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;
const HI = 0xffff0000;

/** The counters that are not 0. */
function work({ counters }: PageTable): object {
  return Object.fromEntries(Object.entries(counters).filter(([, count]) => count !== 0));
}

describe('mapWords and unmapWords', () => {
  test.each(formats)('map and unmap any page of $name', (format) => {
    const { table, frames, flushes, pageBytes } = machine(format);
    const top =
      firstAddress(format, 'lower') +
      (1n << BigInt(format.range.bits - (format.range.upper === 'sign' ? 1 : 0)));
    const va = top - BigInt(pageBytes);
    const [hi, lo] = [Number(va >> 32n), Number(BigInt.asIntN(32, va))];
    table.mapWords(hi, lo, 7, WRITE);
    expect(table.translate(va)).toBe(7n * BigInt(pageBytes));
    expect(table.translateWords(hi | 0, lo >>> 0)).toBe(7);
    expect(flushes).toEqual([]);
    expect(table.unmapWords(hi | 0, lo >>> 0)).toBe(7);
    expect(table.unmapWords(hi, lo)).toBe(-1);
    expect(flushes).toEqual([{ va, bytes: BigInt(pageBytes), leafShift: format.pageShift, tablesFreed: [] }]);
    expect([...table.leaves()]).toEqual([]);
    table.destroy();
    expect(frames.stats().allocated).toBe(0);
  });

  test('cost a walk and one entry', () => {
    const { table } = machine(arm);
    table.resetCounters();
    table.mapWords(HI, 0x1000, 5, WRITE);
    // One table for each level below the root, three links and the page.
    expect(work(table)).toEqual({
      ...{ tablesRead: 4, entriesRead: 1, entriesWritten: 4 },
      ...{ tablesAllocated: 3, tablesZeroed: 3 },
    });
    table.resetCounters();
    table.mapWords(HI, 0x2000, 6, WRITE);
    expect(work(table)).toEqual({ tablesRead: 4, entriesRead: 4, entriesWritten: 1 });
    table.resetCounters();
    expect(table.unmapWords(HI, 0x1000)).toBe(5);
    expect(work(table)).toEqual({ tablesRead: 4, entriesRead: 4, entriesWritten: 1, flushes: 1 });
    table.resetCounters();
    expect(table.unmapWords(HI, 0x1000)).toBe(-1);
    expect(work(table)).toEqual({ tablesRead: 4, entriesRead: 4 });
  });

  test('keep the live count of a table', () => {
    const { table, frames } = machine(arm);
    const records = TableRecords.of(frames);
    const live = (): number => {
      const { table: pa } = table.walk(BASE).steps[3] as { table: bigint };
      return records.live(records.find(Number(pa >> 12n)));
    };
    table.mapWords(HI, 0, 1, WRITE);
    expect(live()).toBe(1);
    table.mapWords(HI, 0x1000, 2, WRITE);
    expect(live()).toBe(2);
    table.unmapWords(HI, 0);
    expect(live()).toBe(1);
  });

  test('clear the marks of a run before they unmap a page of it', () => {
    const { table, memory } = machine(arm);
    table.mapRange(BASE, 0x100000n, 16 * 4096, WRITE, { maxLeafShift: 12 });
    markRun({ table, memory }, BASE, 16, 1n << 52n);
    expect(table.walk(BASE).leaf?.runShift).toBe(16);
    expect(table.unmapWords(HI, 0x3000)).toBe(0x103);
    expect(table.walk(BASE).leaf?.runShift).toBe(null);
    expect(table.translateWords(HI, 0x4000)).toBe(0x104);
  });

  test('take frame numbers of any size', () => {
    const wide = arm64({ granule: 4, vaBits: 52, large: true });
    const { table } = machine(wide);
    const [hi, lo] = [0xfff00000, 0x3000];
    for (const pfn of [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 - 1]) {
      table.mapWords(hi, lo, pfn, WRITE);
      expect(table.translateWords(hi, lo)).toBe(pfn);
      expect(table.unmapWords(hi, lo)).toBe(pfn);
    }
  });

  test('read a protection anew at each call', () => {
    const { table } = machine(arm);
    const loose = { ...WRITE };
    table.mapWords(HI, 0, 1, loose);
    loose.write = false;
    table.mapWords(HI, 0x1000, 2, loose);
    table.mapWords(HI, 0x2000, 3, WRITE);
    table.mapWords(HI, 0x3000, 4, READ);
    const rights = [0x0, 0x1000, 0x2000, 0x3000].map(
      (lo) => table.walk(BASE + BigInt(lo)).leaf?.protection.write,
    );
    expect(rights).toEqual([true, false, true, false]);
  });

  test('split a block around the page', () => {
    const { table } = machine(x86(4, 46));
    table.mapRange(0n, 0x40000000n, 2 ** 21, WRITE);
    expect(table.unmapWords(0, 0x3000)).toBe(0x40003);
    expect(table.translateWords(0, 0x2000)).toBe(0x40002);
    expect(table.translateWords(0, 0x3000)).toBe(-1);
  });
});

describe('mapWords and unmapWords refuse', () => {
  const cases: [string, (table: PageTable) => void, RegExp][] = [
    ['a fractional word', (t) => t.mapWords(HI, 0.5, 1, WRITE), /^EINVAL.* 0\.5 is not a 32-bit word/],
    [
      'a high word of 33 bits',
      (t) => t.mapWords(2 ** 32, 0, 1, WRITE),
      /^EINVAL.* 4294967296 is not a 32-bit/,
    ],
    ['a low word of 33 bits', (t) => t.mapWords(HI, 2 ** 32, 1, WRITE), /^EINVAL.* is not a 32-bit word/],
    ['a word that is NaN', (t) => t.unmapWords(Number.NaN, 0), /^EINVAL.* NaN is not a 32-bit word/],
    [
      'a missing word',
      (t) => t.unmapWords(HI, undefined as unknown as number),
      /^EINVAL.* undefined is not a 32-bit/,
    ],
    [
      'an address inside a page',
      (t) => t.mapWords(HI, 8, 1, WRITE),
      /^EINVAL at 0xffff000000000008.*multiple/,
    ],
    [
      'an address inside a page, to unmap',
      (t) => t.unmapWords(HI, 8),
      /^EINVAL at 0xffff000000000008.*multiple/,
    ],
    [
      'an address outside the range',
      (t) => t.mapWords(0xfffe0000, 0, 1, WRITE),
      /^ERANGE at 0xfffe000000000000/,
    ],
    ['an address outside the range, to unmap', (t) => t.unmapWords(1, 0), /^ERANGE at 0x0000000100000000/],
    ['a frame that is too high', (t) => t.mapWords(HI, 0, 2 ** 36, WRITE), /^EINVAL.*0x1000000000 of page 0/],
    ['a fractional frame', (t) => t.mapWords(HI, 0, 1.5, WRITE), /^EINVAL.*1\.5 of page 0/],
    ['a frame below 0', (t) => t.mapWords(HI, 0, -1, WRITE), /^EINVAL.*-1 of page 0/],
    ['a frame as a bigint', (t) => t.mapWords(HI, 0, 1n as unknown as number, WRITE), /^EINVAL.*of page 0/],
    ['an occupied slot', (t) => t.mapWords(HI, 0x5000, 1, WRITE), /^EBUSY at 0xffff000000005000.*PTE slot/],
    [
      'an incomplete protection',
      (t) => t.mapWords(HI, 0, 1, { write: true } as never),
      /^EINVAL.*not complete/,
    ],
    [
      'a protection that cannot be said',
      (t) => t.mapWords(HI, 0, 1, { ...WRITE, memory: 'write-through' as never }),
      /^EINVAL/,
    ],
  ];

  test.each(cases)('%s', (_, call, message) => {
    const { table, memory, frames } = machine(arm);
    table.mapWords(HI, 0x5000, 9, WRITE);
    const before = fingerprint({ memory, frames });
    expect(thrown(() => call(table))).toMatch(message);
    expect(fingerprint({ memory, frames })).toBe(before);
  });

  test('a page when there are no frames for its tables', () => {
    // Root, and two of the three tables below it.
    const { table, memory, frames } = machine(arm, 3);
    const before = fingerprint({ memory, frames });
    expect(thrown(() => table.mapWords(HI, 0, 1, WRITE))).toMatch(
      /^ENOMEM at 0xffff000000000000: no frame for a PTE/,
    );
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(frames.stats().allocated).toBe(1);
  });

  test('a page whose flush a batch owes', () => {
    const { table } = machine(arm);
    table.mapWords(HI, 0, 1, WRITE);
    const batch = flushBatch(table);
    table.unmap(BASE, 4096, { batch });
    expect(thrown(() => table.mapWords(HI, 0, 2, WRITE))).toMatch(/^EBUSY.*owes a flush/);
    batch.done();
    table.mapWords(HI, 0, 2, WRITE);
    expect(table.translateWords(HI, 0)).toBe(2);
  });

  test('calls on a table that is read-only or destroyed', () => {
    const { table, memory, frames } = machine(arm);
    table.mapWords(HI, 0, 1, WRITE);
    const source = memory.bytesAt(0n, 64 * 4096).slice().buffer;
    const image = PhysicalMemory.of([
      { source, writable: false },
      { bytes: 4096, base: 1n << 32n },
    ]);
    const others = new FrameAllocator(image, { first: 2 ** 20, frames: 1 });
    const reader = new PageTable({ format: arm, memory: image, root: table.root, frames: others });
    expect(thrown(() => reader.mapWords(HI, 0x1000, 1, WRITE))).toMatch(/^EPERM/);
    expect(thrown(() => reader.unmapWords(HI, 0))).toMatch(/^EPERM/);
    expect(reader.translateWords(HI, 0)).toBe(1);
    table.destroy();
    expect(thrown(() => table.mapWords(HI, 0x1000, 1, WRITE))).toMatch(/^EINVAL.*destroyed/);
    expect(thrown(() => table.unmapWords(HI, 0))).toMatch(/^EINVAL.*destroyed/);
    expect(frames.stats().allocated).toBe(0);
  });
});

describe('the flush of unmapWords', () => {
  /** A table whose sink calls `next` at each flush. */
  function told() {
    const state = { flushes: 0, next: (): void => {} };
    const made = machine(arm, 64, 0n, {
      flush() {
        state.flushes++;
        state.next();
      },
    });
    made.table.mapWords(HI, 0x1000, 5, WRITE);
    return { ...made, state };
  }

  test('comes after the entry is cleared, and nobody may change the table inside it', () => {
    const { table, state } = told();
    let seen: unknown[] = [];
    state.next = () => {
      seen = [
        table.translateWords(HI, 0x1000),
        thrown(() => table.mapWords(HI, 0x2000, 1, WRITE)),
        thrown(() => table.unmapWords(HI, 0x1000)),
      ];
    };
    expect(table.unmapWords(HI, 0x1000)).toBe(5);
    expect(seen).toEqual([-1, expect.stringMatching(/^EBUSY/), expect.stringMatching(/^EBUSY/)]);
    table.mapWords(HI, 0x2000, 1, WRITE);
  });

  test('comes again when the sink throws, with the entry written back', () => {
    const { table, state, memory, frames } = told();
    const before = fingerprint({ memory, frames });
    state.next = () => {
      throw new Error('broken');
    };
    expect(() => table.unmapWords(HI, 0x1000)).toThrow('broken');
    expect(state.flushes).toBe(2);
    expect(fingerprint({ memory, frames })).toBe(before);
    state.next = () => {};
    expect(table.unmapWords(HI, 0x1000)).toBe(5);
  });

  test('is counted even without a sink', () => {
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 2 ** 16 });
    const table = new PageTable({ format: arm, memory, frames: new FrameAllocator(memory) });
    table.mapWords(HI, 0, 1, WRITE);
    expect(table.unmapWords(HI, 0)).toBe(1);
    expect(table.counters.flushes).toBe(1);
  });
});
