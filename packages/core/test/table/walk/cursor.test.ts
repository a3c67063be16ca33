import { firstAddress } from '@vmarea/conformance';
import type { WebAssemblyMemoryLike } from '@vmarea/core';
import {
  FrameAllocator,
  PageTable,
  PhysicalMemory,
  protection,
  restoreSnapshot,
  takeSnapshot,
  translationCursor,
} from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { formats } from '../../formats/index.js';
import { x86 } from '../../formats/x86.js';

/** The part of WebAssembly that these tests use: core is compiled without the types of the DOM and Node. */
declare const WebAssembly: {
  Memory: new (o: { initial: number; maximum: number }) => WebAssemblyMemoryLike;
};

const WRITE = protection({ write: true, global: true });

describe('a cursor', () => {
  test.each(formats)('translates as its table does, page by page up and down: $name', (format) => {
    const { table, pageBytes } = machine(format);
    const start = firstAddress(format, 'lower');
    const perTable = 2 ** (format.levels.at(-1)?.bits ?? 0);
    const pages = Math.min(2 * perTable, 2 ** (format.range.bits - format.pageShift - 1));
    const mapped = Array.from({ length: pages }, (_, i) => i).filter((i) => i % 3 !== 1);
    for (const i of mapped) table.map(start + BigInt(i * pageBytes), [1000 + 7 * i], WRITE);
    const cursor = translationCursor(table);
    const order = [...Array(pages).keys(), ...[...Array(pages).keys()].reverse()];
    for (const i of order) {
      const va = start + BigInt(i * pageBytes + 9);
      const [hi, lo] = [Number(va >> 32n), Number(va & 0xffff_ffffn)];
      const pfn = i % 3 === 1 ? -1 : 1000 + 7 * i;
      if (cursor.translateWords(hi | 0, lo) !== pfn || cursor.translateWords(hi, lo | 0) !== pfn) {
        expect.fail(`page ${i}: ${cursor.translateWords(hi, lo)} instead of ${pfn}`);
      }
    }
    // Far away, in the other half, and outside the range.
    expect(cursor.translateWords(0x12345678, 0)).toBe(-1);
  });

  test('follows changes by its page table', () => {
    const { table } = machine(x86(4, 46));
    table.map(0n, [1, 2], WRITE);
    const cursor = translationCursor(table);
    expect(cursor.translateWords(0, 0x1000)).toBe(2);
    table.unmap(0n, 8192, { reclaim: true });
    expect(cursor.translateWords(0, 0x1000)).toBe(-1);
    table.mapRange(0n, 0x40000000n, 2 ** 21, WRITE);
    expect(cursor.translateWords(0, 0x1000)).toBe(0x40001);
    table.unmapWords(0, 0x1000);
    expect(cursor.translateWords(0, 0x1000)).toBe(-1);
    expect(cursor.translateWords(0, 0x2000)).toBe(0x40002);
    const before = takeSnapshot(table);
    table.unmap(0n, 2 ** 21, { reclaim: true });
    restoreSnapshot(table, before);
    expect(cursor.translateWords(0, 0x2000)).toBe(0x40002);
  });

  test('follows a restore by another page table, and a destroy in whose flush it translates', () => {
    const state = { next: (): void => {} };
    const { table, memory, frames } = machine(x86(4, 46), 64, 0n, { flush: () => state.next() });
    const keeper = new PageTable({ format: x86(4, 46), memory, frames });
    table.map(0n, [1, 2], WRITE);
    keeper.map(0n, [1, 2], WRITE);
    const cursor = translationCursor(table);
    const before = takeSnapshot(keeper);
    table.map(0x200000n, [5, 6], WRITE);
    expect(cursor.translateWords(0, 0x201000)).toBe(6);
    restoreSnapshot(keeper, before);
    // Its PTE table takes the frame that the other one's had.
    keeper.map(0x200000n, [41, 42, 43], WRITE);
    expect(cursor.translateWords(0, 0x201000)).toBe(-1);
    const later = new PageTable({ format: x86(4, 46), memory, frames });
    later.map(0n, [7, 8], WRITE);
    const gone = translationCursor(later);
    expect(gone.translateWords(0, 0x1000)).toBe(8);
    restoreSnapshot(keeper, before);
    expect(thrown(() => gone.translateWords(0, 0x1000))).toMatch(/^EINVAL.*made after the snapshot/);
    // A sink that translates while its table is destroyed.
    expect(cursor.translateWords(0, 0x1000)).toBe(2);
    state.next = () => void cursor.translateWords(0, 0x1000);
    table.destroy();
    expect(thrown(() => cursor.translateWords(0, 0x1000))).toMatch(/^EINVAL.*destroyed/);
  });

  test('reads the last entry anew at each call, the tables above it after reset', () => {
    const { table, memory } = machine(x86(4, 46));
    table.map(0n, [1, 2], WRITE);
    table.map(0x200000n, [8, 9], WRITE);
    const cursor = translationCursor(table);
    expect(cursor.translateWords(0, 0x1000)).toBe(2);
    const step = (va: bigint, level: number) =>
      table.walk(va).steps[level] as { address: bigint; entry: bigint };
    // Somebody else writes the entry of a page, then the entry that points to its table.
    memory.write64(step(0x1000n, 3).address, step(0x200000n, 3).entry);
    expect(cursor.translateWords(0, 0x1000)).toBe(8);
    memory.write64(step(0n, 2).address, step(0x200000n, 2).entry);
    expect(cursor.translateWords(0, 0x1000)).toBe(8);
    cursor.reset();
    expect(cursor.translateWords(0, 0x1000)).toBe(9);
  });

  test('works on after the memory has grown', () => {
    const guest = new WebAssembly.Memory({ initial: 2, maximum: 4 });
    const memory = PhysicalMemory.over(guest);
    const table = new PageTable({ format: x86(4, 46), memory, frames: new FrameAllocator(memory) });
    table.map(0n, [1, 2], WRITE);
    const cursor = translationCursor(table);
    expect(cursor.translateWords(0, 0)).toBe(1);
    guest.grow(1);
    expect(cursor.translateWords(0, 0x1000)).toBe(2);
    expect(cursor.translateWords(0, 0x2000)).toBe(-1);
  });

  test('works on tables in several banks', () => {
    const memory = PhysicalMemory.of([{ bytes: 4096 }, { bytes: 16 * 4096, base: 1n << 32n }]);
    const frames = new FrameAllocator(memory, { first: 2 ** 20, frames: 16 });
    const table = new PageTable({ format: x86(4, 46), memory, frames });
    table.map(0n, [1, 2], WRITE);
    const cursor = translationCursor(table);
    expect(cursor.translateWords(0, 0x1000)).toBe(2);
    cursor.reset();
    expect(cursor.translateWords(0, 0x2000)).toBe(-1);
  });

  test.each([1, 2])('refuses calls once its table is destroyed (%s banks)', (banks) => {
    const made = PhysicalMemory.of([{ bytes: 2 ** 16 }, { bytes: 4096, base: 1n << 32n }].slice(0, banks));
    const format = arm64({ granule: 4, vaBits: 48 });
    const frames = new FrameAllocator(made, { first: 0, frames: 16 });
    const table = new PageTable({ format, memory: made, frames });
    table.map(0xffff000000000000n, [1], WRITE);
    const cursor = translationCursor(table);
    expect(cursor.translateWords(0xffff0000, 0)).toBe(1);
    table.destroy();
    expect(thrown(() => cursor.translateWords(0xffff0000, 0))).toMatch(/^EINVAL.*destroyed/);
    expect(thrown(() => translationCursor(table))).toMatch(/^EINVAL.*destroyed/);
  });
});
