import { type AddressSpace, VM_MAP, VM_MAP_PUT_PAGES, type VmArea } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { type KernelOptions, kernelOf, RAM_FIRST } from './support/kernel.js';

const PAGE = 4096;
const BYTES = 4096n;
/** The base of the direct map, in which RAM_FIRST has ALIAS. */
const DIRECT = 0xffff_8880_0000_0000n;
const ALIAS = DIRECT + (BigInt(RAM_FIRST) << 12n);
/** Pages that may wait: with one more a purge is due. */
const THRESHOLD = 8192;
const stop = new Error('stop');

/** A kernel whose sink can be broken, and a check that everything is free again. */
function breakable(options: KernelOptions = {}) {
  let isBroken = false;
  const made = kernelOf('x86-64', {
    ...options,
    onFlush: () => {
      if (isBroken) throw stop;
    },
  });
  const { kernel, ram, flushes } = made;
  const state = () => [ram.stats(), kernel.stats()];
  let before = state();
  return {
    ...made,
    /** From now on the sink throws; earlier flushes are forgotten. */
    break: () => {
      isBroken = true;
      flushes.length = 0;
    },
    mend: () => {
      isBroken = false;
      flushes.length = 0;
    },
    /** What `expectAllBack` compares with. */
    remember: () => {
      before = state();
    },
    /** Once the sink works again and everything is freed, nothing is missing. */
    expectAllBack: () => {
      isBroken = false;
      kernel.vmUnmapAliases();
      expect(state()).toEqual(before);
    },
  };
}

/** Frees until as many pages wait as may: the next page that is freed makes a purge due. */
function fillUp(kernel: AddressSpace): void {
  for (let i = 0; i < THRESHOLD / 256; i++) kernel.vfree(kernel.vmalloc(255 * PAGE));
  expect(kernel.stats().lazyBytes).toBe(BigInt(THRESHOLD) * BYTES);
}

/** What a call throws; `null` for nothing. */
function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return null;
}

describe('when the sink throws in a purge', () => {
  test.each([2, 4])('vmallocHuge of %i MiB that falls back to pages returns its address', (size) => {
    const world = breakable({ ramFrames: 2048 });
    const { kernel, ram, flushes } = world;
    // One frame of every block of 512 is allocated.
    const all = ram.allocateMany(2048);
    ram.freeMany(all.filter((_, i) => i % 512 !== 0));
    fillUp(kernel);
    const { allocated } = ram.stats();
    kernel.vmUnmapAliases();
    world.remember();
    fillUp(kernel);
    world.break();
    const address = kernel.vmallocHuge(size << 20);
    const pages = size * 256;
    const area = kernel.findVmArea(address) as VmArea;
    expect(area.populated()).toEqual({ pages, leaves: [{ bytes: PAGE, count: pages }] });
    // The purge is left to a later call, whose work is done when it throws.
    expect(flushes).toEqual([]);
    expect(thrownBy(() => kernel.vfree(address))).toBe(stop);
    expect([area.isLive, ram.stats().allocated, kernel.stats().areas]).toEqual([false, allocated, 0]);
    world.expectAllBack();
  });

  test('removeVmArea of an area with an array of pages hands over its frames', () => {
    const world = breakable();
    const { kernel, ram, flushes } = world;
    const address = kernel.vmalloc(600 * PAGE);
    fillUp(kernel);
    world.break();
    const area = kernel.removeVmArea(address);
    expect(flushes).toEqual([]);
    expect([area.isLive, kernel.stats().areas]).toEqual([false, 0]);
    // The frames of the array are free.
    const frames = area.ownedFrames();
    expect([frames.length, ram.stats().allocated]).toEqual([600, 600]);
    ram.freeMany(frames);
    expect(thrownBy(() => kernel.vmUnmapAliases())).toBe(stop);
    world.expectAllBack();
  });

  test.each([20, 600])('vrealloc of %i pages that moves returns the new address', (pages) => {
    const world = breakable({ ramFrames: 0, tablePages: 4096 });
    const { kernel, memory, flushes } = world;
    const prepare = () => {
      const address = kernel.vmalloc(pages * PAGE);
      memory.bytesAt(BigInt(kernel.vmallocToPfn(address)) << 12n, PAGE).fill(7);
      fillUp(kernel);
      return address;
    };
    // First with a sink that works: tables stay, and must not count as lost later.
    kernel.vfree(kernel.vrealloc(prepare(), 2 * pages * PAGE));
    kernel.vmUnmapAliases();
    world.remember();
    const address = prepare();
    const old = kernel.findVmArea(address) as VmArea;
    world.break();
    const moved = kernel.vrealloc(address, 2 * pages * PAGE);
    expect(flushes).toEqual([]);
    const bytes = new Uint8Array(1);
    kernel.vread(moved, bytes);
    expect([bytes[0], kernel.findVmArea(moved)?.pages, old.isLive]).toEqual([7, 2 * pages, false]);
    expect(thrownBy(() => kernel.vfree(moved))).toBe(stop);
    expect(kernel.stats().areas).toBe(0);
    world.expectAllBack();
  });
});

describe('when the sink throws in a purge, a call that returns nothing', () => {
  type Call = (world: ReturnType<typeof breakable>) => [free: () => void, ...areas: VmArea[]];
  /** The call to be made, and the areas that it frees. */
  const calls: Readonly<Record<string, Call>> = {
    vfree: ({ kernel, at }) => {
      const address = kernel.vmalloc(600 * PAGE);
      // The array of its pages is freed with it.
      const areas = [kernel.findVmArea(address), kernel.findVmArea(at(601))] as VmArea[];
      expect(areas.map(({ pages }) => pages)).toEqual([600, 2]);
      return [() => kernel.vfree(address), ...areas];
    },
    'vfree of frames that were handed over': ({ kernel, ram }) => {
      const address = kernel.vmap(ram.allocateMany(3), VM_MAP | VM_MAP_PUT_PAGES);
      return [() => kernel.vfree(address), kernel.findVmArea(address) as VmArea];
    },
    vunmap: ({ kernel }) => {
      const address = kernel.vmap([1, 2], VM_MAP);
      return [() => kernel.vunmap(address), kernel.findVmArea(address) as VmArea];
    },
    iounmap: ({ kernel }) => {
      const address = kernel.ioremap(0xfed0_0000n, PAGE);
      return [() => kernel.iounmap(address), kernel.findVmArea(address) as VmArea];
    },
    freeVmArea: ({ kernel }) => {
      const area = kernel.getVmArea(PAGE);
      area.map(0, 7);
      return [() => kernel.freeVmArea(area), area];
    },
    pcpuFreeVmAreas: ({ kernel }) => {
      const areas = kernel.pcpuGetVmAreas([0, 4 * PAGE], [PAGE, PAGE], BYTES);
      return [() => kernel.pcpuFreeVmAreas(areas), ...areas];
    },
  };
  for (const call of Object.keys(calls)) {
    test(`has done its work: ${call}`, () => {
      const world = breakable();
      const { kernel, ram, flushes } = world;
      const [free, ...areas] = (calls[call] as Call)(world);
      const ends = areas.map(({ addr, size }) => [addr, addr + size] as const);
      fillUp(kernel);
      world.break();
      expect(thrownBy(free)).toBe(stop);
      expect(areas.map((area) => area.isLive)).toEqual(areas.map(() => false));
      expect([ram.stats().allocated, kernel.stats().areas]).toEqual([0, 0]);
      expect([...kernel.table.leaves()]).toEqual([]);
      // One purge was tried, after everything was freed.
      expect(flushes).toHaveLength(1);
      const [{ va, bytes }] = flushes as [{ va: bigint; bytes: bigint }];
      for (const [start, end] of ends) expect(va <= start && va + bytes >= end).toBe(true);
      world.expectAllBack();
    });
  }
});

describe('when the sink throws, vfree with VM_FLUSH_RESET_PERMS', () => {
  for (const isDue of [false, true]) {
    test(`leaves the flush of the aliases to the next purge, ${isDue ? 'with' : 'without'} one due`, () => {
      const world = breakable({ directMap: { base: DIRECT } });
      const { kernel, ram, flushes } = world;
      const address = kernel.vmalloc(2 * PAGE);
      const frames = [kernel.vmallocToPfn(address), kernel.vmallocToPfn(address + BYTES)];
      expect(frames).toEqual([RAM_FIRST, RAM_FIRST + 1]);
      kernel.setMemoryRo(address, 2);
      kernel.setVmFlushResetPerms(address);
      if (isDue) fillUp(kernel);
      world.break();
      expect(thrownBy(() => kernel.vfree(address))).toBe(stop);
      // Everything but the flush is done.
      expect([ram.stats().allocated, kernel.stats().areas]).toEqual([0, 0]);
      for (const alias of [ALIAS, ALIAS + BYTES])
        expect(kernel.table.walk(alias).leaf?.protection.write).toBe(true);
      expect(thrownBy(() => kernel.vmUnmapAliases())).toBe(stop);
      world.mend();
      kernel.vmUnmapAliases();
      expect(flushes).toHaveLength(1);
      const [{ va, bytes }] = flushes as [{ va: bigint; bytes: bigint }];
      expect(va <= ALIAS && va + bytes >= address + 3n * BYTES).toBe(true);
      // The flush is owed once.
      kernel.vfree(kernel.vmalloc(PAGE));
      kernel.vmUnmapAliases();
      expect((flushes[1]?.va ?? 0n) >= address).toBe(true);
      world.expectAllBack();
    });
  }

  test('changes nothing when the flush was for the split of a block in the direct map', () => {
    const world = breakable({ directMap: { base: DIRECT } });
    const { kernel, ram } = world;
    const address = kernel.vmalloc(2 * PAGE);
    kernel.setVmFlushResetPerms(address);
    const before = [[...kernel.table.leaves()], ram.stats(), kernel.vmallocinfo()];
    world.break();
    expect(thrownBy(() => kernel.vfree(address))).toBe(stop);
    expect([[...kernel.table.leaves()], ram.stats(), kernel.vmallocinfo()]).toEqual(before);
    world.mend();
    kernel.vfree(address);
    world.expectAllBack();
  });
});
