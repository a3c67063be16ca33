import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Area, AreaMap } from '../../src/area/area-map.js';
import { thrown } from '../support/thrown.js';

const PAGE = 0x1000n;

describe('AreaMap', () => {
  it('takes the lowest fit and keeps the guard inside the interval', () => {
    const map = new AreaMap({ start: 0x10000n, end: 0x20000n, pageShift: 12 });
    const a = map.reserve(0x3000, { guardBytes: 0x1000 });
    const b = map.reserve(0x1000n);
    expect(a).toEqual({ address: 0x10000n, bytes: 0x3000n, guardBytes: 0x1000 });
    expect(b).toEqual({ address: 0x14000n, bytes: 0x1000n, guardBytes: 0 });
    expect(map.count).toBe(2);
    expect(map.freeBytes).toBe(0x10000n - 0x5000n);
    map.free(a);
    expect(map.freeBytes).toBe(0x10000n - 0x1000n);
    // 4 pages are free below b: a fifth does not fit there, the fourth does.
    expect(map.reserve(0x5000).address).toBe(0x15000n);
    expect(map.reserve(0x4000).address).toBe(0x10000n);
  });

  it('skips to the alignment and fills the hole later', () => {
    const map = new AreaMap({ start: 0x1000n, end: 0x100000n, pageShift: 12 });
    expect(map.reserve(0x1000, { align: 0x10000n }).address).toBe(0x10000n);
    expect(map.reserve(0x1000, { align: 0x10000n }).address).toBe(0x20000n);
    expect(map.reserve(0xf000).address).toBe(0x1000n);
    expect(map.reserve(0xf000).address).toBe(0x11000n);
    expect(map.reserve(0x1000).address).toBe(0x21000n);
  });

  it('finds by containment, guard included, and nothing in between', () => {
    const map = new AreaMap({ start: 0x10000n, end: 0x20000n, pageShift: 12 });
    const area = map.reserve(0x2000, { align: 0x4000n, guardBytes: 0x1000 });
    map.free(map.reserve(0x1000));
    for (const inside of [0x10000n, 0x11fffn, 0x12000n, 0x12fffn]) expect(map.find(inside)).toBe(area);
    for (const outside of [0n, 0xffffn, 0x13000n, 0x1ffffn, 0x20000n, 0xffffffffffffffffn]) {
      expect(map.find(outside)).toBeUndefined();
    }
  });

  it('never uses the last, partial page of a window whose end is inclusive', () => {
    const map = new AreaMap({ start: 0xffffe8ffffffc000n, end: 0xffffe8ffffffffffn, pageShift: 12 });
    expect(map.freeBytes).toBe(0x3000n);
    expect(map.reserve(0x3000).address).toBe(0xffffe8ffffffc000n);
    expect(thrown(() => map.reserve(0x1000))).toMatch(/^ENOMEM/);
  });

  it('rounds a ragged start up and reaches the last page of the address space', () => {
    const map = new AreaMap({ start: 0xffffffffffff8001n, end: 1n << 64n, pageShift: 12 });
    const area = map.reserve(0x7000);
    expect(area.address).toBe(0xffffffffffff9000n);
    expect(map.find(0xffffffffffffffffn)).toBe(area);
  });

  it('works in the pages of the format', () => {
    const map = new AreaMap({ start: 0xffff800080000000n, end: 0xffff800090000000n, pageShift: 16 });
    expect(map.reserve(0x10000, { guardBytes: 0x10000 }).address).toBe(0xffff800080000000n);
    expect(map.reserve(0x10000).address).toBe(0xffff800080020000n);
    expect(thrown(() => map.reserve(0x1000))).toBe(
      'EINVAL: size 4096 is not a multiple of the page size 0x0000000000010000',
    );
  });

  it('iterates by address and lets the caller free on the way', () => {
    const map = new AreaMap({ start: 0n, end: 0x100000n, pageShift: 12 });
    const first = map.reserve(0x2000);
    const high = map.reserve(0x1000, { align: 0x8000n });
    const low = map.reserve(0x1000);
    expect([...map]).toEqual([first, low, high]);
    for (const area of map) map.free(area);
    expect(map.count).toBe(0);
    expect(map.freeBytes).toBe(0x100000n);
    expect(map.reserve(0x100000).address).toBe(0n);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['empty window', () => new AreaMap({ start: 0x1000n, end: 0x1fffn, pageShift: 12 }), /^EINVAL.*no page/],
    ['reversed window', () => new AreaMap({ start: 0x9000n, end: 0x1000n, pageShift: 12 }), /^EINVAL/],
    ['negative start', () => new AreaMap({ start: -1n, end: 0x1000n, pageShift: 12 }), /^EINVAL.*64-bit/],
    [
      'end too high',
      () => new AreaMap({ start: 0n, end: (1n << 64n) + 1n, pageShift: 12 }),
      /^EINVAL.*64-bit/,
    ],
    ['page shift', () => new AreaMap({ start: 0n, end: 0x1000n, pageShift: 11 }), /^EINVAL.*page shift 11/],
    ['no bytes', () => small().reserve(0), /^EINVAL.*at least one page/],
    ['ragged size', () => small().reserve(0x1001), /^EINVAL: size 4097/],
    ['negative size', () => small().reserve(-0x1000n), /^EINVAL: size -4096/],
    ['fractional size', () => small().reserve(0.5), /^EINVAL: size 0.5/],
    ['ragged guard', () => small().reserve(0x1000, { guardBytes: 1 }), /^EINVAL: guard 1/],
    ['alignment no power', () => small().reserve(0x1000, { align: 0x3000n }), /^EINVAL: alignment 0x0+3000/],
    ['alignment below a page', () => small().reserve(0x1000, { align: 1n }), /^EINVAL: alignment/],
    ['alignment zero', () => small().reserve(0x1000, { align: 0n }), /^EINVAL: alignment/],
    ['too large', () => small().reserve(0x5000), /^ENOMEM.*20480 bytes.*0x0+1000.*0x0+8000 .. 0x0+c000/],
    ['guard does not fit', () => small().reserve(0x4000, { guardBytes: 0x1000 }), /^ENOMEM.*guard of 4096/],
    ['nothing aligned', () => small().reserve(0x1000, { align: 0x10000n }), /^ENOMEM.*aligned to 0x0+10000/],
  ])('refuses: %s', (_, action, message) => {
    expect(thrown(action)).toMatch(message);
  });

  function small(): AreaMap {
    return new AreaMap({ start: 0x8000n, end: 0xc000n, pageShift: 12 });
  }

  it('frees only what is live in this very map', () => {
    const map = small();
    const area = map.reserve(0x1000);
    const other = small();
    const twin = other.reserve(0x1000);
    expect(thrown(() => map.free(twin))).toMatch(/^EINVAL at 0x0000000000008000: the area is not live/);
    expect(thrown(() => map.free({ ...area }))).toMatch(/^EINVAL/);
    map.free(area);
    expect(thrown(() => map.free(area))).toMatch(/^EINVAL/);
    const again = map.reserve(0x1000);
    expect(again.address).toBe(area.address);
    expect(thrown(() => map.free(area))).toMatch(/^EINVAL/);
    expect(map.count).toBe(1);
  });

  it('behaves like a row of pages that are taken or not', () => {
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
        const map = new AreaMap({ start: base, end: base + BigInt(PAGES) * PAGE, pageShift: 12 });
        const owner: (Area | undefined)[] = new Array(PAGES).fill(undefined);
        const live: Area[] = [];
        for (const one of steps) {
          if ('victim' in one) {
            const area = live.splice(one.victim % (live.length || 1), 1)[0];
            if (area === undefined) continue;
            map.free(area);
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
            if (expected < 0) {
              expect(thrown(ask)).toMatch(/^ENOMEM/);
            } else {
              const area = ask();
              expect(area.address).toBe(base + BigInt(expected) * PAGE);
              owner.fill(area, expected, expected + total);
              live.push(area);
            }
          }
          for (let p = -1; p <= PAGES; p++) {
            expect(map.find(base + BigInt(p) * PAGE)).toBe(owner[p]);
            expect(map.find(base + BigInt(p + 1) * PAGE - 1n)).toBe(owner[p]);
          }
          expect(map.freeBytes).toBe(BigInt(owner.filter((o) => o === undefined).length) * PAGE);
          expect(map.count).toBe(live.length);
          expect([...map]).toEqual([...new Set(owner.filter((o) => o !== undefined))]);
        }
      }),
      { numRuns: 400 },
    );
  });
});
