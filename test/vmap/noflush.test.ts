import { AddressSpace, FrameAllocator, PhysicalMemory, Threads, VM_SPARSE, wasmLoops } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { configuration, kernelOf } from './support/kernel.js';

/** What a sink is told. */
type Told = readonly [what: string, va: bigint, bytes: bigint];

function area(name: Parameters<typeof kernelOf>[0]) {
  const told: Told[] = [];
  const made = kernelOf(name, {
    sink: {
      flush: (va, bytes) => told.push(['flush', va, bytes]),
      deferred: (va, bytes, until) => told.push([until, va, bytes]),
    },
  });
  const pages = 2 ** 13;
  const one = made.kernel.getVmArea(pages * 2 ** made.pageShift, VM_SPARSE);
  return { ...made, told, area: one, page: BigInt(2 ** made.pageShift) };
}

describe.each(['x86-64', 'arm64-16k-47', 'riscv64-sv39'] as const)('unmapNoflush on %s', (name) => {
  test.each([1, 3, 5000])('removes %i pages and leaves the flush to the caller', (count) => {
    const { kernel, area: one, told, page } = area(name);
    one.map(7, 0x55);
    if (count > 2) one.map(9, 0x66);
    const before = kernel.counters.flushes;
    const removed = one.unmapNoflush(7, count);
    expect([...removed]).toEqual(count > 2 ? [7, 0x55, 9, 0x66] : [7, 0x55]);
    expect(one.frameAt(7)).toBe(-1);
    expect(told.map(([what]) => what)).toEqual(['batch']);
    expect(kernel.counters.flushes).toBe(before);
    // The pages can be mapped again at once: what stands between is the caller's.
    one.map(7, 0x77);
    one.flush(7, count);
    expect(told.at(-1)).toEqual(['flush', one.addr + 7n * page, BigInt(count) * page]);
    expect(kernel.counters.flushes).toBe(before + 1);
    expect(one.frameAt(7)).toBe(0x77);
  });

  test('tells no sink when nothing was mapped', () => {
    const { area: one, told } = area(name);
    expect(one.unmapNoflush(0, 100)).toHaveLength(0);
    expect(told).toEqual([]);
  });
});

test('unmapNoflush and flush work in a space of several threads', () => {
  const threads = Threads.create();
  const { format, linux } = configuration('x86-64');
  const memory = PhysicalMemory.create({ bytes: 4 << 20, shared: true, loops: wasmLoops });
  const frames = new FrameAllocator(memory, { threads });
  const told: string[] = [];
  const kernel = new AddressSpace({
    ...{ format, linux, memory, frames, threads },
    sink: { flush: () => told.push('flush'), deferred: (_, __, until) => told.push(until) },
  });
  const area = kernel.getVmArea(64 * 4096, VM_SPARSE);
  area.map(3, [frames.allocate(), frames.allocate()]);
  for (const [page, count] of [
    [3, 1],
    [0, 64],
  ] as const) {
    told.length = 0;
    expect(area.unmapNoflush(page, count)).toHaveLength(2);
    area.flush(page, count);
    expect(told).toEqual(['batch', 'flush']);
  }
  expect(area.populated().pages).toBe(0);
  threads.leave();
});
