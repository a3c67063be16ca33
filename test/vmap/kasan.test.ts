import { VM_NO_GUARD, VM_SPARSE } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { type KernelOptions, kernelOf } from './support/kernel.js';

const PAGE = 4096;
const BYTES = 4096n;
/** Bytes of addresses whose shadow is one page. */
const SHADOWED = 8n * BYTES;

/** Where the shadow lies (KASAN_SHADOW_START and _END), and what is added to an address / 8 (KASAN_SHADOW_OFFSET). */
const SHADOWS = {
  'x86-64': { start: 0xffff_ec00_0000_0000n, end: 0xffff_fc00_0000_0000n, offset: 0xdfff_fc00_0000_0000n },
  'arm64-4k-48': {
    ...{ start: 0xffff_6000_0000_0000n, end: 0xffff_8000_0000_0000n, offset: 0xdfff_8000_0000_0000n },
  },
  'riscv64-sv48': {
    ...{ start: 0xffff_efff_0000_0000n, end: 0xffff_ffff_0000_0000n, offset: 0xdfff_ffff_0000_0000n },
  },
} as const;

/** A kernel with the shadow of KASAN: mm/kasan/shadow.c on top of the library. */
function withShadow(name: keyof typeof SHADOWS, options: KernelOptions = {}) {
  const made = kernelOf(name, options);
  const { kernel, linux, ram } = made;
  const { start, end, offset } = SHADOWS[name];
  const region = kernel.getVmAreaNode({
    ...{ size: end - start, flags: VM_SPARSE | VM_NO_GUARD, window: { start, end } },
    caller: 'kasan_init',
  });
  const shadowOf = (address: bigint) => (address >> 3n) + offset;
  const down = (address: bigint, unit: bigint) => address - (address % unit);
  const up = (address: bigint, unit: bigint) => down(address + unit - 1n, unit);

  /** Populates a range of the shadow where it is empty. */
  const populateShadow = (from: bigint, to: bigint) => {
    const taken: number[] = [];
    try {
      kernel.applyToPageRange(from, to - from, (slot) => {
        if (slot.entry !== 0n) return;
        const pfn = ram.allocate();
        taken.push(pfn);
        slot.setLeaf(pfn, linux.protections.PAGE_KERNEL);
      });
    } catch (error) {
      // None of them is mapped: the frames are still ours.
      ram.freeMany(taken);
      throw error;
    }
    return taken.length;
  };

  /** kasan_populate_vmalloc: the shadow is rounded outwards to pages, and part of it may be populated already. */
  const populate = (address: bigint, bytes: bigint) =>
    populateShadow(down(shadowOf(address), BYTES), up(shadowOf(address + bytes), BYTES));

  /** Frees the frames of a range of the shadow, after the flush. */
  const releaseShadow = (from: bigint, to: bigint) => {
    const gone: number[] = [];
    kernel.applyToExistingPageRange(from, to - from, (slot) => {
      gone.push(slot.pfn);
      slot.set(0, 0);
    });
    ram.freeMany(gone);
    return gone.length;
  };

  /** kasan_release_vmalloc: rounded inwards, unless the free region around it covers all addresses of a shadow page. */
  const release = (from: bigint, to: bigint, free: { readonly start: bigint; readonly end: bigint }) => {
    let first = up(from, SHADOWED);
    let last = down(to, SHADOWED);
    if (from !== first && up(free.start, SHADOWED) < first) first -= SHADOWED;
    if (to !== last && down(free.end, SHADOWED) > last) last += SHADOWED;
    return last > first ? releaseShadow(shadowOf(first), shadowOf(last)) : 0;
  };
  return { ...made, region, shadowOf, populate, populateShadow, release, releaseShadow };
}

describe.each(Object.keys(SHADOWS) as (keyof typeof SHADOWS)[])('the shadow of KASAN on %s', (name) => {
  const { start, end } = SHADOWS[name];

  test('fills a window of its own, and takes no table', () => {
    const { kernel, region, frames, at, shadowOf } = withShadow(name);
    expect([region.addr, region.bytes, region.size]).toEqual([start, end - start, end - start]);
    expect(frames.stats().allocated).toBe(1);
    expect(codeOf(() => kernel.getVmAreaNode({ size: PAGE, window: { start, end } }))).toBe('ENOMEM');
    expect(kernel.vmalloc(PAGE)).toBe(at(0));
    expect(kernel.findVmArea(shadowOf(at(0)))).toBe(region);
    expect(kernel.isVmallocAddr(region.addr)).toBe(false);
  });

  test('is populated where it is empty, range by overlapping range', () => {
    const { kernel, region, ram, flushes, populate, shadowOf, at } = withShadow(name);
    // 4, 21 and 6 pages with the guard: their shadow is in the shadow pages 0, 0 to 3, and 3.
    const areas = [3, 20, 5].map((pages) => ({ address: kernel.vmalloc(pages * PAGE), pages }));
    expect(areas.map(({ address }) => address)).toEqual([at(0), at(4), at(25)]);
    const before = ram.stats().allocated;
    const made = areas.map(({ address, pages }) => populate(address, BigInt(pages) * BYTES));
    expect(made).toEqual([1, 2, 1]);
    const shadow = [...kernel.table.leaves(start, end - start)];
    for (const { address, pages } of areas) populate(address, BigInt(pages) * BYTES);
    // A range that covers all of them, with more on both sides.
    expect(populate(at(0), 40n * BYTES)).toBe(1);
    expect([...kernel.table.leaves(start, end - start)].slice(0, shadow.length)).toMatchObject(
      shadow.map(({ va, pfn }) => ({ va, pfn })),
    );
    expect(ram.stats().allocated - before).toBe(5);
    expect(region.populated()).toEqual({ pages: 5, leaves: [{ bytes: PAGE, count: 5 }] });
    expect(kernel.vmallocToPage(shadowOf(at(40)))).toBeNull();
    expect(flushes).toEqual([]);
  });

  test('is freed across holes with one flush, before its frames are freed', () => {
    const seen: number[] = [];
    const made = withShadow(name, { onFlush: () => seen.push(made.ram.stats().allocated) });
    const { kernel, region, ram, flushes, populate, release, shadowOf, at } = made;
    // Three ranges far apart, each in a table of its own.
    for (const page of [0, 2 ** 13, 2 ** 14 + 8]) populate(at(page), 16n * BYTES);
    expect(ram.stats().allocated).toBe(6);
    const all = { start: at(0), end: at(2 ** 15) };
    // Nothing is mapped there, so nothing is flushed.
    expect(release(at(64), at(128), all)).toBe(0);
    expect(flushes).toEqual([]);
    expect(release(at(0), at(2 ** 13 + 8), all)).toBe(3);
    expect([seen, ram.stats().allocated]).toEqual([[6], 3]);
    const [{ va, bytes }] = flushes as [{ va: bigint; bytes: bigint }];
    expect(va <= shadowOf(at(0)) && va + bytes >= shadowOf(at(2 ** 13 + 8))).toBe(true);
    expect(kernel.vmallocToPage(shadowOf(at(2 ** 13 + 8)))).not.toBeNull();
    // A shadow page whose addresses are partly in use stays, unless those around are free as well.
    const inside = { start: at(2 ** 13 + 9), end: at(2 ** 13 + 15) };
    expect(release(inside.start, inside.end, inside)).toBe(0);
    expect(release(inside.start, inside.end, all)).toBe(1);
    expect(release(at(2 ** 14), at(2 ** 15), all)).toBe(2);
    expect([seen, ram.stats().allocated, region.populated().pages]).toEqual([[6, 3, 2], 0, 0]);
  });

  test('is left as it was by a populate that finds no frame for a table', () => {
    for (let left = 0; ; left++) {
      const { kernel, region, frames, ram, flushes, populateShadow, shadowOf, at } = withShadow(name);
      const shadow = shadowOf(at(0));
      populateShadow(shadow, shadow + 2n * BYTES);
      frames.allocateMany(frames.stats().free - left);
      const before = [[...kernel.table.leaves()], new Uint8Array(frames.state).slice(), ram.stats()];
      // Across the end of a PTE table, and across populated pages.
      const code = codeOf(() => populateShadow(shadow, shadow + 1500n * BYTES));
      if (code === 'none') {
        expect(left).toBe(2);
        expect(region.populated().pages).toBe(1500);
        break;
      }
      expect(code).toBe('ENOMEM');
      expect([[...kernel.table.leaves()], new Uint8Array(frames.state), ram.stats()]).toEqual(before);
      // A processor may know entries that stood there for a moment: one flush of this range.
      expect(flushes.length).toBeLessThanOrEqual(1);
      for (const { va, bytes } of flushes)
        expect(va >= shadow && va + bytes <= shadow + 1500n * BYTES).toBe(true);
    }
  });

  test('is left as it was when the callback throws, in populating and in freeing', () => {
    const { kernel, frames, ram, flushes, populateShadow, shadowOf, linux, at } = withShadow(name, {
      ramFrames: 700,
    });
    const shadow = shadowOf(at(0));
    populateShadow(shadow, shadow + 100n * BYTES);
    const state = () => [[...kernel.table.leaves()], frames.stats(), ram.stats()];
    const before = state();
    // The frames for pages run out in the second table.
    expect(codeOf(() => populateShadow(shadow, shadow + 1500n * BYTES))).toBe('ENOMEM');
    expect(state()).toEqual(before);
    const stop = new Error('stop');
    for (const makes of [true, false]) {
      const call = makes ? 'applyToPageRange' : 'applyToExistingPageRange';
      expect(() =>
        kernel[call](shadow, 600 * PAGE, (slot) => {
          if (slot.page === 99) throw stop;
          if (slot.entry === 0n) slot.setLeaf(7, linux.protections.PAGE_KERNEL);
          else slot.set(0, 0);
        }),
      ).toThrow(stop);
      expect(state()).toEqual(before);
    }
    // At most one for each call that was undone.
    expect(flushes.length).toBeLessThanOrEqual(3);
  });

  test('bounds every range', () => {
    const { kernel, frames } = withShadow(name);
    const visit = () => undefined;
    for (const call of ['applyToPageRange', 'applyToExistingPageRange'] as const) {
      expect(codeOf(() => kernel[call](start - BYTES, 2 * PAGE, visit))).toBe('EINVAL');
      expect(codeOf(() => kernel[call](end - BYTES, 2 * PAGE, visit))).toBe('ERANGE');
      expect(codeOf(() => kernel[call](start + 8n, PAGE, visit))).toBe('EINVAL');
      expect(codeOf(() => kernel[call](end, PAGE, visit))).toBe('EINVAL');
      expect(codeOf(() => kernel[call](end - BYTES, PAGE, visit))).toBe('none');
    }
    // The calls for sparse areas refuse the area of KASAN: it has no guard.
    const region = kernel.findVmArea(start);
    expect(codeOf(() => kernel.vmAreaMapPages(region as never, start, start + BYTES, [1]))).toBe('EINVAL');
    expect([...kernel.table.leaves()]).toEqual([]);
    expect(frames.stats().allocated).toBeLessThanOrEqual(4);
  });

  test('leaves no table without an owner', () => {
    const { kernel, region, frames, ram, populate, release, releaseShadow, at } = withShadow(name);
    const all = { start: at(0), end: at(2 ** 20) };
    for (let page = 0; page < 2 ** 20; page += 2 ** 16) populate(at(page), 20n * BYTES);
    const tables = frames.stats().allocated;
    release(all.start, all.end, all);
    expect([region.populated().pages, ram.stats().allocated]).toEqual([0, 0]);
    // The tables stay, as in Linux, and are used again.
    for (let page = 0; page < 2 ** 20; page += 2 ** 16) populate(at(page), 20n * BYTES);
    expect(frames.stats().allocated).toBe(tables);
    expect(releaseShadow(start, end)).toBe(48);
    kernel.freeVmArea(region);
    kernel.destroy();
    expect([frames.stats().allocated, ram.stats().allocated]).toEqual([0, 0]);
  });
});
