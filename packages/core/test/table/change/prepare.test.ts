import { firstAddress } from '@vmarea/conformance';
import type { PageTableFormat } from '@vmarea/core';
import {
  FrameAllocator,
  PageTable,
  PhysicalMemory,
  prepareTables,
  protection,
  tablesNeeded,
  wasmLoops,
} from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { formats } from '../../formats/index.js';
import { fingerprint } from '../../support/digest.js';

const WRITE = protection({ write: true, global: true });
const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;

/** An allocator that gives no frame while it is shut. */
class Shut extends FrameAllocator {
  isShut = false;
  override tryAllocate(order = 0): number {
    return this.isShut ? -1 : super.tryAllocate(order);
  }
  override tryAllocateMany(count: number): Float64Array | null {
    return this.isShut ? null : super.tryAllocateMany(count);
  }
}

describe('prepare', () => {
  test('makes the tables for pages, or for blocks, once', () => {
    const { table, frames, flushes } = machine(arm);
    // A PUD and a PMD table, and a PTE table for each 2 MiB that the range meets.
    const call = [BASE + 0x1ff000n, 4 * MiB] as const;
    expect(tablesNeeded(table, ...call, { leafShift: 21 })).toBe(2);
    expect(prepareTables(table, ...call, { leafShift: 21 })).toBe(2);
    expect(tablesNeeded(table, ...call)).toBe(3);
    expect(prepareTables(table, ...call)).toBe(3);
    expect(prepareTables(table, ...call)).toBe(0);
    expect(frames.stats().allocated).toBe(6);
    expect([...table.leaves()]).toEqual([]);
    expect(flushes).toEqual([]);
  });

  test('has a count, tablesNeeded, that makes none, also over the whole root', () => {
    const { table, frames } = machine(arm);
    expect(tablesNeeded(table, BASE, 1n << 48n)).toBe(2 ** 9 + 2 ** 18 + 2 ** 27);
    expect(tablesNeeded(table, BASE, 1n << 48n, { leafShift: 30 })).toBe(2 ** 9);
    expect(frames.stats().allocated).toBe(1);
  });

  test('lets a format call tablesNeeded in the middle of a map, which then continues', () => {
    const other = BASE + (1n << 39n);
    let ask = (): void => {};
    const asking: PageTableFormat = {
      ...arm,
      encode(what, level) {
        ask();
        return arm.encode(what, level);
      },
    };
    const { table } = machine(asking);
    // Both regions have tables down to the last level, so that the count visits some at each.
    for (const va of [BASE, other]) table.map(va, [1], WRITE);
    const counts: number[] = [];
    ask = () => void counts.push(tablesNeeded(table, other, 4 * MiB));
    table.mapRange(BASE + BigInt(2 * MiB), 0x4000_0000n, 2 * MiB, WRITE);
    // For the block: the bits of a page are known.
    expect(counts).toEqual([1]);
    expect([...table.leaves()].map(({ va, leafShift }) => [va, leafShift])).toEqual([
      [BASE, 12],
      [BASE + BigInt(2 * MiB), 21],
      [other, 12],
    ]);
  });

  test('skips entries in use, whatever they are', () => {
    const { table, memory } = machine(arm);
    table.mapRange(BASE, 0n, GiB, WRITE);
    table.mapRange(BASE + BigInt(GiB), 0n, 2 * MiB, WRITE);
    const { address } = table.walk(BASE + BigInt(GiB) + BigInt(2 * MiB)).steps.at(-1) as { address: bigint };
    memory.write64(address, 0xabc000n);
    // In the second GiB two slots are in use; 510 need a table.
    expect(tablesNeeded(table, BASE, 2 * GiB)).toBe(510);
  });

  test('leaves everything as it was when there are too few frames', () => {
    const { table, memory, frames } = machine(arm, 8);
    table.map(BASE, [1], WRITE);
    const before = fingerprint({ memory, frames });
    expect(thrown(() => prepareTables(table, BASE, 64 * MiB))).toMatch(
      /^ENOMEM at 0xffff000000a00000: no frame for a PTE table/,
    );
    expect(fingerprint({ memory, frames })).toBe(before);
  });

  test('is undone by reclaim', () => {
    const { table, memory, frames, flushes } = machine(arm);
    const before = fingerprint({ memory, frames });
    prepareTables(table, BASE, 8 * MiB);
    table.map(BASE, [1], WRITE);
    expect(table.reclaim(BASE, 8 * MiB)).toBe(3);
    expect(table.translate(BASE)).toBe(0x1000n);
    table.unmap(BASE, 4096);
    expect(table.reclaim()).toBe(3);
    expect(table.reclaim()).toBe(0);
    expect(fingerprint({ memory, frames })).toBe(before);
    // Two flushes for the tables, and one for the page.
    expect(flushes.map((flush) => flush.tablesFreed.length)).toEqual([3, 0, 3]);
  });
});

describe.each(formats.map((format) => [format.name, format] as const))(
  'prepare on %s',
  (_name, format: PageTableFormat) => {
    test('needs no allocation to map after prepare, which makes as many tables as tablesNeeded gives', () => {
      const page = 2 ** format.pageShift;
      const leafShifts = format.levels.filter((level) => level.leaf !== null).map((level) => level.shift);
      const total = 2 ** (format.range.bits - format.pageShift);
      const spans = format.levels.map((level) => 2 ** (level.shift - format.pageShift));
      const places = [0, ...spans.map((span) => Math.min(span, total))];
      fc.assert(
        fc.property(
          fc.array(
            fc.record({
              place: fc.nat(places.length - 1),
              offset: fc.integer({ min: -2, max: 2 }),
              pages: fc.integer({ min: 1, max: 5 }),
              leaf: fc.nat(leafShifts.length - 1),
            }),
            { minLength: 1, maxLength: 4 },
          ),
          (calls) => {
            const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 96 * page });
            const frames = new Shut(memory, { pageShift: format.pageShift });
            const table = new PageTable({ format, memory, frames });
            const taken = new Set<number>();
            for (const { place, offset, pages, leaf } of calls) {
              const leafShift = leafShifts[leaf] as number;
              const leafPages = 2 ** (leafShift - format.pageShift);
              const start = (places[place] as number) + offset;
              const first = leafPages > 4096 ? start - (start % leafPages) : start;
              const count = leafPages > 4096 ? leafPages : pages;
              const half = format.range.upper === 'sign' ? total / 2 : total;
              if (first < 0 || first + count > half) continue;
              const va = firstAddress(format, 'lower') + BigInt(first) * BigInt(page);
              const bytes = BigInt(count) * BigInt(page);
              const needed = tablesNeeded(table, va, bytes, { leafShift });
              const before = frames.stats().allocated;
              expect(prepareTables(table, va, bytes, { leafShift })).toBe(needed);
              expect(frames.stats().allocated - before).toBe(needed);
              if (leafShift !== format.pageShift) continue;
              const list = Array.from({ length: count }, (_, i) => first + i);
              if (list.some((at) => taken.has(at))) continue;
              for (const at of list) taken.add(at);
              frames.isShut = true;
              table.map(
                va,
                list.map((at) => at % 7),
                WRITE,
                { maxLeafShift: format.pageShift },
              );
              frames.isShut = false;
            }
          },
        ),
        { numRuns: 40, seed: 7 },
      );
    });
  },
);
