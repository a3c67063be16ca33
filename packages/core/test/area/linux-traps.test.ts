import { thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import type { Area } from '../../src/area/area.js';
import type { VmapAreasOptions } from '../../src/area/areas-options.js';
import { FreeSpace } from '../../src/area/free-space.js';
import { VmapAreas } from '../../src/area/vmap-areas.js';
import { VmapBlocks } from '../../src/area/vmap-blocks.js';
import { VmapNodes } from '../../src/area/vmap-nodes.js';

/* What a second implementation of Linux's areas gets wrong most easily, one test each. */

const START = 0xffffc90000000000n;
const X86: VmapAreasOptions = {
  window: { start: START, end: 0xffffe8ffffffffffn },
  pageShift: 12,
  guardBytes: 0x1000,
  ioremapMaxOrder: 30,
};

describe('as in Linux', () => {
  test("the last page of x86-64's window stays unused, since VMALLOC_END is its last byte", () => {
    const end = 0xffffe8ffffffffffn;
    const areas = new VmapAreas({ ...X86, window: { start: end - 0x3fffn, end }, guardBytes: 0 });
    expect(areas.stats().freeBytes).toBe(0x3000n);
    areas.reserve(0x3000);
    expect(thrown(() => areas.reserve(0x1000))).toMatch(/^ENOMEM/);
  });

  test('vmallocinfo and the pages that wait count the guard; bytes of an area does not', () => {
    const areas = new VmapAreas(X86);
    const area = areas.reserve(0x4000);
    expect(area.bytes).toBe(0x4000n);
    expect(areas.vmallocinfo()).toContain('   20480');
    areas.free(area);
    expect(areas.lazyPages).toBe(5);
  });

  test('every address inside an area and its guard finds it', () => {
    const areas = new VmapAreas(X86);
    const area = areas.reserve(0x4000);
    for (const offset of [0n, 1n, 0x3fffn, 0x4000n, 0x4fffn])
      expect(areas.find(area.address + offset)).toBe(area);
    expect(areas.find(area.address + 0x5000n)).toBeUndefined();
  });

  test('a device range is aligned to its size rounded up to a power of two, guard excluded, whatever alignment is requested', () => {
    const areas = new VmapAreas(X86);
    areas.reserve(0x1000);
    const area = areas.reserve(0x30000, { ioremap: true, align: 0x1000n });
    expect(area.address).toBe(START + 0x40000n);
    expect(area.bytes + BigInt(area.guardBytes)).toBe(0x31000n);
  });

  test('a request with a large alignment gets what the search meets in the tree, which need not be the lowest fit', () => {
    // 4 aligned pages fit at 16. But the search pads: it passes over what holds less than 4 + 4 − 1 pages.
    const free = new FreeSpace(2 ** 52, [
      { start: 0.5, size: 15.5 },
      { start: 20, size: 44 },
      { start: 65, size: 100 },
    ]);
    expect(free.take(4, 4, 16, 2 ** 20)).toBe(168);
    expect(free.take(4, 1, 16, 2 ** 20)).toBe(16);
  });

  test('a split keeps the old node on the right; a merge with both neighbours keeps the left one', () => {
    const free = new FreeSpace(2 ** 52);
    const { tree } = free;
    const node = tree.root;
    free.take(10, 1, 100, 1000);
    expect(tree.start[node]).toBe(110);
    const before = tree.previous(node);
    expect(tree.end[before]).toBe(100);
    free.give(100, 110);
    expect(tree.root).toBe(before);
    expect(tree.size).toBe(1);
  });

  test('freed ranges are reused only after a purge, by size, the newest first, one candidate per request', () => {
    const areas = new VmapAreas({ ...X86, cpus: 2 });
    const list = [0, 1, 2].map(() => areas.reserve(0x1000, { cpu: 1 }));
    for (const area of list) areas.free(area);
    const fresh = areas.reserve(0x1000, { cpu: 1 });
    expect(list.map(({ address }) => address)).not.toContain(fresh.address);
    areas.purge();
    // Neither another size nor another processor finds them.
    expect(areas.reserve(0x2000, { cpu: 1 }).address).toBeGreaterThan(fresh.address);
    expect(areas.reserve(0x1000, { cpu: 0 }).address).toBeGreaterThan(fresh.address);
    // The head, START + 0x4000, is not aligned to 32 KiB: it goes to the tail, and the tree serves.
    expect(areas.reserve(0x1000, { cpu: 1, align: 0x8000n }).address % 0x8000n).toBe(0n);
    expect(areas.reserve(0x1000, { cpu: 1 }).address).toBe(list[1]?.address);
  });

  test('a purge takes a quarter of a pool from its head, rounded down; in 6.12 all of a pool of fewer than four', () => {
    for (const [pooled, left] of [
      [3, 0],
      [4, 3],
      [7, 6],
      [8, 6],
    ] as const) {
      const nodes = new VmapNodes(new FreeSpace(2 ** 52, [{ start: 1000, size: 16 }]), 2);
      for (let i = 0; i < pooled; i++) nodes.add({ start: 1000 + 2 * i, size: 1, node: 0 });
      expect(nodes.purge(false)).toBe(pooled);
      for (const _ of nodes.decay(0, false));
      expect(nodes.pooled).toBe(left);
      const starts = nodes.state(0).pools[0]?.map(({ start }) => start) ?? [];
      expect(starts).toEqual(Array.from({ length: left }, (_, i) => 1000 + 2 * (left - 1 - i)));
    }
  });

  test('a pool belongs to the processor that asks, a live area to the node of its address, a freed range to the node in its flags', () => {
    const areas = new VmapAreas({ ...X86, cpus: 4 });
    // In the zone of node 0, requested by processor 3.
    const area = areas.reserve(0x1000, { cpu: 3 });
    areas.reserve(0xe000, { cpu: 0 });
    const other = areas.reserve(0x1000, { cpu: 0 });
    expect(areas.vmallocinfo().split('\n')[0]).toContain(area.address.toString(16));
    areas.free(other);
    areas.free(area);
    // What waits at node 0 is listed before node 3, though its address is higher.
    const waiting = areas.vmallocinfo().split('\n').slice(1, 3);
    expect(waiting[0]).toContain(other.address.toString(16));
    areas.purge();
    expect(areas.reserve(0x1000, { cpu: 3 }).address).toBe(area.address);
  });

  test('a purge is due above the threshold, not at it, and guards count', () => {
    const areas = new VmapAreas(X86);
    const exact = areas.reserve(8191 * 0x1000);
    const more = areas.reserve(0x1000);
    areas.free(exact);
    expect(areas.lazyPages).toBe(8192);
    areas.free(more);
    expect(areas.lazyPages).toBe(0);
  });

  test('vm_map_ram gives powers of two without a guard, and no slot twice before its block is drained', () => {
    const areas = new VmapAreas(X86);
    const blocks = new VmapBlocks({ areas, blockPages: 256 });
    const first = blocks.reserve(3);
    expect(blocks.reserve(1)).toBe(first + 0x4000n);
    blocks.free(first, 3);
    expect(blocks.reserve(3)).toBe(first + 0x5000n);
    expect(areas.find(first)?.guardBytes).toBe(0);
  });

  test('vmallocinfo goes by node, then by address, and does not show the pools', () => {
    const areas = new VmapAreas({ ...X86, cpus: 2 });
    const list = Array.from({ length: 12 }, () => areas.reserve(0x3000));
    const shown = areas.vmallocinfo().match(/^0x[0-9a-f]+/gm) ?? [];
    expect(shown).toHaveLength(12);
    expect(shown).not.toEqual([...shown].sort());
    areas.free(list[0] as Area);
    expect(areas.vmallocinfo()).toContain('unpurged vm_area');
    areas.purge();
    expect(areas.vmallocinfo()).not.toContain('unpurged');
    expect(areas.vmallocinfo().split('\n')).toHaveLength(12);
  });

  test('per-cpu chunks come from the top of the window and have no guard', () => {
    const areas = new VmapAreas(X86);
    const [chunk] = areas.reservePercpu([0], [0x200000], 0x200000n);
    expect(chunk).toMatchObject({ address: 0xffffe8ffffc00000n, guardBytes: 0 });
    expect(areas.reserve(0x1000).address).toBe(START);
  });
});
