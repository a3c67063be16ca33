import { FrameAllocator, type LeafRun, PageTable, PageTableReader } from '@vmarea/core';
import { wide } from '@vmarea/testkit';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { AreaRequest } from '../../src/areas/workload.js';
import { readAreas } from '../../src/compare-layout.js';
import type { LeafPolicy } from '../../src/layout/kernel.js';
import { type Plan, planLayout as plan } from '../../src/layout/plan.js';
import { rebuildLayout as rebuild, warmUpRounds } from '../../src/layout/rebuild.js';
import { proveAllReturned } from '../../src/parts/all-returned.js';
import { WrongResult } from '../../src/parts/wrong-result.js';
import { ARM64_16K_GUEST, configurationOf, configurations, textOf, X86_GUEST } from '../support/files.js';

afterEach(() => {
  vi.restoreAllMocks();
});

// No test reads times, so nothing has to be warm.
const options = { seed: 1, repeat: 1, warmUp: 0, step: async () => {} };
const timed = { ...options, now: () => performance.now() };
const MiB = 2 ** 20;

function requestsOf(file: string): readonly AreaRequest[] {
  return readAreas(textOf(file), { name: file }).requests;
}

/**
 * What a plan must come to, from its addresses alone: an area's aligned stretches that lie in one leaf and have
 * adjacent, aligned frames are larger leaves; every other page is one; a table for each different prefix.
 */
function model({ areas, configuration: { format }, leafPolicy }: Plan, largeShift: number) {
  const base = BigInt(format.pageShift);
  const shifts = format.levels.slice(0, -1).map(({ shift }) => BigInt(shift));
  const tables = new Set<string>();
  let small = 0;
  let large = 0;
  for (const { area, mapping } of areas) {
    if (mapping === null) continue;
    const largePages = 2 ** (largeShift - format.pageShift);
    for (let page = 0; page < mapping.pages; ) {
      const va = area.address + (BigInt(page) << base);
      const aligned = va % (1n << BigInt(largeShift)) === 0n && page + largePages <= mapping.pages;
      const { source } = mapping;
      const adjacent =
        source.type === 'range'
          ? (source.firstFrame + page) % largePages === 0
          : page < source.chunks * largePages;
      const isLarge = leafPolicy === 'huge' && aligned && adjacent;
      // A large leaf stands in the table above the last one.
      const prefixes = isLarge ? shifts.slice(0, -1) : shifts;
      for (const shift of prefixes) tables.add(`${shift}:${va >> shift}`);
      if (isLarge) large++;
      else small++;
      page += isLarge ? largePages : 1;
    }
  }
  return { small, large, tables: tables.size + 1 };
}

describe('the bundled guest on x86-64', () => {
  test.each<[LeafPolicy, number, number, number]>([
    // 3848 counted pages, 65543 of ioremap, 4 of vmap. Huge: 128 leaves for the 256 MiB of PCI configuration space,
    // 2 for the area of 4 MiB, 1 for that of 2 MiB.
    ['base', 69395, 0, 140],
    ['huge', 69395 - 131 * 512, 131, 8],
  ])('has exact areas, pages, leaves and tables with %s leaves', async (policy, small, large, tables) => {
    const configuration = configurationOf('x86-64');
    const one = plan(requestsOf(X86_GUEST), configuration, policy);
    expect(one.areas[0]?.area.address).toBe(configuration.linux.window.start);
    const row = await rebuild(one, timed);
    expect(row.areas).toEqual({
      placed: 163,
      mapped: 161,
      sparse: 1,
      unknownContent: 1,
      unreachable: 0,
      doesNotFit: 0,
    });
    expect(row.mapped).toEqual({ pages: 69395, bytes: 69395 * 4096 });
    expect(model(one, 21)).toEqual({ small, large, tables });
    expect(row.leaves).toEqual(
      [
        { bytes: 4096, count: small },
        { bytes: 2 * MiB, count: large },
      ].filter(({ count }) => count > 0),
    );
    expect(row.tables.frames).toBe(tables);
    expect(row.tables.bytes).toBe(tables * 4096);
    expect(row.tables.bytesPerMappedMiB).toBeCloseTo((tables * 4096 * 256) / 69395, 9);
    expect(row.work.tablesAllocated).toBe(tables - 1);
    expect(row.work.entriesWritten).toBe(small + large + tables - 1);
    expect(row.leakCheck).toEqual({
      tables: { before: 0, peak: tables, after: 0 },
      frames: { before: 0, peak: 3848 + 4, after: 0 },
    });
    expect(row.walk.entriesMax).toBe(4);
    if (policy === 'base') {
      expect(row.walk.entriesMean).toBe(4);
      expect(one.tableFrames).toBe(tables);
    } else {
      // 3 entries in a large leaf, 4 elsewhere; the sample is random, its share is not.
      expect(row.walk.entriesMean).toBeCloseTo(3 + small / 69395, 1);
    }
    expect(row.checkedTranslations).toBe(2 * 161 + row.walk.addresses);
    expect(row.times.nsPerPage[0]).toBeGreaterThan(0);
    expect(row.times.nsPerWalk[0]).toBeGreaterThan(0);
  });
});

describe('every format', () => {
  test.each(configurations.map((one) => [one.name, one] as const))(
    '%s rebuilds the bundled guest',
    async (_, format) => {
      for (const policy of ['base', 'huge'] as const) {
        const one = plan(requestsOf(X86_GUEST), format, policy);
        const row = await rebuild(one, options);
        expect(row.areas).toMatchObject({ placed: 163, mapped: 161, unreachable: 0, doesNotFit: 0 });
        expect(row.mapped.pages).toBe(one.pages);
        expect(row.leakCheck.tables).toEqual({ before: 0, peak: row.tables.frames, after: 0 });
      }
    },
  );
});

describe('a rebuild with another page size', () => {
  test.each<LeafPolicy>(['base', 'huge'])(
    'maps 16K areas with pages of 64K and %s leaves',
    async (policy) => {
      const requests = requestsOf(ARM64_16K_GUEST);
      const one = plan(requests, wide, policy);
      const row = await rebuild(one, options);
      const pages = requests.reduce((sum, { content }) => {
        if (content.type === 'nothing') return sum;
        if (content.type === 'frames') return sum + Math.ceil(content.bytes / 65536);
        const end = (content.physical + BigInt(content.bytes) + 65535n) / 65536n;
        return sum + Number(end - content.physical / 65536n);
      }, 0);
      expect(row.mapped.pages).toBe(pages);
      const { small, large, tables } = model(one, 29);
      expect(row.leaves).toEqual([{ bytes: 65536, count: small }]);
      expect(large).toBe(0);
      expect(row.tables).toMatchObject({ frames: tables, bytes: tables * 65536 });
      expect(row.walk.entriesMean).toBe(3);
    },
  );

  test('maps leaves of 512M', async () => {
    const content = { type: 'frames', bytes: 1100 * MiB } as const;
    const request = {
      line: 1,
      kind: 'vmalloc',
      caller: 'f',
      bytes: 1100 * MiB,
      guard: true,
      content,
      unknownContent: false,
    } as const;
    const one = plan([request], wide, 'huge');
    const row = await rebuild(one, options);
    expect(model(one, 29)).toEqual({ small: 76 * 16, large: 2, tables: 3 });
    expect(row.leaves).toEqual([
      { bytes: 65536, count: 76 * 16 },
      { bytes: 512 * MiB, count: 2 },
    ]);
    expect(row.tables.frames).toBe(3);
  });

  test('warms up with about the same number of pages for every input', () => {
    const rounds = (pages: number) => warmUpRounds({ ...plan([], wide, 'base'), pages });
    expect([0, 1, 2 ** 13, 2 ** 17, 2 ** 20, 2 ** 30].map(rounds)).toEqual([100, 100, 64, 4, 1, 1]);
  });

  test('maps nothing for a sparse area', async () => {
    const request: AreaRequest = {
      line: 1,
      kind: 'sparse',
      caller: 'f',
      bytes: 65536,
      guard: true,
      content: { type: 'nothing' },
      unknownContent: false,
    };
    const row = await rebuild(plan([request], wide, 'base'), options);
    expect(row).toMatchObject({
      mapped: { pages: 0, bytes: 0 },
      leaves: [],
      tables: { frames: 1, bytesPerMappedMiB: null },
      walk: { addresses: 0, entriesMean: null, entriesMax: null },
      times: { nsPerPage: [], nsPerWalk: [] },
    });
  });

  test('has the same frames for the same seed, and others for another', async () => {
    const one = plan(requestsOf(ARM64_16K_GUEST), wide, 'base');
    const map = vi.spyOn(PageTable.prototype, 'map');
    const framesOf = async (seed: number): Promise<string> => {
      map.mockClear();
      await rebuild(one, { ...options, seed });
      return map.mock.calls.map(([, frames]) => Array.from(frames).join()).join();
    };
    const first = await framesOf(5);
    expect(await framesOf(5)).toBe(first);
    expect(await framesOf(6)).not.toBe(first);
  });
});

describe('the checks find', () => {
  const planned = (policy: LeafPolicy) => plan(requestsOf(ARM64_16K_GUEST), wide, policy);
  const run = async (policy: LeafPolicy = 'base') => rebuild(planned(policy), options);
  const real = {
    destroy: PageTable.prototype.destroy,
    translate: PageTableReader.prototype.translate,
    translateWords: PageTableReader.prototype.translateWords,
    unmap: PageTable.prototype.unmap,
    walk: PageTableReader.prototype.walk,
    map: PageTable.prototype.map,
  };

  test('tables that leak', async () => {
    vi.spyOn(PageTable.prototype, 'destroy').mockImplementation(() => {});
    // The tables of the rounds before are still there: memory for them runs out, or they are missed in the end.
    const rounds = { ...options, warmUp: 1 };
    await expect(rebuild(planned('base'), rounds)).rejects.toThrow(/ENOMEM/);
    // The kernel that places is destroyed, too.
    let left = 1 + rounds.warmUp;
    vi.spyOn(PageTable.prototype, 'destroy').mockImplementation(function (this: PageTable) {
      if (left-- > 0) real.destroy.call(this);
    });
    await expect(rebuild(planned('base'), rounds)).rejects.toThrow(
      /^frames of page tables leaked: 0 allocated before the run, [1-9]\d* after it/,
    );
  });

  test('a mapped frame that leaks', async () => {
    const freeMany = FrameAllocator.prototype.freeMany;
    let done = false;
    vi.spyOn(FrameAllocator.prototype, 'freeMany').mockImplementation(function (this: FrameAllocator, pfns) {
      // Tables come from the allocator that has bytes, mapped frames from the one that has none.
      const isMapped = this.memory === null;
      freeMany.call(this, done || !isMapped ? pfns : Array.from(pfns).slice(1));
      done ||= isMapped;
    });
    await expect(run()).rejects.toThrow(/^mapped frames leaked: 0 allocated before the run, 1 after it/);
  });

  test('blocks that leak', async () => {
    const free = FrameAllocator.prototype.free;
    vi.spyOn(FrameAllocator.prototype, 'free').mockImplementation(function (
      this: FrameAllocator,
      pfn,
      order,
    ) {
      if (order !== 13) free.call(this, pfn, order);
    });
    const content = { type: 'frames', bytes: 512 * MiB } as const;
    const request = {
      line: 1,
      kind: 'vmalloc',
      caller: 'f',
      bytes: 512 * MiB,
      guard: true,
      content,
      unknownContent: false,
    } as const;
    await expect(rebuild(plan([request], wide, 'huge'), options)).rejects.toThrow(
      /^mapped blocks leaked: 0 allocated before the run, 8192 after it/,
    );
  });

  test('free blocks of other sizes', () => {
    const frames = new FrameAllocator(null, { first: 0, frames: 16 });
    const before = frames.stats();
    expect(() =>
      proveAllReturned('frames', before, { ...before, freeBlocks: [...before.freeBlocks].reverse() }),
    ).toThrow(/^frames came back in pieces/);
    expect(proveAllReturned('frames', before, frames.stats())).toEqual({ before: 0, after: 0 });
  });

  test('a wrong frame at the end of an area', async () => {
    vi.spyOn(PageTableReader.prototype, 'translate').mockImplementation(function (this: PageTableReader, va) {
      const pa = real.translate.call(this, va);
      return pa === null ? null : pa ^ 0x10000n;
    });
    await expect(run()).rejects.toThrow(
      /^wide-64k, base leaves: 0xffff8\w+ was mapped to frame 0x\w+ and translates to physical address 0x/,
    );
  });

  test('a last page that is not mapped', async () => {
    vi.spyOn(PageTable.prototype, 'map').mockImplementation(function (this: PageTable, va, frames, ...rest) {
      if (frames.length > 1) real.map.call(this, va, Array.from(frames).slice(0, -1), ...rest);
      else real.map.call(this, va, frames, ...rest);
    });
    await expect(run()).rejects.toThrow(WrongResult);
    await expect(run()).rejects.toThrow(/translate/);
  });

  test('a guard page that is mapped', async () => {
    vi.spyOn(PageTable.prototype, 'map').mockImplementation(function (this: PageTable, va, frames, ...rest) {
      real.map.call(this, va, [...frames, 7], ...rest);
    });
    await expect(run()).rejects.toThrow(/the guard page at 0xffff8\w+ is mapped, to 0x0000000000070000$/);
  });

  test('a wrong frame in the sample', async () => {
    let calls = 0;
    vi.spyOn(PageTableReader.prototype, 'translateWords').mockImplementation(function (
      this: PageTableReader,
      hi,
      lo,
    ) {
      return real.translateWords.call(this, hi, lo) + (++calls === 100 ? 1 : 0);
    });
    await expect(run()).rejects.toThrow(
      /^wide-64k: 1 of 32768 sampled addresses translate to a wrong frame$/,
    );
  });

  test('a walk that faults', async () => {
    vi.spyOn(PageTableReader.prototype, 'walk').mockImplementation(function (
      this: PageTableReader,
      va,
      ...rest
    ) {
      return { ...real.walk.call(this, va, ...rest), leaf: null };
    });
    await expect(run()).rejects.toThrow(/translates to a fault$/);
  });

  test('a page that stays mapped', async () => {
    vi.spyOn(PageTable.prototype, 'unmap').mockImplementation(function (this: PageTable, va, bytes, ...rest) {
      if (va !== wide.linux.window.start) real.unmap.call(this, va, bytes, ...rest);
    });
    await expect(run()).rejects.toThrow('0xffff800080000000 is still mapped after the teardown');
  });

  test('a leaf that was not mapped', async () => {
    vi.spyOn(PageTableReader.prototype, 'leaves').mockImplementation(() =>
      [{ kind: 'leaves', va: 0n, bytes: 0x30000n, count: 3, leafShift: 16 } as LeafRun].values(),
    );
    await expect(run()).rejects.toThrow(
      /^wide-64k, base leaves: the leaves cover 196608 bytes, \d+ were mapped$/,
    );
  });
});

describe('runs', () => {
  /** Leaves by size of the x86-64 guest under the huge policy. */
  async function leavesOf(name: string): Promise<(readonly [number, number])[]> {
    const row = await rebuild(plan(requestsOf(X86_GUEST), configurationOf(name), 'huge'), options);
    return row.leaves.map(({ bytes, count }) => [bytes / 1024, count] as const);
  }

  test('of pages are leaves of their size, and blocks form none, as in Linux', async () => {
    expect(await leavesOf('arm64-4k-48')).toEqual([
      [4, 2323],
      [2048, 131],
    ]);
    expect(await leavesOf('arm64-4k-48-cont')).toEqual([
      [4, 563],
      [64, 110],
      [2048, 131],
    ]);
    expect(await leavesOf('riscv64-sv39-napot')).toEqual(await leavesOf('arm64-4k-48-cont'));
    expect(await leavesOf('arm64-16k-47-cont')).toEqual([
      [16, 632],
      [2048, 3],
      [32768, 8],
    ]);
  });
});
