import { thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import type { Area } from '../../src/area/area.js';
import { VmapAreas } from '../../src/area/vmap-areas.js';
import { X86 } from './support/x86.js';

const PAGE = 0x1000n;

test('parts of per-cpu memory lie as high as they fit, and above a taken range', () => {
  const start = 0x1000_0000n;
  const placesBeside = (page: bigint, pages: number) => {
    const early = [{ address: start + page * PAGE, bytes: BigInt(pages) * PAGE }];
    const areas = new VmapAreas({ window: { start, end: start + 64n * PAGE }, pageShift: 12, early });
    const parts = areas.reservePercpu([0, 8 * 4096], [4 * 4096, 4 * 4096], PAGE);
    return parts.map(({ address }) => Number((address - start) / PAGE));
  };
  expect(placesBeside(44n, 2)).toEqual([52, 60]);
  expect(placesBeside(50n, 6)).toEqual([38, 46]);
  expect(placesBeside(56n, 4)).toEqual([52, 60]);
  expect(placesBeside(60n, 4)).toEqual([48, 56]);
  expect(placesBeside(63n, 1)).toEqual([51, 59]);
});

test('an early area goes back to the free space, and not to the pool of a processor', () => {
  const start = 0x1000_0000n;
  const early = [{ address: start + 8n * PAGE, bytes: PAGE }];
  const window = { start, end: start + 64n * PAGE };
  const areas = new VmapAreas({ window, pageShift: 12, cpus: 2, early });
  const [first] = areas;
  areas.free(first as Area);
  areas.purge();
  expect(areas.stats()).toMatchObject({ areas: 0, lazyBytes: 0n, pooledRanges: 0, freeRanges: 1 });
  areas.free(areas.reserve(0x1000, { cpu: 1 }));
  areas.purge();
  expect(areas.stats()).toMatchObject({ areas: 0, lazyBytes: 0n, pooledRanges: 1 });
});

describe('per-cpu chunks and early areas', () => {
  test('take chunks from the top of the window, without guards', () => {
    const areas = new VmapAreas(X86);
    const [one, other] = areas.reservePercpu([0, 0x200000], [0x100000, 0x100000], 0x100000n);
    expect(one).toMatchObject({ address: 0xffffe8ffffc00000n, bytes: 0x100000n, guardBytes: 0 });
    expect(other?.address).toBe(0xffffe8ffffe00000n);
    areas.free(one as Area);
    expect(areas.count).toBe(1);
    for (const [offsets, sizes, align] of [
      [[0], [0x1000], 0x2000n],
      [[0, 0], [0x1000, 0x1000], 0x1000n],
      [[0], [], 0x1000n],
      [[], [], 0x1000n],
      [[0], [0], 0x1000n],
    ] as const)
      expect(thrown(() => areas.reservePercpu(offsets, sizes, align))).toMatch(/^EINVAL: the parts/);
    expect(thrown(() => areas.reservePercpu([0], [2 ** 46], 0x1000n))).toMatch(
      /^ENOMEM: no place for 1 parts/,
    );
  });

  test('ask for the description of each chunk before they take anything', () => {
    const areas = new VmapAreas(X86);
    const { freeBytes } = areas.stats();
    const ask = (infoOf?: (index: number) => { pages: number }) =>
      areas.reservePercpu([0, 0x10000], [0x1000, 0x1000], 0x1000n, infoOf);
    expect(() =>
      ask((i) => {
        if (i === 1) throw new Error('of no kind');
        return { pages: i };
      }),
    ).toThrow('of no kind');
    expect([areas.count, areas.stats().freeBytes]).toEqual([0, freeBytes]);
    expect(ask((i) => ({ pages: i + 7 })).map(({ info }) => info)).toEqual([{ pages: 7 }, { pages: 8 }]);
    expect(ask().map(({ info }) => info)).toEqual([{ words: ['vmalloc'] }, { words: ['vmalloc'] }]);
  });

  test('keep early areas live, and place others around them', () => {
    const early = [
      { address: 0xffffc90000000000n, bytes: 0x4000n, info: { words: ['vmap' as const] } },
      { address: 0xffffc90000004000n, bytes: 0x1000n },
    ];
    const areas = new VmapAreas({ ...X86, early });
    expect(areas.find(0xffffc90000003fffn)?.info.words).toEqual(['vmap']);
    expect(areas.reserve(0x1000).address).toBe(0xffffc90000005000n);
    const refused = (list: unknown): string =>
      thrown(() => new VmapAreas({ ...X86, early: list as typeof early }));
    for (const list of [early.toReversed(), [{ address: 0x1800n, bytes: 0x1000n }], [early[0], early[0]]])
      expect(refused(list)).toMatch(/^EINVAL.*early areas/);
    expect(refused([{ address: (1n << 64n) - 0x1000n, bytes: 0x2000n }])).toMatch(
      /^ERANGE at 0xfffffffffffff000: .* 0x10000000000001000 of early\[0\] leaves 64 bits/,
    );
    expect(refused([{ address: 1n << 64n, bytes: 0x1000n }])).toMatch(
      /^ERANGE: early\[0\].address 0x10000000000000000 is outside 64 bits/,
    );
    expect(refused([{ address: -0x1000n, bytes: 0x1000n }])).toMatch(
      /^ERANGE: early\[0\].address -0x1000 is outside 64 bits/,
    );
  });

  test('have pools for up to 128 processors; the pages that may wait grow with the processors online', () => {
    const pages = (onlineCpus: number): number =>
      new VmapAreas({ ...X86, cpus: 128, onlineCpus }).lazyMaxPages / 8192;
    expect([127, 128, 255, 256, 8192].map(pages)).toEqual([7, 8, 8, 9, 14]);
  });

  test.each([
    [{ cpus: 0 }, /cpus is 0/],
    [{ cpus: 129 }, /cpus is 129/],
    [{ cpus: 1.5 }, /cpus is 1.5/],
    [{ onlineCpus: 0 }, /onlineCpus is 0/],
    [{ cpus: 2, onlineCpus: 3 }, /onlineCpus is 3, expected 1 to 2/],
    [{ cpus: 128, onlineCpus: 8193 }, /onlineCpus is 8193, expected 1 to 8192/],
    [{ ioremapMaxOrder: Number.NaN }, /ioremapMaxOrder is NaN/],
    [{ ioremapMaxOrder: 12.5 }, /ioremapMaxOrder is 12.5/],
    [{ guardBytes: 100 }, /guardBytes is 100, expected a multiple/],
    [{ pageShift: 17 }, /pageShift is 17/],
  ])('refuse %j', (change, message) => {
    expect(thrown(() => new VmapAreas({ ...X86, ...change }))).toMatch(message);
  });
});
