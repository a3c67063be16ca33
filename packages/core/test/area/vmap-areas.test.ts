import { thrown } from '@vmarea/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Area } from '../../src/area/area.js';
import { VmapAreas } from '../../src/area/vmap-areas.js';
import type { VmError } from '../../src/errors.js';
import { recorder, X86 } from './support/x86.js';

const PAGE = 0x1000n;

function areasOf(start: bigint, end: bigint, pageShift = 12): VmapAreas {
  return new VmapAreas({ window: { start, end }, pageShift });
}

/** The area that a request gets; `null` when nothing fits. */
function codeOf(ask: () => Area): Area | null {
  try {
    return ask();
  } catch (error) {
    expect((error as VmError).code).toBe('ENOMEM');
    return null;
  }
}

describe('VmapAreas with one processor', () => {
  test('takes the lowest fit and keeps the guard inside the interval', () => {
    const map = areasOf(0x10000n, 0x20000n);
    const a = map.reserve(0x3000, { guardBytes: 0x1000 });
    const b = map.reserve(0x1000n);
    expect(a).toEqual({ address: 0x10000n, bytes: 0x3000n, guardBytes: 0x1000, info: {} });
    expect(b).toEqual({ address: 0x14000n, bytes: 0x1000n, guardBytes: 0, info: {} });
    expect(map.count).toBe(2);
    expect(map.stats().freeBytes).toBe(0x10000n - 0x5000n);
    map.free(a);
    expect(map.stats()).toMatchObject({
      areas: 1,
      busyBytes: 0x1000n,
      lazyBytes: 0x4000n,
      freeBytes: 0x10000n - 0x5000n,
    });
    expect(map.purge()).toBe(1);
    expect(map.stats().freeBytes).toBe(0x10000n - 0x1000n);
    // 4 pages are free below b: a range of 5 does not fit there, one of 4 does.
    expect(map.reserve(0x5000).address).toBe(0x15000n);
    expect(map.reserve(0x4000).address).toBe(0x10000n);
  });

  test('skips to an aligned address, and fills the hole with later requests', () => {
    const map = areasOf(0x1000n, 0x100000n);
    expect(map.reserve(0x1000, { align: 0x10000n }).address).toBe(0x10000n);
    expect(map.reserve(0x1000, { align: 0x10000n }).address).toBe(0x20000n);
    expect(map.reserve(0xf000).address).toBe(0x1000n);
    expect(map.reserve(0xf000).address).toBe(0x11000n);
    expect(map.reserve(0x1000).address).toBe(0x21000n);
  });

  test('finds an area by any address inside it or its guard, and none in between', () => {
    const map = areasOf(0x10000n, 0x20000n);
    const area = map.reserve(0x2000, { align: 0x4000n, guardBytes: 0x1000 });
    map.free(map.reserve(0x1000));
    for (const inside of [0x10000n, 0x11fffn, 0x12000n, 0x12fffn]) expect(map.find(inside)).toBe(area);
    for (const outside of [-0x20000n, 1n << 64n, (1n << 64n) + 0x10000n])
      expect(thrown(() => map.find(outside))).toMatch(/^ERANGE: the address .* is outside 64 bits/);
    expect(thrown(() => map.find(0x10000 as unknown as bigint))).toMatch(
      /^EINVAL: the address is 65536, expected a bigint/,
    );
    for (const outside of [0n, 0xffffn, 0x13000n, 0x1ffffn, 0x20000n, 0xffffffffffffffffn]) {
      expect(map.find(outside)).toBeUndefined();
    }
  });

  test('never uses the last page of a window whose end is its last byte', () => {
    const map = areasOf(0xffffe8ffffffc000n, 0xffffe8ffffffffffn);
    expect(map.stats().freeBytes).toBe(0x3000n);
    expect(map.reserve(0x3000).address).toBe(0xffffe8ffffffc000n);
    expect(thrown(() => map.reserve(0x1000))).toMatch(/^ENOMEM/);
  });

  test('rounds an unaligned start up, and never uses the first and the last page of the address space', () => {
    const map = areasOf(0xffffffffffff8001n, 1n << 64n);
    const area = map.reserve(0x6000);
    expect(area.address).toBe(0xffffffffffff9000n);
    expect(map.find(0xffffffffffffefffn)).toBe(area);
    expect(thrown(() => map.reserve(0x1000))).toMatch(/^ENOMEM/);
    expect(areasOf(0n, 0x100000n).reserve(0x1000).address).toBe(0x1000n);
  });

  test('counts in pages of the given size', () => {
    const map = areasOf(0xffff800080000000n, 0xffff800090000000n, 16);
    expect(map.reserve(0x10000, { guardBytes: 0x10000 }).address).toBe(0xffff800080000000n);
    expect(map.reserve(0x10000).address).toBe(0xffff800080020000n);
    expect(thrown(() => map.reserve(0x1000))).toBe(
      'EINVAL: size 4096 is not a multiple of the page size 0x0000000000010000',
    );
  });

  test('iterates by address, and the caller may free on the way', () => {
    const map = areasOf(0x100000n, 0x200000n);
    const first = map.reserve(0x2000);
    const high = map.reserve(0x1000, { align: 0x8000n });
    const low = map.reserve(0x1000);
    expect([...map]).toEqual([first, low, high]);
    for (const area of map) map.free(area);
    map.purge();
    expect(map.count).toBe(0);
    expect(map.stats().freeBytes).toBe(0x100000n);
    expect(map.reserve(0x100000).address).toBe(0x100000n);
  });

  test.each<[string, () => unknown, RegExp]>([
    ['a window without a page', () => areasOf(0x1000n, 0x1fffn), /^EINVAL.*no page/],
    ['a window that ends before it starts', () => areasOf(0x9000n, 0x1000n), /^EINVAL/],
    ['a negative start', () => areasOf(-1n, 0x1000n), /^ERANGE: window.start -0x1 is outside 64 bits/],
    [
      'an end above 2^64',
      () => areasOf(0n, (1n << 64n) + 1n),
      /^ERANGE: window.end 0x10000000000000001 is outside 64 bits/,
    ],
    ['a page shift of 11', () => areasOf(0n, 0x1000n, 11), /^EINVAL: pageShift is 11, expected 12 to 16/],
    ['a size of 0', () => small().reserve(0), /^EINVAL.*at least one page/],
    ['a size that is no multiple of the page', () => small().reserve(0x1001), /^EINVAL: size 4097/],
    ['a negative size', () => small().reserve(-0x1000n), /^EINVAL: the size is -4096n/],
    ['a fractional size', () => small().reserve(0.5), /^EINVAL: the size is 0.5/],
    [
      'guard that is no number',
      () => small().reserve(0x1000, { guardBytes: 0x1000n as unknown as number }),
      /^EINVAL: guardBytes is 4096n, expected a number of bytes, 0 or more/,
    ],
    [
      'usual guard that is no number',
      () => new VmapAreas({ ...X86, guardBytes: 0x1000n as unknown as number }),
      /^EINVAL: guardBytes is 4096n/,
    ],
    [
      'a window of the last byte',
      () => areasOf((1n << 64n) - 1n, 1n << 64n),
      /ff .. 0x10000000000000000 holds no/,
    ],
    [
      'alignment of all',
      () => small().reserve(0x1000, { align: 1n << 64n }),
      /alignment 0x10000000000000000 /,
    ],
    ['a negative alignment', () => small().reserve(0x1000, { align: -1n }), /^EINVAL: the alignment is -1n/],
    [
      'a guard that is no multiple of the page',
      () => small().reserve(0x1000, { guardBytes: 1 }),
      /^EINVAL: guardBytes is 1, expected a multiple of the page size 0x0000000000001000/,
    ],
    [
      'an alignment that is no power of two',
      () => small().reserve(0x1000, { align: 0x3000n }),
      /^EINVAL: the alignment is 12288n/,
    ],
    ['an alignment below a page', () => small().reserve(0x1000, { align: 1n }), /^EINVAL: alignment/],
    ['an alignment of 0', () => small().reserve(0x1000, { align: 0n }), /^EINVAL: the alignment is 0n/],
    [
      'a size that does not fit',
      () => small().reserve(0x5000),
      /^ENOMEM.*20480 bytes.*0x0+1000.*0x0+8000 .. 0x0+c000/,
    ],
    [
      'a guard that does not fit',
      () => small().reserve(0x4000, { guardBytes: 0x1000 }),
      /^ENOMEM.*guard of 4096/,
    ],
    [
      'an alignment that no free range has',
      () => small().reserve(0x1000, { align: 0x10000n }),
      /^ENOMEM.*aligned to 0x0+10000/,
    ],
  ])('refuses %s', (_, action, message) => {
    expect(thrown(action)).toMatch(message);
  });

  function small(): VmapAreas {
    return areasOf(0x8000n, 0xc000n);
  }

  test('frees only an area that is live in this very object', () => {
    const map = small();
    const area = map.reserve(0x1000);
    const other = small();
    const twin = other.reserve(0x1000);
    expect(thrown(() => map.free(twin))).toMatch(/^EINVAL at 0x0000000000008000: the area is not live/);
    for (const none of [{ ...area }, undefined, null, {}, { address: 5 }])
      expect(thrown(() => map.free(none as Area))).toMatch(/^EINVAL.*not live here/);
    map.free(area);
    expect(thrown(() => map.free(area))).toMatch(/^EINVAL/);
    map.purge();
    const again = map.reserve(0x1000);
    expect(again.address).toBe(area.address);
    expect(thrown(() => map.free(area))).toMatch(/^EINVAL/);
    expect(map.count).toBe(1);
  });

  test('does what a plain array of taken pages does', () => {
    const PAGES = 48;
    const step = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({
          pages: fc.integer({ min: 1, max: 9 }),
          guard: fc.integer({ min: 0, max: 2 }),
          align: fc.constantFrom(1, 1, 2, 4, 8, 16),
        }),
      },
      { weight: 2, arbitrary: fc.record({ victim: fc.nat() }) },
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 17 }), fc.array(step, { maxLength: 60 }), (offset, steps) => {
        const base = 0xffffc90000000000n + BigInt(offset) * PAGE;
        const map = areasOf(base, base + BigInt(PAGES) * PAGE);
        const owner: (Area | undefined)[] = new Array(PAGES).fill(undefined);
        const live: Area[] = [];
        for (const one of steps) {
          if ('victim' in one) {
            const area = live.splice(one.victim % (live.length || 1), 1)[0];
            if (area === undefined) continue;
            map.free(area);
            map.purge();
            owner.forEach((a, i) => {
              if (a === area) owner[i] = undefined;
            });
          } else {
            const total = one.pages + one.guard;
            let expected = -1;
            for (let p = 0; p + total <= PAGES && expected < 0; p++) {
              if ((offset + p) % one.align === 0 && owner.slice(p, p + total).every((o) => o === undefined))
                expected = p;
            }
            const ask = (): Area =>
              map.reserve(BigInt(one.pages) * PAGE, {
                align: BigInt(one.align) * PAGE,
                guardBytes: one.guard * 0x1000,
              });
            const found = codeOf(ask);
            if (one.align === 1)
              expect(found === null ? -1 : Number((found.address - base) / PAGE)).toBe(expected);
            // A search that pads may miss a range that fits.
            if (expected < 0) expect(found).toBeNull();
            if (found === null) continue;
            const place = Number((found.address - base) / PAGE);
            expect(found.address % (BigInt(one.align) * PAGE)).toBe(0n);
            expect(owner.slice(place, place + total).every((o) => o === undefined)).toBe(true);
            owner.fill(found, place, place + total);
            live.push(found);
          }
          for (let p = -1; p <= PAGES; p++) {
            expect(map.find(base + BigInt(p) * PAGE)).toBe(owner[p]);
            expect(map.find(base + BigInt(p + 1) * PAGE - 1n)).toBe(owner[p]);
          }
          expect(map.stats().freeBytes).toBe(BigInt(owner.filter((o) => o === undefined).length) * PAGE);
          expect(map.count).toBe(live.length);
          expect([...map]).toEqual([...new Set(owner.filter((o) => o !== undefined))]);
        }
      }),
      { numRuns: 150, seed: 5 },
    );
  });
});

describe("VmapAreas with Linux's options for x86-64", () => {
  test('gives the addresses that Linux gives', () => {
    const areas = new VmapAreas(X86);
    const first = areas.reserve(0x1000);
    expect(first.address).toBe(0xffffc90000000000n);
    expect(areas.reserve(0x3000).address).toBe(0xffffc90000002000n);
    // Aligned to its own size without the guard; the hole stays.
    expect(areas.reserve(0x10000, { ioremap: true }).address).toBe(0xffffc90000010000n);
    expect(areas.reserve(0x1000).address).toBe(0xffffc90000006000n);
    areas.free(first);
    expect(areas.reserve(0x1000).address).toBe(0xffffc90000008000n);
    areas.purge();
    expect(areas.reserve(0x1000).address).toBe(0xffffc90000000000n);
  });

  test('aligns a device range to its size, at most to the largest order, at least to a page', () => {
    const areas = new VmapAreas(X86);
    areas.reserve(0x1000);
    expect(areas.reserve(3 * 2 ** 30, { ioremap: true }).address).toBe(0xffffc90040000000n);
    expect(areas.reserve(0x3000, { ioremap: true }).address).toBe(0xffffc90000004000n);
    expect(areas.reserve(0x1000, { ioremap: true }).address).toBe(0xffffc90000002000n);
  });

  test('takes a request for another window', () => {
    const areas = new VmapAreas(X86);
    const window = { start: 0xffffffffc0000000n, end: 0xffffffffff000000n };
    expect(areas.reserve(0x2000, { window }).address).toBe(0xffffffffc0000000n);
    expect(areas.reserve(0x2000, { window, align: 0x200000n }).address).toBe(0xffffffffc0200000n);
    expect(thrown(() => areas.reserve(0x1000, { window: { start: 5n, end: 6n } }))).toMatch(
      /^EINVAL.*no page/,
    );
  });
});

describe('stats count the free ranges', () => {
  test('of the window alone, each up to its ends', () => {
    const areas = areasOf(0x10000n, 0x20000n);
    expect(areas.stats()).toMatchObject({ freeRanges: 1, freeBytes: 0x10000n, largestFree: 0x10000n });
    const [first] = [areas.reserve(0x3000), areas.reserve(0x1000)];
    areas.cancel(first as Area);
    expect(areas.stats()).toMatchObject({ freeRanges: 2, freeBytes: 0xf000n, largestFree: 0xc000n });
  });

  test('and none where the window is full', () => {
    const areas = areasOf(0x10000n, 0x20000n);
    areas.reserve(0x10000);
    expect(areas.stats()).toMatchObject({ freeRanges: 0, freeBytes: 0n, largestFree: 0n });
    expect(areas.freeRanges).toBe(2);
  });

  test('and not the part of the first page, which lacks a byte', () => {
    const early = [{ address: 0x1000n, bytes: 0x1000 }];
    const areas = new VmapAreas({ window: { start: 0n, end: 0x4000n }, pageShift: 12, early });
    expect(areas.stats()).toMatchObject({ areas: 1, freeRanges: 1, freeBytes: 0x2000n });
  });
});

describe('cancel', () => {
  test('frees the addresses of an area and its guard at once', () => {
    const sink = recorder();
    const areas = new VmapAreas({ ...X86, sink, cpus: 2 });
    const [first, second] = [areas.reserve(0x3000), areas.reserve(0x1000, { cpu: 1 })];
    areas.cancel(first);
    expect([areas.count, areas.lazyPages, sink.flushes]).toEqual([1, 0, []]);
    expect(areas.find(first.address)).toBeUndefined();
    expect(areas.freeRanges).toBe(2);
    for (const gone of [first, { ...second }])
      expect(thrown(() => areas.cancel(gone))).toMatch(/^EINVAL at 0x.*: the area is not live here/);
    expect(thrown(() => areas.free(first))).toMatch(/^EINVAL/);
    expect(areas.reserve(0x3000, { cpu: 1 }).address).toBe(first.address);
    areas.cancel(second);
    expect(areas.stats()).toMatchObject({ areas: 1, freeRanges: 1 });
  });
});

describe('VmapAreas with several processors', () => {
  test('takes from the pool of the processor that asks, newest first, and finds areas of every node', () => {
    const areas = new VmapAreas({ ...X86, cpus: 4 });
    const mine = [0, 1, 2].map(() => areas.reserve(0x3000, { cpu: 2 }));
    const large = areas.reserve(0x40000, { cpu: 1 });
    // It begins in one zone of 16 pages and reaches into others.
    for (const offset of [0n, 0x1ffffn, 0x40fffn]) expect(areas.find(large.address + offset)).toBe(large);
    for (const area of mine) areas.free(area);
    areas.purge();
    expect(areas.stats()).toMatchObject({ pooledRanges: 3, lazyBytes: 0n });
    expect(areas.reserve(0x3000, { cpu: 0 }).address).toBeGreaterThan(large.address);
    expect(areas.reserve(0x3000, { cpu: 2 }).address).toBe(mine[2]?.address);
    areas.shrink();
    expect(areas.stats().pooledRanges).toBe(0);
    expect(areas.reserve(0x3000, { cpu: 2 }).address).toBe(mine[0]?.address);
    expect(thrown(() => areas.reserve(0x1000, { cpu: 4 }))).toMatch(/^EINVAL: cpu is 4, expected 0 to 3/);
  });
});
