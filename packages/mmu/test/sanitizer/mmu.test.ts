import { FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { riscv64 } from '@vmarea/riscv64';
import { X8664_INVALIDATIONS, x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { FlushSanitizer, Mmu, shootdown } from '../../src/index.js';
import { briefs } from './support/stage.js';

const KERNEL = protection({ write: true });
const BASE = 0x4000_0000n;
const PAGE = 4096;

/** Two processors under a sanitizer, whose kernel has its tables mapped at their physical addresses. */
function machine({ queued = false } = {}) {
  const memory = PhysicalMemory.create({ bytes: 64 * PAGE });
  const frames = new FrameAllocator(memory);
  const format = x8664();
  const sanitizer = new FlushSanitizer({ memory, frames: [frames], processors: 2 });
  const boot = new PageTable({ format, memory, frames });
  const mmus = [0, 1].map(
    (i) =>
      new Mmu({
        ...{ memory, invalidations: X8664_INVALIDATIONS, observer: sanitizer.processor(i) },
        tables: { format, root: boot.root, controls: format.controls },
      }),
  ) as [Mmu, Mmu];
  const interrupts = shootdown(mmus, { queued });
  const table = new PageTable({
    ...{ format, memory, frames, root: boot.root },
    sink: sanitizer.sink(interrupts),
  });
  table.mapRange(0n, 0n, 64 * PAGE, KERNEL);
  sanitizer.watch({ table });
  /** Stores an entry of an address as the guest's kernel does: through the MMU. */
  const store = (cpu: Mmu, va: bigint, entry: number): void => {
    const address = Number(table.walk(va).steps[3]?.address);
    cpu.store32(0, address, false, entry);
  };
  return { memory, frames, sanitizer, table, interrupts, cpu0: mmus[0], cpu1: mmus[1], store };
}

describe('a guest on two Mmus', () => {
  test.each([
    [false, ['error stale-use local-flush cpu1 0x40000000']],
    [true, []],
  ])('that unmaps by a store and flushes itself alone is found (mended: %s)', (isMended, found) => {
    const { frames, sanitizer, table, cpu0, cpu1, store } = machine();
    table.map(BASE, [frames.allocate()], KERNEL);
    for (const cpu of [cpu0, cpu1]) cpu.load32(0, Number(BASE), false);
    store(cpu0, BASE, 0);
    cpu0.invalidate('INVLPG', BASE);
    if (isMended) cpu1.invalidate('INVLPG', BASE);
    if (isMended) expect(() => cpu1.load32(0, Number(BASE), false)).toThrow();
    else cpu1.load32(0, Number(BASE), false);
    expect(briefs(sanitizer)).toEqual(found);
  });

  test.each([
    [false, ['error frame-freed not-done cpu1 0x40000000']],
    [true, []],
  ])('whose frame is freed before an interrupt is delivered is found (mended: %s)', (isMended, found) => {
    const { frames, sanitizer, table, interrupts, cpu0, cpu1 } = machine({ queued: true });
    const pfn = frames.allocate();
    table.map(BASE, [pfn], KERNEL);
    for (const cpu of [cpu0, cpu1]) cpu.load32(0, Number(BASE), false);
    table.unmap(BASE, PAGE);
    interrupts.deliver(cpu0);
    // It may still serve the page: every shootdown has this moment.
    cpu1.load32(0, Number(BASE), false);
    expect(sanitizer.inFlightUses).toBe(1);
    if (isMended) interrupts.deliver(cpu1);
    frames.free(pfn);
    interrupts.deliver();
    expect(briefs(sanitizer)).toEqual(found);
  });

  test('sees each of two stores of one entry', () => {
    const { frames, sanitizer, table, cpu0, store } = machine();
    const [first, second] = [frames.allocate(), frames.allocate()];
    table.map(BASE, [first], KERNEL);
    const entry = Number((table.walk(BASE).steps[3]?.entry as bigint) & 0xffff_ffffn);
    store(cpu0, BASE, 0);
    store(cpu0, BASE, entry + ((second - first) << 12));
    sanitizer.checkpoint();
    expect(briefs(sanitizer)).toEqual(['error address-reused no-flush cpu0 0x40000000']);
  });
});

describe('a kernel that changes the modes of its processor', () => {
  /** A hart with a page of user mode at BASE, which its kernel may touch while SUM is set. */
  function hart(controls = {}) {
    const memory = PhysicalMemory.create({ bytes: 64 * PAGE });
    const frames = new FrameAllocator(memory);
    const format = riscv64({ mode: 'sv39' });
    const sanitizer = new FlushSanitizer({ memory, frames: [frames], processors: 1 });
    const table = new PageTable({ format, memory, frames, sink: sanitizer.sink() });
    const mmu = new Mmu({
      ...{ memory, observer: sanitizer.processor(0) },
      tables: { format, root: table.root, controls: format.controls },
    });
    sanitizer.watch({ table, controls });
    const user = protection({ user: true });
    table.map(BASE, [frames.allocate()], user);
    return { frames, sanitizer, table, mmu, user };
  }

  test('and reads a page of user mode while SUM is set leaves nothing stale', () => {
    const { sanitizer, mmu } = hart();
    for (const sum of [true, false, true]) {
      mmu.setControls({ sum });
      for (let i = 0; i < 2; i++) expect(mmu.translate(0, Number(BASE), 'read', false) >= 0).toBe(sum);
    }
    expect(briefs(sanitizer)).toEqual([]);
  });

  test('is not accused of an older entry when SUM explains the fault', () => {
    const { frames, sanitizer, table, mmu, user } = hart({ sum: true });
    table.unmap(BASE, PAGE);
    mmu.sink.flush(BASE, BigInt(PAGE), 12, [], 0);
    table.map(BASE, [frames.allocate()], user);
    mmu.setControls({ sum: false });
    expect(mmu.translate(0, Number(BASE), 'read', false)).toBe(-1);
    expect(briefs(sanitizer)).toEqual([]);
  });
});
