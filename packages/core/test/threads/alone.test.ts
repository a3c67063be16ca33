import { applyToRange, collapseLeaves, protection, splitLeaves } from '@vmarea/core';
import { expect, test } from 'vitest';
import { attach, firstSide, type Side } from './pair.js';

const RW = protection({ write: true });
const VA = 0xffffc90000000000n;
const PAGE = 4096n;
const MIB2 = 1n << 21n;

/** All bytes of the tables. */
function bytesOf({ bank }: Side): string {
  return Buffer.from(new Uint8Array(bank.words.buffer)).toString('base64');
}

/** A block, an empty table and a page. */
function stage(): { one: Side; two: Side } {
  const { side: one, invite } = firstSide(false);
  one.table.mapRange(VA, 0n, MIB2, RW);
  one.table.map(VA + MIB2, [1], RW);
  one.table.unmap(VA + MIB2, PAGE);
  one.table.map(VA + 2n * MIB2, [1], RW);
  return { one, two: attach(invite()) };
}

test.each<[string, (side: Side) => unknown]>([
  ['a split', ({ table }) => splitLeaves(table, VA, PAGE)],
  ['a protect of a part of a block', ({ table }) => table.protect(VA, PAGE, { write: false })],
  ['an unmap of a part of a block', ({ table }) => table.unmap(VA, PAGE)],
  ['a reclaim', ({ table }) => table.reclaim()],
  ['an unmap that frees tables', ({ table }) => table.unmap(VA + 2n * MIB2, PAGE, { reclaim: true })],
  ['a block in the place of an empty table', ({ table }) => table.mapRange(VA + MIB2, 0n, MIB2, RW)],
  ['an applyToRange', ({ table }) => applyToRange(table, VA + MIB2, PAGE, (slot) => slot.setLeaf(1, RW))],
])('%s waits until no other thread is inside', (_name, deed) => {
  const { one, two } = stage();
  const before = bytesOf(one);
  const { wait } = Atomics;
  let during: string | null = null;
  two.group.sections.enter();
  Object.assign(Atomics, {
    wait: () => {
      during = bytesOf(one);
      two.group.sections.leave();
      return 'ok';
    },
  });
  try {
    deed(one);
  } finally {
    Object.assign(Atomics, { wait });
  }
  expect(during, 'it has waited, and changed nothing before').toBe(before);
});

test.each<[string, (side: Side) => unknown]>([
  ['a map', ({ table }) => table.map(VA + 2n * MIB2 + PAGE, [2], RW)],
  ['an unmap', ({ table }) => table.unmap(VA + 2n * MIB2, PAGE)],
  ['a protect', ({ table }) => table.protect(VA, MIB2, { write: false })],
  ['a single page', ({ table }) => table.mapWords(0xffffc900, 0x401000, 2, RW)],
])('%s waits for nobody', (_name, deed) => {
  const { one, two } = stage();
  const before = bytesOf(one);
  two.group.sections.enter();
  deed(one);
  expect(two.group.sections.isInside).toBe(true);
  expect(bytesOf(one)).not.toBe(before);
});

test('a collapse waits, too', () => {
  const { one, two } = stage();
  splitLeaves(one.table, VA, PAGE);
  let hasWaited = false;
  const { wait } = Atomics;
  two.group.sections.enter();
  Object.assign(Atomics, {
    wait: () => {
      hasWaited = true;
      two.group.sections.leave();
      return 'ok';
    },
  });
  try {
    expect(collapseLeaves(one.table, VA, MIB2)).toBe(1);
  } finally {
    Object.assign(Atomics, { wait });
  }
  expect(hasWaited).toBe(true);
});
