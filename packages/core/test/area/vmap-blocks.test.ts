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

describe('ranges of vm_map_ram', () => {
  test('are cut from the bottom up, a power of two pages each, and never used twice', () => {
    const { areas, blocks } = blocksOf();
    expect([1, 3, 2, 64].map((pages) => blocks.reserve(pages))).toEqual([at(0), at(1), at(5), at(7)]);
    blocks.free(at(1), 3);
    expect(blocks.reserve(4)).toBe(at(71));
    expect(blocks.count).toBe(1);
    expect(areas.vmallocinfo()).toBe('0xffffc90000000000-0xffffc90000100000 1048576 vm_map_ram\n');
  });

  test('a block that lacks room stays for smaller ones', () => {
    const { blocks } = blocksOf({ blockPages: 128 });
    blocks.reserve(64);
    blocks.reserve(33);
    expect(blocks.count).toBe(1);
    const { blocks: other } = blocksOf({ blockPages: 128 });
    other.reserve(64);
    other.reserve(32);
    // 32 are left: 64 begin a block of their own, 16 do not.
    expect(other.reserve(64)).toBe(at(128));
    expect(other.reserve(16)).toBe(at(96));
  });

  test('a block that came back whole is freed, and waits for a purge like an area', () => {
    const { areas, blocks } = blocksOf();
    const all = Array.from({ length: 4 }, () => blocks.reserve(64));
    for (const address of all) blocks.free(address, 64);
    expect(blocks.count).toBe(0);
    expect(areas.lazyPages).toBe(256);
    expect(blocks.reserve(1)).toBe(at(256));
  });

  test('large ones are areas of their own, without a guard', () => {
    const { areas, blocks } = blocksOf();
    const one = blocks.reserve(65);
    const other = blocks.reserve(100);
    expect(other).toBe(one + 65n * 0x1000n);
    expect(thrown(() => blocks.free(one, 64))).toMatch(/^EINVAL/);
    blocks.free(one, 65);
    expect(areas.count).toBe(1);
  });

  test('each processor has blocks of its own', () => {
    const { blocks } = blocksOf({ cpus: 2 });
    const [mine, other] = [blocks.reserve(1, 0), blocks.reserve(1, 1)];
    expect(other - mine).toBe(MiB);
    expect(blocks.reserve(1, 0)).toBe(mine + 0x1000n);
    expect(thrown(() => blocks.reserve(1, 2))).toMatch(/^EINVAL: processor 2/);
  });
});

describe('unmapAliases', () => {
  test('flushes once over what came back in blocks that stay, and what was freed', () => {
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

  test('frees blocks with nothing live, where less than a quarter is left; a request that fails frees all of those', () => {
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

describe('what a sink does inside the flush of unmapAliases', () => {
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

  test('what it frees is flushed by the next call', () => {
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

  test('when it throws, the next call flushes all that came back before and meanwhile', () => {
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

  test('another unmapAliases is refused, and takes nothing from the next', () => {
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
  test('takes the last range of a block back, and all of them in reverse: then the block is free at once', () => {
    const { areas, blocks, flushes } = blocksOf();
    const [first, second] = [blocks.reserve(3), blocks.reserve(1)];
    const message = /^EINVAL at 0x.*: no range that was reserved last begins here/;
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

  test('what came back stays in the block, and what follows it can be cancelled', () => {
    const { blocks } = blocksOf();
    const [first, second] = [blocks.reserve(1), blocks.reserve(1)];
    blocks.free(first, 1);
    blocks.cancel(second);
    expect(blocks.count).toBe(1);
    expect(blocks.reserve(1)).toBe(second);
  });

  test('large ones are areas of their own: their addresses are free at once', () => {
    const { areas, blocks } = blocksOf();
    const large = blocks.reserve(100);
    blocks.cancel(large);
    expect([areas.count, areas.lazyPages, blocks.pagesAt(large)]).toEqual([0, 0, 0]);
    expect(blocks.reserve(100)).toBe(large);
  });

  test('a full block is looked at again before those that were made after it', () => {
    const { blocks } = blocksOf({ blockPages: 128 });
    blocks.reserve(64);
    const last = blocks.reserve(64);
    // Room in a second and a third.
    const [second, third] = [blocks.reserve(64), blocks.reserve(32)];
    expect([second, third]).toEqual([at(128), at(192)]);
    blocks.cancel(last);
    expect(blocks.reserve(32)).toBe(last);
    expect(blocks.reserve(32)).toBe(last + 0x20000n);
    expect(blocks.reserve(32)).toBe(at(224));
    // The second is full: it comes before the fourth, and behind none.
    blocks.reserve(1);
    blocks.cancel(at(224));
    expect(blocks.reserve(1)).toBe(at(224));
  });
});

test('pagesAt tells what begins at an address', () => {
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

describe('one flush', () => {
  /** Nine blocks of 4 MiB, each with 64 pages never used; in eight the rest came back: together just what may wait. */
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

  test('for blocks that unmapAliases frees, and for all else', () => {
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

  test('for blocks that a request which finds nothing frees', () => {
    const { areas, blocks, flushes } = fragmented(START + 9n * 4n * MiB + 0x4000n);
    areas.free(areas.reserve(0x4000));
    expect(areas.reserve(32n * MiB).address).toBe(START);
    expect(flushes).toHaveLength(1);
    expect(blocks.count).toBe(1);
  });

  test('and two sets of blocks are both asked', () => {
    const { areas, blocks } = blocksOf({ blockPages: 128, end: START + MiB });
    const others = new VmapBlocks({ areas, blockPages: 128 });
    for (const one of [blocks, others]) one.free(one.reserve(1), 1);
    expect(areas.reserve(MiB).address).toBe(START);
    expect([blocks.count, others.count]).toEqual([0, 0]);
  });

  test('inside a flush there is no other, and no block is lost', () => {
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

describe('what is refused', () => {
  test.each([0, -1, 1.5, Number.NaN])('%d pages', (pages) => {
    const { blocks } = blocksOf();
    expect(thrown(() => blocks.reserve(pages))).toMatch(/^EINVAL.*no number of pages/);
  });

  test('a range that is not there, or is another', () => {
    const { areas, blocks } = blocksOf();
    const address = blocks.reserve(3);
    for (const [wrong, pages] of [
      [address, 4],
      [address + 0x1000n, 2],
      [address + 0x800n, 3],
      [address + MiB, 3],
    ] as const)
      expect(thrown(() => blocks.free(wrong, pages))).toMatch(
        /^EINVAL at 0x.*: no range of \d pages begins here/,
      );
    blocks.free(address, 3);
    expect(thrown(() => blocks.free(address, 3))).toMatch(/^EINVAL/);
    for (const blockPages of [64, 100, 2048])
      expect(thrown(() => new VmapBlocks({ areas, blockPages }))).toMatch(/^EINVAL: blockPages/);
  });
});

test('ranges never overlap, and nothing is lost', () => {
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
      // A request that nothing can serve brings back all that can come back.
      expect(thrown(() => areas.reserve(1n << 46n))).toMatch(/^ENOMEM/);
      expect(areas.stats()).toMatchObject({ areas: 0, lazyBytes: 0n, pooledRanges: 0, freeRanges: 1 });
      expect(blocks.count).toBe(0);
    }),
    { numRuns: 100, seed: 3 },
  );
});
