import {
  applyToRange,
  FrameAllocator,
  flushBatch,
  PageTable,
  PhysicalMemory,
  prepareTables,
  protection,
  splitLeaves,
  VmError,
} from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { describeMemory } from '../../src/memory/share-memory.js';
import { describeTable } from '../../src/table/shared/share-table.js';
import { attach, firstSide, format, type Side, tablesOf, wrongCounts } from './pair.js';

const RW = protection({ write: true });
const VA = 0xffffc90000000000n;
const PAGE = 4096n;
/** x86-64's accessed and dirty. */
const A = 0x20n;
const D = 0x40n;

function pair(hasWasm: boolean): { one: Side; two: Side } {
  const { side, invite } = firstSide(hasWasm);
  return { one: side, two: attach(invite()) };
}

/** Calls a function just before a method of a thread's loops runs for the first time. */
function before<K extends 'claimFrames' | 'claimLinear' | 'cas64' | 'take'>(
  { loops }: Side,
  name: K,
  first: () => void,
): void {
  const call = loops[name].bind(loops) as (...given: unknown[]) => never;
  Object.assign(loops, {
    [name]: (...given: unknown[]) => {
      Object.assign(loops, { [name]: call });
      first();
      return call(...given);
    },
  });
}

function codeOf(call: () => unknown): string {
  try {
    call();
    return 'done';
  } catch (error) {
    if (error instanceof VmError) return error.code;
    throw error;
  }
}

/** The physical address of a page's entry of the last level. */
function entryAt({ table }: Side, va: bigint): bigint {
  const last = table.walk(va).steps.at(-1);
  if (last === undefined) throw new Error('no table');
  return last.address;
}

describe.each([
  ['WebAssembly', true],
  ['JavaScript', false],
])('two threads on one page table, with loops in %s', (_name, hasWasm) => {
  test('map neighbouring pages of the same tables', () => {
    const { one, two } = pair(hasWasm);
    one.table.map(VA, [1, 2, 3], RW);
    two.table.map(VA + 3n * PAGE, Float64Array.of(4, 5), RW);
    two.table.mapWords(0xffffc900, 5 * 4096, 6, RW);
    for (const { table } of [one, two])
      expect([0, 1, 2, 3, 4, 5].map((i) => table.translateWords(0xffffc900, i * 4096))).toEqual([
        1, 2, 3, 4, 5, 6,
      ]);
    expect(wrongCounts(one)).toEqual([]);
    expect(tablesOf(one)).toBe(4);
  });

  test('race for a page: the first one has it, and the other gets EBUSY and takes its own back', () => {
    const { one, two } = pair(hasWasm);
    one.table.map(VA + 9n * PAGE, [9], RW);
    before(two, 'claimFrames', () => one.table.map(VA + 5n * PAGE, [0x55], RW));
    expect(codeOf(() => two.table.map(VA, [10, 11, 12, 13, 14, 15, 16], RW))).toBe('EBUSY');
    expect([0, 1, 4, 5, 6, 9].map((i) => one.table.translateWords(0xffffc900, i * 4096))).toEqual([
      -1, -1, -1, 0x55, -1, 9,
    ]);
    expect(wrongCounts(one)).toEqual([]);
    // A linear range and a single page, too.
    before(two, 'claimLinear', () => one.table.map(VA + 7n * PAGE, [0x77], RW));
    expect(codeOf(() => two.table.mapRange(VA + 6n * PAGE, 0n, 2n * PAGE, RW))).toBe('EBUSY');
    before(two, 'cas64', () => one.table.map(VA + 6n * PAGE, [0x66], RW));
    expect(codeOf(() => two.table.mapWords(0xffffc900, 6 * 4096, 1, RW))).toBe('EBUSY');
    expect([6, 7].map((i) => two.table.translateWords(0xffffc900, i * 4096))).toEqual([0x66, 0x77]);
    expect(wrongCounts(one)).toEqual([]);
  });

  test('race for a table: one is linked, and the frame of the other goes back at once', () => {
    const { one, two } = pair(hasWasm);
    before(two, 'cas64', () => one.table.map(VA, [1], RW));
    two.table.map(VA + PAGE, [2], RW);
    expect([0, 1].map((i) => one.table.translateWords(0xffffc900, i * 4096))).toEqual([1, 2]);
    expect(tablesOf(one)).toBe(4);
    expect(one.frames.stats().allocated).toBe(4);
    expect(wrongCounts(one)).toEqual([]);
  });

  test('race for a block: the loser finds a leaf where its table should be', () => {
    const { one, two } = pair(hasWasm);
    one.table.map(VA + (1n << 30n) - PAGE, [1], RW);
    before(two, 'cas64', () => one.table.mapRange(VA, 0n, 1 << 21, RW));
    expect(codeOf(() => two.table.map(VA, [2], RW))).toBe('EBUSY');
    expect(two.table.translateWords(0xffffc900, 0)).toBe(0);
    expect(wrongCounts(one)).toEqual([]);
  });

  test('a failed call takes its tables out again, but not one that another thread has mapped into', () => {
    const { one, two } = pair(hasWasm);
    const far = VA + (1n << 39n);
    before(two, 'claimFrames', () => one.table.map(far + 4n * PAGE, [4], RW));
    expect(
      codeOf(() =>
        two.table.mapMany([
          { va: far, frames: [1, 2], protection: RW },
          { va: far + (1n << 30n), frames: [1], protection: RW },
          { va: far + 4n * PAGE, frames: [1], protection: RW },
        ]),
      ),
    ).toBe('EBUSY');
    two.group.quiesce();
    one.group.quiesce();
    two.group.quiesce();
    // The root, and three tables of the page of the first thread.
    expect(tablesOf(one)).toBe(4);
    expect(one.frames.stats().allocated).toBe(4);
    expect(wrongCounts(one)).toEqual([]);
  });

  test('unmap the same pages: each is taken once, and the counts are right', () => {
    const { one, two } = pair(hasWasm);
    one.table.map(VA, [1, 2, 3, 4], RW);
    before(two, 'take', () => one.table.unmap(VA + PAGE, 2n * PAGE));
    two.table.unmap(VA, 4n * PAGE);
    expect([0, 1, 2, 3].map((i) => one.table.translateWords(0xffffc900, i * 4096))).toEqual([-1, -1, -1, -1]);
    expect(wrongCounts(one)).toEqual([]);
  });

  test('an unmap whose sink fails brings back only what it took', () => {
    const { one, two } = pair(hasWasm);
    one.table.map(VA, [1, 2, 3, 4], RW);
    before(two, 'take', () => one.table.unmap(VA + PAGE, 2n * PAGE));
    two.flushes.push = () => {
      throw new Error('the sink is broken');
    };
    expect(() => two.table.unmap(VA, 4n * PAGE)).toThrow('the sink is broken');
    expect([0, 1, 2, 3].map((i) => one.table.translateWords(0xffffc900, i * 4096))).toEqual([1, -1, -1, 4]);
    expect(wrongCounts(one)).toEqual([]);
  });

  test('a protect keeps what the MMU notes meanwhile, and leaves cleared what another thread clears', () => {
    const { one, two } = pair(hasWasm);
    const clean = protection({ write: true, accessed: false, dirty: false });
    one.table.map(VA, [1, 2, 3], clean);
    const at = entryAt(one, VA);
    before(two, 'cas64', () => {
      one.memory.write64(at, one.memory.read64(at) | A);
      one.table.unmap(VA + PAGE, PAGE);
      one.memory.write64(at + 16n, one.memory.read64(at + 16n) | A);
    });
    two.table.protect(VA, 3n * PAGE, { global: true });
    expect(one.memory.read64(at) & (A | 0x100n)).toBe(A | 0x100n);
    expect(one.memory.read64(at + 8n)).toBe(0n);
    expect(one.memory.read64(at + 16n) & (A | 0x100n)).toBe(A | 0x100n);
    expect(wrongCounts(one)).toEqual([]);
  });

  test('a block that is split keeps what the MMU notes in it meanwhile', () => {
    const { one, two } = pair(hasWasm);
    one.table.mapRange(VA, 0n, 1 << 21, protection({ write: true, accessed: false, dirty: false }));
    const at = entryAt(one, VA);
    before(two, 'cas64', () => one.memory.write64(at, one.memory.read64(at) | A | D));
    splitLeaves(two.table, VA, PAGE);
    const page = entryAt(one, VA + PAGE);
    expect(page).not.toBe(at);
    expect(one.memory.read64(page) & (A | D)).toBe(A | D);
  });

  test('a callback of applyToRange is called once for each entry, and may map', () => {
    const { one, two } = pair(hasWasm);
    one.table.map(VA, [1], RW);
    let calls = 0;
    applyToRange(two.table, VA, 3n * PAGE, (slot) => {
      calls++;
      if (slot.entry === 0n) slot.setLeaf(7, RW);
    });
    expect(calls).toBe(3);
    expect([0, 1, 2].map((i) => one.table.translateWords(0xffffc900, i * 4096))).toEqual([1, 7, 7]);
    expect(wrongCounts(one)).toEqual([]);
  });

  test('a flush reaches the own sink at once, and those of others at their quiescent point', () => {
    const { one, two } = pair(hasWasm);
    one.table.map(VA, [1], RW);
    one.table.unmap(VA, PAGE);
    expect(one.flushes).toEqual([[VA, PAGE]]);
    expect(two.flushes).toEqual([]);
    two.group.quiesce();
    expect(two.flushes).toEqual([[VA, PAGE]]);
  });

  test('the frame of a table is free only after every thread has passed a quiescent point', () => {
    const { one, two } = pair(hasWasm);
    one.table.map(VA, [1], RW);
    expect(one.frames.stats().allocated).toBe(4);
    one.table.unmap(VA, PAGE, { reclaim: true });
    expect(tablesOf(one)).toBe(1);
    one.group.quiesce();
    expect(one.frames.stats().allocated, 'the other thread may stand in the tables').toBe(4);
    two.group.quiesce();
    one.group.quiesce();
    expect(one.frames.stats().allocated).toBe(1);
  });

  test('a batch owes its flush, and its tables wait for all threads after it', () => {
    const { one, two } = pair(hasWasm);
    one.table.map(VA, [1], RW);
    const batch = flushBatch(one.table);
    one.table.unmap(VA, PAGE, { batch, reclaim: true });
    two.group.quiesce();
    expect(two.flushes).toEqual([]);
    batch.done();
    one.group.quiesce();
    expect(one.frames.stats().allocated).toBe(4);
    two.group.quiesce();
    one.group.quiesce();
    expect(two.flushes).toHaveLength(1);
    expect(one.frames.stats().allocated).toBe(1);
  });

  test('prepared tables serve both, and destroy frees all', () => {
    const { one, two } = pair(hasWasm);
    expect(prepareTables(one.table, VA, 1 << 21)).toBe(3);
    expect(prepareTables(two.table, VA, 1 << 21)).toBe(0);
    two.table.map(VA, [1], RW);
    expect(codeOf(() => one.table.destroy())).toBe('EBUSY');
    expect(two.group.leave()).toBe(true);
    one.table.destroy();
    one.group.quiesce();
    expect(one.frames.stats().allocated).toBe(0);
  });
});

test('a page table that was made without threads is not described, nor a memory for one thread', () => {
  const { side } = firstSide(false);
  const { memory, frames } = side;
  const alone = new PageTable({ format, memory, frames });
  expect(() => describeTable(alone)).toThrow(/^EINVAL: this page table is for one thread/);
  expect(() => describeMemory(PhysicalMemory.create({ bytes: 4096 }))).toThrow(
    /^EINVAL.*threads cannot share a bank/,
  );
});

test('threads need shared memory and shared frames', () => {
  const { side } = firstSide(false);
  const threads = { tables: side.threads };
  const memory = PhysicalMemory.create({ bytes: 1 << 16 });
  const frames = new FrameAllocator(memory);
  expect(() => new PageTable({ format, memory, frames, threads })).toThrow(/^EINVAL: threads share memory/);
});
