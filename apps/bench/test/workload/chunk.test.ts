import { random } from '@vmarea/compare';
import { type AddressSpace, FrameAllocator, type VmArea } from '@vmarea/core';
import { describe, expect, it } from 'vitest';
import { Chunk } from '../../src/workload/percpu/chunk.js';

const PAGE = 4096;
const PAGES = 4;

/** A chunk whose area records what is mapped. */
function chunkOf(units: number, frames = 100) {
  const mapped = new Map<number, number>();
  const ram = new FrameAllocator(null, { first: 0, frames });
  const area = {
    pages: units * PAGES,
    map(page: number, frame: number) {
      if (mapped.has(page)) throw new Error(`page ${page} is mapped twice`);
      mapped.set(page, frame);
    },
  } as unknown as ReturnType<AddressSpace['getVmArea']> & VmArea;
  return { chunk: new Chunk(area, ram, PAGES, PAGE), mapped, ram };
}

describe('a chunk of per-cpu memory', () => {
  it.each([1, 2, 3])('takes the first range that fits, and frees all (seed %d)', (seed) => {
    const { chunk } = chunkOf(1);
    const source = random(seed);
    const used = new Uint8Array(PAGES * PAGE);
    const held: { offset: number; size: number }[] = [];
    for (let i = 0; i < 3000; i++) {
      if (source.next(5) < 3) {
        const size = 4 * (1 + source.next(PAGE / 8));
        const align = 2 ** (2 + source.next(10));
        // The judge looks at every byte.
        let first = -1;
        for (let at = 0; at + size <= used.length && first < 0; at += align)
          if (used.subarray(at, at + size).every((byte) => byte === 0)) first = at;
        expect(chunk.take(size, align)).toBe(first);
        if (first < 0) continue;
        used.fill(1, first, first + size);
        held.push({ offset: first, size });
      } else if (held.length > 0) {
        const [one] = held.splice(source.next(held.length), 1) as [{ offset: number; size: number }];
        chunk.give(one.offset, one.size);
        used.fill(0, one.offset, one.offset + one.size);
      }
      expect(chunk.isEmpty).toBe(held.length === 0);
    }
    for (const { offset, size } of held) chunk.give(offset, size);
    expect(chunk.isEmpty).toBe(true);
    expect(chunk.take(PAGES * PAGE, 4)).toBe(0);
  });

  it('maps the pages of an object once, in every unit', () => {
    const { chunk, mapped, ram } = chunkOf(3);
    expect(chunk.populate(PAGE - 8, 16)).toBe(true);
    expect([...mapped.keys()].sort((a, b) => a - b)).toEqual([0, 1, 4, 5, 8, 9]);
    expect(new Set(mapped.values()).size).toBe(6);
    expect(chunk.populate(0, 2 * PAGE)).toBe(true);
    expect(mapped.size).toBe(6);
    chunk.release();
    expect(ram.stats().allocated).toBe(0);
  });

  it('fails without frames, and keeps none', () => {
    const { chunk, ram } = chunkOf(3, 4);
    expect(chunk.populate(0, 2 * PAGE)).toBe(false);
    chunk.release();
    expect(ram.stats().allocated).toBe(0);
  });
});
