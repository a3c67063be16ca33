import { describe, expect, test } from 'vitest';
import { FreeSpace, NOTHING_FITS } from '../../src/area/free-space.js';
import { takePercpu } from '../../src/area/percpu-areas.js';
import { type Hull, VmapNodes, type Waiting } from '../../src/area/vmap-nodes.js';
import { LinuxTree } from './support/linux-tree.js';
import { shape, shapeOf } from './support/shape.js';

const SPACE = 2 ** 52;
const START = 2 ** 24;
const WINDOW = { vstart: START, vend: START + 2 ** 20 };

function areas(cpus: number) {
  const free = new FreeSpace(SPACE);
  const nodes = new VmapNodes(free, cpus);
  const take = (size: number): number => free.take(size, 1, WINDOW.vstart, WINDOW.vend);
  return { free, nodes, take };
}

/** What a purge flushes, and the number that it returns. */
function purged(nodes: VmapNodes): { hull: Hull | null; areas: number } {
  let hull: Hull | null = null;
  const areas = nodes.purge(false, (one) => {
    hull = one;
  });
  return { hull, areas };
}

describe('one processor', () => {
  test('reuses freed addresses only after a purge', () => {
    const { nodes, take } = areas(1);
    const first = take(2);
    nodes.add({ start: first, size: 2, node: -1 });
    expect(nodes.lazyPages).toBe(2);
    const second = take(2);
    expect(second).toBe(first + 2);
    expect(purged(nodes)).toEqual({ hull: { start: first, end: first + 2 }, areas: 1 });
    expect(nodes.lazyPages).toBe(0);
    expect(take(2)).toBe(first);
  });

  test('purges the hull of what was freed, and has no pools', () => {
    const { nodes, take } = areas(1);
    const starts = Array.from({ length: 5 }, () => take(3));
    for (const i of [3, 1]) nodes.add({ start: starts[i] as number, size: 3, node: -1 });
    expect(purged(nodes)).toEqual({
      hull: { start: starts[1], end: (starts[3] as number) + 3 },
      areas: 2,
    });
    expect(nodes.pooled).toBe(0);
    expect(nodes.take(0, 3, 1)).toBe(-1);
    expect(purged(nodes)).toEqual({ hull: null, areas: 0 });
  });
});

describe('a purge', () => {
  test('gives ranges without a pool back to the tree from the highest address down', () => {
    const { free, nodes, take } = areas(1);
    const model = new LinuxTree(0.5, SPACE - 0.5);
    const starts = Array.from({ length: 15 }, () => take(2));
    for (const _start of starts) model.take(2, 1, WINDOW.vstart, WINDOW.vend);
    const freed = [1, 3, 5, 7, 9, 11, 13].map((i) => starts[i] as number);
    for (const start of freed) nodes.add({ start, size: 2, node: -1 });
    nodes.purge(false);
    for (const start of freed.toReversed()) model.give(start, start + 2);
    expect(shape(free.tree)).toBe(shapeOf(model));
  });
});

describe('a purge whose flush throws', () => {
  test('leaves everything waiting, also what the flush freed itself', () => {
    const { nodes, take } = areas(1);
    const [first, second] = [take(2), take(3)];
    nodes.add({ start: first, size: 2, node: -1 });
    const stop = new Error('stop');
    const flush = () => {
      nodes.add({ start: second, size: 3, node: -1 });
      throw stop;
    };
    expect(() => nodes.purge(false, flush)).toThrow(stop);
    expect(nodes.state(0).lazy.map(({ start }) => start)).toEqual([first, second]);
    expect(nodes.lazyPages).toBe(5);
    expect(purged(nodes)).toEqual({ hull: { start: first, end: second + 3 }, areas: 2 });
    expect([nodes.lazyPages, take(5)]).toEqual([0, first]);
  });
});

describe('several processors', () => {
  const freed = (start: number, size: number, node: number): Waiting => ({ start, size, node });

  test('a purge moves ranges of up to 256 pages to the pool of their node, the highest at the head', () => {
    const { nodes, take } = areas(2);
    const small = [take(4), take(4), take(4)];
    const large = take(257);
    const foreign = take(4);
    for (const start of small) nodes.add(freed(start, 4, 1));
    nodes.add(freed(large, 257, 1));
    nodes.add(freed(foreign, 4, -1));
    nodes.purge(false);
    expect(nodes.pooled).toBe(3);
    expect(nodes.take(0, 4, 1)).toBe(-1);
    expect([1, 2, 3, 4].map(() => nodes.take(1, 4, 1))).toEqual([small[2], small[1], small[0], -1]);
    expect(take(257)).toBe(large);
  });

  test('take moves a head of a pool that is not aligned to its tail, and takes nothing', () => {
    const { nodes } = areas(2);
    for (const start of [START, START + 16, START + 33]) nodes.add(freed(start, 5, 0));
    nodes.purge(false);
    expect(nodes.take(0, 5, 16)).toBe(-1);
    expect(nodes.state(0).pools[4]?.map(({ start }) => start)).toEqual([START + 16, START, START + 33]);
    expect(nodes.take(0, 5, 16)).toBe(START + 16);
  });

  test('a purge first takes a quarter out of each pool, and everything out of a pool of fewer than four', () => {
    const { free, nodes, take } = areas(2);
    const eight = Array.from({ length: 8 }, () => take(2));
    const three = Array.from({ length: 3 }, () => take(7));
    for (const start of eight) nodes.add(freed(start, 2, 0));
    for (const start of three) nodes.add(freed(start, 7, 0));
    nodes.purge(false);
    expect(nodes.pooled).toBe(11);
    nodes.purge(false);
    expect(nodes.state(0).pools[1]?.map(({ start }) => start)).toEqual(eight.slice(0, 6).reverse());
    expect(nodes.state(0).pools[6]).toEqual([]);
    // The two from the head of one pool and the three of the other are adjacent: one range.
    expect(free.tree.size).toBe(2);
  });

  test('a full purge empties the pools and fills none, and so does shrink', () => {
    for (const empty of [(n: VmapNodes) => void n.purge(true), (n: VmapNodes) => n.shrink()]) {
      const { free, nodes, take } = areas(3);
      for (let i = 0; i < 9; i++) nodes.add(freed(take(4), 4, i % 3));
      nodes.purge(false);
      expect(nodes.pooled).toBe(9);
      const last = freed(take(4), 4, 0);
      nodes.add(last);
      empty(nodes);
      expect(nodes.pooled).toBe(0);
      nodes.purge(true);
      expect(nodes.pooled).toBe(0);
      expect(free.tree.size).toBe(1);
    }
  });

  test('a range without an owner waits at the node of its address, in zones of 16 pages', () => {
    const { nodes } = areas(4);
    for (const i of [0, 15, 16, 47, 64]) nodes.add(freed(START + i, 1, -1));
    expect([0, 1, 2, 3].map((node) => nodes.state(node).lazy.map(({ start }) => start - START))).toEqual([
      [0, 15, 64],
      [16],
      [47],
      [],
    ]);
  });
});

describe('per-cpu areas', () => {
  const request = { offsets: [0], sizes: [512], align: 512, ...WINDOW };

  test('are taken from the top of the window down', () => {
    const { free } = areas(1);
    expect(takePercpu(free, request)).toBe(WINDOW.vend - 512);
    expect(takePercpu(free, request)).toBe(WINDOW.vend - 1024);
  });

  test('keep the distances between their parts around what is taken', () => {
    const { free } = areas(1);
    const pair = { ...request, offsets: [0, 4096], sizes: [512, 1024] };
    const base = takePercpu(free, pair);
    expect(base).toBe(WINDOW.vend - 5120);
    expect(free.give(base, base + 512)).toBe(true);
    // The upper half is taken now: the next pair goes below it, its upper part between the two.
    const next = takePercpu(free, pair);
    expect(next).toBe(base - 1024);
    expect(free.enclosing(next + 4096) === free.enclosing(base)).toBe(true);
  });

  test('pass over a free range that holds no aligned place', () => {
    const { free } = areas(1);
    const small = { ...request, sizes: [1], align: 1 };
    // Taken from the top: 100 pages, then 300 that become free again, then 113.
    takePercpu(free, { ...small, sizes: [100] });
    const hole = takePercpu(free, { ...small, sizes: [300] });
    takePercpu(free, { ...small, sizes: [113] });
    free.give(hole, hole + 300);
    expect(takePercpu(free, request)).toBe(WINDOW.vend - 1536);
    expect(takePercpu(free, { ...small, sizes: [300] })).toBe(hole);
  });

  test('take nothing where they do not fit', () => {
    const { free } = areas(1);
    const { size } = free.tree;
    expect(takePercpu(free, { ...request, sizes: [2 ** 20 + 512] })).toBe(-1);
    expect(takePercpu(free, { ...request, offsets: [0, 2 ** 20], sizes: [512, 512] })).toBe(-1);
    expect(free.tree.size).toBe(size);
  });
});

describe('a replay that learns from a recording', () => {
  test('finds the page that a request would take, and takes nothing', () => {
    const { free, take } = areas(1);
    const hole = take(8);
    const behind = take(2);
    free.give(hole, hole + 8);
    const { vstart, vend } = WINDOW;
    const before = shape(free.tree);
    for (const [size, align] of [
      [2, 1],
      [8, 8],
      [9, 1],
    ] as const) {
      const found = free.find(size, align, vstart, vend);
      expect(shape(free.tree)).toEqual(before);
      expect(found).toBe(size === 9 ? behind + 2 : hole);
      expect(free.take(size, align, vstart, vend)).toBe(found);
      free.give(found, found + size);
    }
    expect(free.find(2 ** 20, 1, vstart, vend)).toBe(-2);
    expect(free.find(2 ** 52, 1, vstart, vend)).toBe(NOTHING_FITS);
  });

  test('looks at the head of a pool, and puts back what it took from there', () => {
    const { nodes, take } = areas(2);
    const starts = [take(2), take(2)] as const;
    for (const start of starts) nodes.add({ start, size: 2, node: 1 });
    expect(nodes.head(1, 2)).toBe(-1);
    purged(nodes);
    const [, last] = starts;
    expect(nodes.head(1, 2)).toBe(last);
    expect(nodes.take(1, 2, 1)).toBe(last);
    nodes.untake(1, { start: last, size: 2, node: 1 });
    expect([nodes.head(1, 2), nodes.head(0, 2), nodes.head(1, 3), nodes.head(2, 2)]).toEqual([
      last,
      -1,
      -1,
      -1,
    ]);
    expect(nodes.state(1).pools[1]?.map(({ start }) => start)).toEqual([...starts].reverse());
  });

  test('withdraws what overlaps some pages from pools and lazy lists, and nothing else', () => {
    const { nodes, take } = areas(2);
    const starts = Array.from({ length: 6 }, () => take(4));
    const ranges = starts.map((start) => ({ start, size: 4, node: 0 }));
    for (const range of ranges.slice(0, 3)) nodes.add(range);
    purged(nodes);
    for (const range of ranges.slice(3)) nodes.add(range);
    expect([nodes.pooled, nodes.lazyPages]).toEqual([3, 12]);
    const first = starts[0] as number;
    // From the last page of the second range to the first of the fifth.
    const taken = nodes.withdraw(first + 7, first + 17);
    expect(taken.map(({ start }) => start).sort()).toEqual(starts.slice(1, 5));
    expect([nodes.pooled, nodes.lazyPages]).toEqual([1, 4]);
    expect(nodes.withdraw(first + 4, first + 20)).toEqual([]);
  });
});
