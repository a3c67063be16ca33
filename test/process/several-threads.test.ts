import {
  AddressSpace,
  check,
  FrameAllocator,
  PageReferences,
  PhysicalMemory,
  Process,
  RegionObject,
  registerRegionKind,
  share,
  Threads,
  userPagesOf,
} from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { programOf, runThread } from '../../packages/core/test/threads/worker.js';
import type { SeenByThread } from './support/several-threads-thread.js';

const PAGE = 4096;

function machine() {
  const threads = Threads.create({ most: 4, logBytes: 64 << 10 });
  const memory = PhysicalMemory.create({ bytes: 8 << 20, shared: true });
  const frames = new FrameAllocator(memory, { threads });
  const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames, threads });
  return { threads, memory, frames, kernel, process: new Process({ kernel }) };
}

/** A process that maps a device by its number. */
function withDevice() {
  const made = machine();
  const { threads, frames, kernel, process } = made;
  const pfn = frames.allocate();
  PageReferences.of(frames).take(pfn);
  const object = new RegionObject({ name: '/dev/x' });
  const operations = {
    fault: (fault: { mapFrame(pfn: number): void }) => {
      fault.mapFrame(pfn);
      return 'mapped' as const;
    },
  };
  const kind = threads.numberOf(object);
  registerRegionKind(threads, kind, { object, operations });
  const device = process.mmap({
    ...{ length: 4 * PAGE, read: true, write: true, shared: true, object, operations },
  });
  return { ...made, pfn, object, operations, kind, device, references: PageReferences.of(kernel.ram) };
}

describe('a process of a kernel of several threads', () => {
  test('is the same in another thread, which changes it, forks it, and meets a region that it does not know', async () => {
    const { threads, frames, kernel, process, device, pfn, references } = withDevice();
    const heap = process.mmap({ length: 1 << 20, read: true, write: true, name: 'heap' });
    expect(process.handleFault(heap, 'write')).toBe('mapped');
    expect(process.handleFault(device, 'read')).toBe('mapped');
    const region = process.findRegion(heap);
    const description = share({ kernel, process });
    const program = programOf(new URL('./support/several-threads-thread.ts', import.meta.url));
    const running = runThread<SeenByThread>(program, { description, heap, device });
    const timer = setInterval(() => threads.quiesce(), 1);
    const seen = await running;
    clearInterval(timer);
    expect(seen.name).toBe('heap');
    expect(seen.faults).toEqual(['mapped', 'mapped']);
    expect(seen.unknown).toMatch(/EINVAL.*this thread does not know kind \d+ of the region/);
    expect(seen.child.split('\n').length).toBe(process.maps().split('\n').length);
    expect(seen.zapped).toBe(1);
    expect(references.count(pfn)).toBe(1);
    expect(seen.number).toBe(process.number);
    // What the thread did is here, too, and regions stay the same objects.
    expect(process.table.translate(heap + BigInt(PAGE))).toBe(seen.page);
    expect(process.findRegion(heap)).toBe(region);
    expect(process.maps()).toContain('other');
    threads.quiesce();
    expect(check(threads).findings).toEqual([]);
    expect(seen.ended).toMatch(/EINVAL: the process was destroyed/);
    process.destroy();
    references.put(pfn);
    threads.quiesce();
    expect(check(threads).findings).toEqual([]);
    kernel.destroy();
    threads.quiesce();
    expect(frames.stats().allocated).toBe(0);
  });

  test('refuses what other threads could not see', () => {
    const { process, kernel, frames } = machine();
    const anonymous = { length: PAGE, read: true, shared: true };
    expect(() => process.mmap(anonymous)).toThrow(/no shared memory without operations/);
    expect(() => process.mmap({ ...anonymous, object: new RegionObject() })).toThrow(
      /no shared memory without/,
    );
    expect(() => process.mmap({ length: PAGE, operations: { fault: () => 'BUS' } })).toThrow(
      /have no number/,
    );
    expect(() => process.mmap({ length: PAGE, data: 1 })).toThrow(/has no `data`/);
    const other = new FrameAllocator(null as never, { first: 5000, frames: 10 });
    expect(() => new Process({ kernel, ram: other })).toThrow(
      /takes its pages from the allocator of the kernel/,
    );
    expect(() => process.mmap({ length: PAGE, name: 'x'.repeat(20_000) })).toThrow(
      /ENOMEM.*names of regions/,
    );
    expect(process.regions()).toEqual([]);
    expect(frames.stats().allocated).toBeGreaterThan(0);
  });

  test('has kinds of regions by number, each number for one pair', () => {
    const { threads, kind, object, operations } = withDevice();
    registerRegionKind(threads, kind, { object, operations });
    for (const wrong of [0, 1.5, 2 ** 31])
      expect(() => registerRegionKind(threads, wrong, { operations })).toThrow(/EINVAL/);
    expect(() => registerRegionKind(threads, kind + 1, { object, operations })).toThrow(
      /registered otherwise/,
    );
    expect(() => registerRegionKind(threads, kind, { operations })).toThrow(/registered otherwise/);
    expect(() => registerRegionKind(threads, kind + 2, { operations: {} })).toThrow(/needs operations/);
  });

  test('loses user pages by its number, and nothing once it is gone', () => {
    const { kernel, process, device, pfn, references } = withDevice();
    for (let page = 0; page < 3; page++) process.handleFault(device + BigInt(page * PAGE), 'write');
    expect(references.count(pfn)).toBe(4);
    const first = Number(device / BigInt(PAGE));
    const pages = userPagesOf(kernel, process.number);
    expect([pages?.zap(first, 1), pages?.zap(first, 1), pages?.zap(first, 4)]).toEqual([1, 0, 2]);
    expect(references.count(pfn)).toBe(1);
    expect(() => pages?.zap(first, 0)).toThrow(/EINVAL/);
    process.destroy();
    expect(userPagesOf(kernel, process.number)).toBeNull();
    expect(userPagesOf(kernel, 12345)).toBeNull();
  });
});
