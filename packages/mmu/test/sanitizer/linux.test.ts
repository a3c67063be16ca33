import { AddressSpace, FrameAllocator, PhysicalMemory, VM_SPARSE } from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { FlushSanitizer } from '../../src/index.js';
import { Cpu, shootdown } from './support/cpu.js';
import { brief, briefs } from './support/stage.js';

/** A kernel with two processors under a sanitizer. */
function kernelOf({ queued = false } = {}) {
  const memory = PhysicalMemory.create({ bytes: 4 << 20 });
  const frames = new FrameAllocator(memory, { frames: 512 });
  const ram = new FrameAllocator(memory, { first: 512, frames: 512 });
  const sanitizer = new FlushSanitizer({ memory, frames: [frames, ram], processors: 2 });
  const cpus: Cpu[] = [];
  const kernel = new AddressSpace({
    ...{ format: x8664(), linux: x8664Linux(), memory, frames, ram },
    sink: sanitizer.sink(shootdown(cpus)),
  });
  sanitizer.watch({ table: kernel.table });
  for (const i of [0, 1]) cpus.push(new Cpu(sanitizer.processor(i), kernel.table, { isPrompt: !queued }));
  const [cpu0, cpu1] = cpus as [Cpu, Cpu];
  return { kernel, memory, frames, ram, sanitizer, cpus, cpu0, cpu1 };
}

const PAGE = 4096;

describe("Linux's lazy scheme", () => {
  test('shows its window from vfree to the purge, as `lazy`', () => {
    const { kernel, sanitizer, cpu1 } = kernelOf();
    const buffer = kernel.vmalloc(3 * PAGE);
    cpu1.access(buffer);
    expect(sanitizer.windows()).toEqual([]);

    kernel.vfree(buffer);
    expect(briefs(sanitizer)).toEqual([`lazy frame-freed purge cpu0 0x${buffer.toString(16)}`]);
    expect(sanitizer.reports[0]).toMatchObject({ bytes: BigInt(3 * PAGE), processors: [0, 1], level: 'PTE' });
    expect(sanitizer.windows()).toMatchObject([
      { class: 'lazy', kind: 'leaf', va: buffer, bytes: BigInt(3 * PAGE), processors: [0, 1] },
    ]);
    cpu1.access(buffer);
    expect(briefs(sanitizer)[1]).toBe(`lazy stale-use purge cpu1 0x${buffer.toString(16)}`);

    kernel.vmUnmapAliases();
    expect(sanitizer.windows()).toEqual([]);
    sanitizer.clear();
    sanitizer.settle();
    kernel.vfree(kernel.vmalloc(PAGE));
    kernel.vmUnmapAliases();
    cpu1.access(buffer);
    expect(sanitizer.errors).toEqual([]);
  });

  test('counts a frame that is handed out in the window as `lazy`, too', () => {
    const { kernel, ram, sanitizer } = kernelOf();
    kernel.vfree(kernel.vmalloc(PAGE));
    ram.allocate();
    expect(sanitizer.reports.map(({ code, class: kind }) => `${kind} ${code}`)).toEqual([
      'lazy frame-freed',
      'lazy frame-reused',
    ]);
  });

  test.each(['vunmap', 'vmUnmapRam'] as const)('covers %s, whose frames stay with their owner', (call) => {
    const { kernel, ram, sanitizer } = kernelOf();
    const pages = [ram.allocate(), ram.allocate()];
    if (call === 'vunmap') kernel.vunmap(kernel.vmap(pages));
    else kernel.vmUnmapRam(kernel.vmMapRam(pages), pages.length);
    expect(sanitizer.windows().map((one) => one.class)).toEqual(['lazy']);
    ram.freeMany(pages);
    expect(sanitizer.reports.map(({ code, class: kind }) => `${kind} ${code}`)).toEqual(['lazy frame-freed']);
    kernel.vmUnmapAliases();
    expect(sanitizer.windows()).toEqual([]);
  });

  test('does not excuse what is flushed at once: a range that vunmapRange removes', () => {
    const { kernel, ram, sanitizer, cpus, cpu0 } = kernelOf({ queued: true });
    const area = kernel.getVmArea(4 * PAGE, VM_SPARSE);
    const page = ram.allocate();
    area.map(0, [page]);
    area.unmap(0, 1);
    cpu0.pending();
    ram.free(page);
    expect(briefs(sanitizer)).toEqual([`error frame-freed not-done cpu1 0x${area.addr.toString(16)}`]);
    for (const cpu of cpus) cpu.pending();
  });

  test('is over when the purge has asked, but a frame is reused before all processors are done', () => {
    const { kernel, ram, sanitizer, cpus } = kernelOf({ queued: true });
    const buffer = kernel.vmalloc(PAGE);
    kernel.vfree(buffer);
    kernel.vmUnmapAliases();
    ram.allocate();
    expect(sanitizer.reports.map(brief)).toEqual([
      `lazy frame-freed purge cpu0 0x${buffer.toString(16)}`,
      `error frame-reused not-done cpu0 0x${buffer.toString(16)}`,
    ]);
    for (const cpu of cpus) cpu.pending();
  });

  test('goes on when the sink of the purge throws', () => {
    const { kernel, ram, sanitizer, cpus } = kernelOf();
    kernel.vfree(kernel.vmalloc(PAGE));
    const flush = cpus[0]?.flush.bind(cpus[0]) as Cpu['flush'];
    Object.assign(cpus[0] as Cpu, {
      flush: () => {
        throw new Error('no interrupt');
      },
    });
    expect(() => kernel.vmUnmapAliases()).toThrow('no interrupt');
    ram.allocate();
    expect(sanitizer.errors).toEqual([]);
    expect(sanitizer.windows()).toMatchObject([{ class: 'lazy' }]);
    Object.assign(cpus[0] as Cpu, { flush });
    kernel.vmUnmapAliases();
    expect(sanitizer.windows()).toEqual([]);
  });
});

describe("the order of Linux's BPF arena", () => {
  /**
   * Frees a page of an arena and allocates its slot again on another processor. Before the three-state slots, the slot could be
   * taken as soon as its entry was clear, and the flush came after the lock was released.
   */
  function arena(isNewOrder: boolean): string[] {
    const { kernel, ram, sanitizer, cpus, cpu1 } = kernelOf({ queued: true });
    const area = kernel.getVmArea(16 * PAGE, VM_SPARSE);
    const flushAll = (): void => {
      for (const cpu of cpus) cpu.pending();
    };
    const slots = new Set(Array.from({ length: 16 }, (_, i) => i));
    const alloc = (page: number): number => {
      const [slot] = slots as unknown as [number];
      slots.delete(slot);
      area.map(slot, [page]);
      return slot;
    };
    const first = ram.allocate();
    const slot = alloc(first);
    cpu1.access(area.addr + BigInt(slot * PAGE));

    area.unmap(slot, 1);
    if (isNewOrder) flushAll();
    slots.clear();
    slots.add(slot);
    alloc(ram.allocate());
    flushAll();
    ram.free(first);
    cpu1.access(area.addr + BigInt(slot * PAGE));
    return sanitizer.reports.map((report) => brief(report).replace(area.addr.toString(16), 'arena'));
  }

  test('in which a slot is available before the flush is reported', () => {
    expect(arena(false)).toEqual(['error address-reused not-done cpu0 0xarena']);
  });

  test('in which the flush comes first is silent', () => {
    expect(arena(true)).toEqual([]);
  });
});
