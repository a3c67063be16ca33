import { thrown } from '@vmarea/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VmapAreas } from '../../src/area/vmap-areas.js';
import { VmapBlocks } from '../../src/area/vmap-blocks.js';

const START = 0xffffc90000000000n;
const MiB = 2n ** 20n;

function blocksOf(options: { cpus?: number; onlineCpus?: number; blockPages?: number; end?: bigint } = {}) {
  const { cpus = 1, onlineCpus = cpus, blockPages = 256, end = 0xffffe8ffffffffffn } = options;
  const flushes: [start: bigint, end: bigint][] = [];
  const sink = { flush: (va: bigint, bytes: bigint) => void flushes.push([va, va + bytes]) };
  const areas = new VmapAreas({ window: { start: START, end }, pageShift: 12, cpus, onlineCpus, sink });
  return { areas, flushes, blocks: new VmapBlocks({ areas, blockPages }) };
}

const at = (page: number): bigint => START + BigInt(page) * 0x1000n;

describe('reserve', () => {
  test('cuts ranges of a power of two pages from a block, from the bottom up, and uses none twice', () => {
    const { areas, blocks } = blocksOf();
    expect([1, 3, 2, 64].map((pages) => blocks.reserve(pages))).toEqual([at(0), at(1), at(5), at(7)]);
    blocks.free(at(1), 3);
    expect(blocks.reserve(4)).toBe(at(71));
    expect(blocks.count).toBe(1);
    expect(areas.vmallocinfo()).toBe('0xffffc90000000000-0xffffc90000100000 1048576 vm_map_ram\n');
  });

  test('keeps a block that lacks room for smaller ranges', () => {
    const { blocks } = blocksOf({ blockPages: 128 });
    blocks.reserve(64);
    blocks.reserve(33);
    expect(blocks.count).toBe(1);
    const { blocks: other } = blocksOf({ blockPages: 128 });
    other.reserve(64);
    other.reserve(32);
    // 32 pages are left: a range of 64 begins a new block, a range of 16 does not.
    expect(other.reserve(64)).toBe(at(128));
    expect(other.reserve(16)).toBe(at(96));
  });

  test('frees a block once all of it has come back; it waits for a purge as an area does', () => {
    const { areas, blocks } = blocksOf();
    const all = Array.from({ length: 4 }, () => blocks.reserve(64));
    for (const address of all) blocks.free(address, 64);
    expect(blocks.count).toBe(0);
    expect(areas.lazyPages).toBe(256);
    expect(blocks.reserve(1)).toBe(at(256));
  });

  test('makes a range larger than 64 pages an area of its own, without a guard', () => {
    const { areas, blocks } = blocksOf();
    const one = blocks.reserve(65);
    const other = blocks.reserve(100);
    expect(other).toBe(one + 65n * 0x1000n);
    expect(thrown(() => blocks.free(one, 64))).toMatch(/^EINVAL/);
    blocks.free(one, 65);
    expect(areas.count).toBe(1);
  });

  test('gives each processor blocks of its own', () => {
    const { blocks } = blocksOf({ cpus: 2 });
    const [mine, other] = [blocks.reserve(1, 0), blocks.reserve(1, 1)];
    expect(other - mine).toBe(MiB);
    expect(blocks.reserve(1, 0)).toBe(mine + 0x1000n);
    expect(thrown(() => blocks.reserve(1, 2))).toMatch(/^EINVAL: cpu is 2, expected 0 to 1/);
  });
});

describe('unmapAliases', () => {
  test('flushes once, over the freed ranges of live blocks and over freed areas', () => {
    const { areas, blocks, flushes } = blocksOf();
    blocks.reserve(4);
    const second = blocks.reserve(4);
    const area = areas.reserve(0x3000);
    blocks.free(second, 4);
    areas.free(area);
    blocks.unmapAliases();
    expect(flushes).toEqual([[at(4), area.address + 0x3000n]]);
    blocks.unmapAliases();
    expect(flushes).toHaveLength(1);
  });

  test('frees blocks with nothing live and less than a quarter unused; a request that finds no room frees every block with nothing live', () => {
    const { blocks } = blocksOf();
    const few = blocks.reserve(64);
    blocks.free(few, 64);
    blocks.unmapAliases();
    expect(blocks.count).toBe(1);
    const rest = [64, 64, 1].map((pages) => [blocks.reserve(pages), pages] as const);
    for (const [address, pages] of rest) blocks.free(address, pages);
    blocks.unmapAliases();
    expect(blocks.count).toBe(0);

    const small = blocksOf({ end: START + 2n * MiB });
    const address = small.blocks.reserve(1);
    small.blocks.free(address, 1);
    expect(small.areas.reserve(2n * MiB - 0x1000n).bytes).toBe(2n * MiB - 0x1000n);
    expect(small.blocks.count).toBe(0);
  });
});

describe('a sink that is called by unmapAliases', () => {
  function sunk() {
    const made: { inside: (() => void) | null; flushes: [bigint, bigint][] } = { inside: null, flushes: [] };
    const areas = new VmapAreas({
      window: { start: START, end: START + 16n * MiB },
      pageShift: 12,
      sink: {
        flush(va, bytes) {
          made.flushes.push([va, va + bytes]);
          const { inside } = made;
          made.inside = null;
          inside?.();
        },
      },
    });
    return { made, areas, blocks: new VmapBlocks({ areas, blockPages: 128 }) };
  }

  test('may free a range: the next call flushes it', () => {
    const { made, blocks } = sunk();
    const [x, , z] = [blocks.reserve(4), blocks.reserve(4), blocks.reserve(4)];
    blocks.free(x, 4);
    made.inside = () => blocks.free(z, 4);
    blocks.unmapAliases();
    expect(made.flushes).toEqual([[at(0), at(4)]]);
    blocks.unmapAliases();
    expect(made.flushes).toEqual([
      [at(0), at(4)],
      [at(8), at(12)],
    ]);
    blocks.unmapAliases();
    expect(made.flushes).toHaveLength(2);
  });

  test('may throw: the next call flushes what came back before it and during it', () => {
    const { made, blocks } = sunk();
    const [x, , z] = [blocks.reserve(4), blocks.reserve(4), blocks.reserve(4)];
    blocks.free(x, 4);
    made.inside = () => {
      blocks.free(z, 4);
      throw new Error('no');
    };
    expect(() => blocks.unmapAliases()).toThrow('no');
    blocks.unmapAliases();
    expect(made.flushes.at(-1)).toEqual([at(0), at(12)]);
  });

  test('may not call unmapAliases; the refused call leaves the work to the next one', () => {
    const { made, areas, blocks } = sunk();
    const [x] = [blocks.reserve(4), blocks.reserve(4)];
    blocks.free(x, 4);
    areas.free(areas.reserve(0x1000));
    made.inside = () => expect(thrown(() => blocks.unmapAliases())).toMatch(/^EBUSY/);
    areas.purge();
    blocks.unmapAliases();
    expect(made.flushes.at(-1)).toEqual([at(0), at(4)]);
  });
});

describe('cancel', () => {
  test('takes back the last range of a block; when all are taken back in reverse, the block is free at once', () => {
    const { areas, blocks, flushes } = blocksOf();
    const [first, second] = [blocks.reserve(3), blocks.reserve(1)];
    const message = /^EINVAL at 0x.*: the last reserved range does not begin here/;
    for (const none of [first, first + 0x800n, second + 0x1000n, first + MiB])
      expect(thrown(() => blocks.cancel(none))).toMatch(message);
    blocks.cancel(second);
    expect(blocks.reserve(2)).toBe(second);
    blocks.cancel(second);
    blocks.cancel(first);
    expect(thrown(() => blocks.cancel(first))).toMatch(message);
    expect([blocks.count, areas.count, areas.lazyPages]).toEqual([0, 0, 0]);
    expect(areas.reserve(0x1000).address).toBe(START);
    blocks.unmapAliases();
    expect(flushes).toEqual([]);
  });

  test('takes back a range that follows a freed one; the freed one stays in the block', () => {
    const { blocks } = blocksOf();
    const [first, second] = [blocks.reserve(1), blocks.reserve(1)];
    blocks.free(first, 1);
    blocks.cancel(second);
    expect(blocks.count).toBe(1);
    expect(blocks.reserve(1)).toBe(second);
  });

  test('frees the addresses of a large range at once', () => {
    const { areas, blocks } = blocksOf();
    const large = blocks.reserve(100);
    blocks.cancel(large);
    expect([areas.count, areas.lazyPages, blocks.pagesAt(large)]).toEqual([0, 0, 0]);
    expect(blocks.reserve(100)).toBe(large);
  });

  test('makes a full block usable again, before the blocks that are younger', () => {
    const { blocks } = blocksOf({ blockPages: 128 });
    blocks.reserve(64);
    const last = blocks.reserve(64);
    // These have room in a second and a third block.
    const [second, third] = [blocks.reserve(64), blocks.reserve(32)];
    expect([second, third]).toEqual([at(128), at(192)]);
    blocks.cancel(last);
    expect(blocks.reserve(32)).toBe(last);
    expect(blocks.reserve(32)).toBe(last + 0x20000n);
    expect(blocks.reserve(32)).toBe(at(224));
    // The second block is full. Once it has room again it comes before the fourth.
    blocks.reserve(1);
    blocks.cancel(at(224));
    expect(blocks.reserve(1)).toBe(at(224));
  });
});

test('pagesAt gives the pages of the range that begins at an address, 0 where none begins', () => {
  const { blocks } = blocksOf();
  const [three, large] = [blocks.reserve(3), blocks.reserve(65)];
  expect(blocks.pagesAt(three)).toBe(3);
  expect(blocks.pagesAt(large)).toBe(65);
  for (const none of [three + 0x1000n, three + 0x800n, large + 0x1000n, 0n])
    expect(blocks.pagesAt(none)).toBe(0);
  blocks.free(three, 3);
  blocks.free(large, 65);
  expect([three, large].map((address) => blocks.pagesAt(address))).toEqual([0, 0]);
});

describe('a purge that frees blocks', () => {
  /** Nine blocks of 4 MiB, each with 64 unused pages. In eight of them the rest came back: together exactly what may wait. */
  function fragmented(end?: bigint) {
    const made = blocksOf({
      cpus: 9,
      onlineCpus: 1,
      blockPages: 1024,
      ...(end === undefined ? {} : { end }),
    });
    for (let cpu = 0; cpu < 9; cpu++) {
      const parts = Array.from({ length: 15 }, () => made.blocks.reserve(64, cpu));
      if (cpu < 8) for (const address of parts) made.blocks.free(address, 64);
    }
    return made;
  }

  test('flushes once for the blocks that unmapAliases frees and for freed areas', () => {
    const { areas, blocks, flushes } = fragmented();
    // One page more than may wait.
    const extra = areas.reserve(0x1000);
    expect(blocks.count).toBe(9);
    areas.free(extra);
    expect(flushes).toEqual([]);
    blocks.unmapAliases();
    expect(flushes).toEqual([[START, extra.address + 0x1000n]]);
    expect(blocks.count).toBe(1);
  });

  test('flushes once when a request that finds no room frees blocks', () => {
    const { areas, blocks, flushes } = fragmented(START + 9n * 4n * MiB + 0x4000n);
    areas.free(areas.reserve(0x4000));
    expect(areas.reserve(32n * MiB).address).toBe(START);
    expect(flushes).toHaveLength(1);
    expect(blocks.count).toBe(1);
  });

  test('asks every VmapBlocks over the same areas', () => {
    const { areas, blocks } = blocksOf({ blockPages: 128, end: START + MiB });
    const others = new VmapBlocks({ areas, blockPages: 128 });
    for (const one of [blocks, others]) one.free(one.reserve(1), 1);
    expect(areas.reserve(MiB).address).toBe(START);
    expect([blocks.count, others.count]).toEqual([0, 0]);
  });

  test('refuses unmapAliases inside its flush, and loses no block', () => {
    let inside = (): void => {};
    const areas = new VmapAreas({
      window: { start: START, end: START + 4n * MiB },
      pageShift: 12,
      sink: { flush: () => inside() },
    });
    const blocks = new VmapBlocks({ areas, blockPages: 128 });
    const address = [64, 64].map((pages) => blocks.reserve(pages));
    blocks.reserve(1);
    areas.free(areas.reserve(0x1000));
    inside = () => expect(thrown(() => blocks.unmapAliases())).toMatch(/^EBUSY/);
    areas.purge();
    inside = () => {};
    expect(blocks.count).toBe(2);
    blocks.free(address[0] as bigint, 64);
    blocks.unmapAliases();
    expect(blocks.count).toBe(2);
  });
});

describe('VmapBlocks refuses', () => {
  test.each([0, -1, 1.5, Number.NaN])('to reserve %d pages', (pages) => {
    const { blocks } = blocksOf();
    expect(thrown(() => blocks.reserve(pages))).toMatch(/^EINVAL: pages is .*, expected 1 or more/);
  });

  test('to free a range that is not live, or has another size', () => {
    const { areas, blocks } = blocksOf();
    const address = blocks.reserve(3);
    for (const [wrong, pages] of [
      [address, 4],
      [address + 0x1000n, 2],
      [address + 0x800n, 3],
      [address + MiB, 3],
    ] as const)
      expect(thrown(() => blocks.free(wrong, pages))).toMatch(
        /^EINVAL at 0x.*: no range of \d pages? begins here/,
      );
    blocks.free(address, 3);
    expect(thrown(() => blocks.free(address, 3))).toMatch(/^EINVAL/);
    for (const blockPages of [64, 100, 2048])
      expect(thrown(() => new VmapBlocks({ areas, blockPages }))).toMatch(/^EINVAL: blockPages/);
  });
});

test('live ranges never overlap, and all pages come back in the end', () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ pages: fc.integer({ min: 1, max: 70 }), cpu: fc.nat(1) }) },
    { weight: 3, arbitrary: fc.record({ victim: fc.nat() }) },
    { weight: 1, arbitrary: fc.constant({ purge: true }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { areas, blocks } = blocksOf({ cpus: 2, blockPages: 128 });
      const live: [address: bigint, pages: number][] = [];
      for (const one of steps) {
        if ('pages' in one) {
          const address = blocks.reserve(one.pages, one.cpu);
          const end = address + BigInt(one.pages) * 0x1000n;
          for (const [other, pages] of live)
            expect(end <= other || address >= other + BigInt(pages) * 0x1000n).toBe(true);
          expect(areas.find(address)?.info.isRam).toBe(true);
          live.push([address, one.pages]);
        } else if ('purge' in one) {
          blocks.unmapAliases();
        } else {
          const gone = live.splice(one.victim % (live.length || 1), 1)[0];
          if (gone !== undefined) blocks.free(...gone);
        }
      }
      for (const gone of live) blocks.free(...gone);
      // A request that nothing can serve brings back everything that is free.
      expect(thrown(() => areas.reserve(1n << 46n))).toMatch(/^ENOMEM/);
      expect(areas.stats()).toMatchObject({ areas: 0, lazyBytes: 0n, pooledRanges: 0, freeRanges: 1 });
      expect(blocks.count).toBe(0);
    }),
    { numRuns: 100, seed: 3 },
  );
});
