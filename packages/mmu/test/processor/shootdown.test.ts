import { ARM64_INVALIDATIONS, arm64 } from '@vmarea/arm64';
import { AddressSpace, FrameAllocator, PageTable, PhysicalMemory } from '@vmarea/core';
import { Mmu, type ProcessorObserver, shootdown } from '@vmarea/mmu';
import { x8664, x8664Linux } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { RW, smallMachine, split } from './support/small-machine.js';

const format = x8664();
const VA = 0xffff_8000_0000_0000n;
const AT = split(VA);

function processors(count: number, root = 0n, memory = PhysicalMemory.create({ bytes: 4 << 20 })) {
  const tables = { format, root, controls: format.controls };
  return { memory, all: Array.from({ length: count }, () => new Mmu({ memory, tables })) };
}

describe('the sink of an Mmu', () => {
  test('forgets what a page table changes', () => {
    const memory = PhysicalMemory.create({ bytes: 4 << 20 });
    const { all } = processors(1, 0n, memory);
    const [mmu] = all as [Mmu];
    const frames = new FrameAllocator(memory, { first: 0, frames: 64 });
    const table = new PageTable({ format, memory, frames, sink: mmu.sink });
    expect(table.root).toBe(0n);
    table.map(VA, [700], RW);
    expect(mmu.translate(...AT, 'write', false)).toBe(700);
    table.protect(VA, 4096, { write: false });
    expect(mmu.translate(...AT, 'write', false)).toBe(-1);
    expect(mmu.translate(...AT, 'read', false)).toBe(700);
    table.unmap(VA, 4096);
    table.map(VA, [701], RW);
    expect(mmu.translate(...AT, 'read', false)).toBe(701);
  });

  test('forgets what an address space frees, at the purge', () => {
    const memory = PhysicalMemory.create({ bytes: 8 << 20 });
    const { all } = processors(1, 0n, memory);
    const [mmu] = all as [Mmu];
    const frames = new FrameAllocator(memory);
    const space = new AddressSpace({
      format,
      linux: x8664Linux(),
      memory,
      frames,
      sink: mmu.sink,
      autoPurge: false,
    });
    mmu.switchRoot(space.table.root);
    const va = space.vmalloc(8192);
    mmu.store32(...split(va + 4094n), false, 0x12345678);
    expect(mmu.load16(...split(va + 4096n), false)).toBe(0x1234);
    space.vfree(va);
    space.vmUnmapAliases();
    expect(mmu.translate(...split(va), 'read', false)).toBe(-1);
  });
});

describe('a shootdown', () => {
  test('flushes all processors before it returns', () => {
    const { memory, all } = processors(3);
    const table = new PageTable({
      ...{ format, memory, frames: new FrameAllocator(memory, { first: 0, frames: 64 }) },
      sink: shootdown(all),
    });
    table.map(VA, [700], RW);
    for (const one of all) expect(one.translate(...AT, 'read', false)).toBe(700);
    table.unmap(VA, 4096);
    for (const one of all) expect(one.translate(...AT, 'read', false)).toBe(-1);
  });

  test('that is queued flushes a processor when it is delivered', () => {
    const { memory, all } = processors(2);
    const [first, second] = all as [Mmu, Mmu];
    const sink = shootdown(all, { queued: true });
    const frames = new FrameAllocator(memory, { first: 0, frames: 64 });
    const table = new PageTable({ format, memory, frames, sink });
    table.map(VA, [700], RW);
    for (const one of all) one.translate(...AT, 'read', false);
    table.unmap(VA, 4096);
    expect([sink.pending(), sink.pending(first)]).toEqual([2, 1]);
    expect(all.map((one) => one.translate(...AT, 'read', false))).toEqual([700, 700]);
    expect(sink.deliver(second)).toBe(1);
    expect(all.map((one) => one.translate(...AT, 'read', false))).toEqual([700, -1]);
    expect([sink.deliver(), sink.deliver(), sink.pending()]).toEqual([1, 0, 0]);
    expect(first.translate(...AT, 'read', false)).toBe(-1);
  });

  test('keeps the list of freed tables until it is delivered', () => {
    const seen: number[][] = [];
    const observer = recorder((name, ...rest) => {
      if (name === 'flushDone') seen.push([...(rest[3] as number[])]);
    });
    const memory = PhysicalMemory.create({ bytes: 4 << 20 });
    const mmu = new Mmu({ memory, tables: { format, root: 0n, controls: format.controls }, observer });
    const sink = shootdown([mmu], { queued: true });
    const tables = [5, 6];
    sink.flush(VA, 4096n, 12, tables, 0);
    tables.length = 0;
    sink.deliver();
    expect(seen).toEqual([[5, 6]]);
  });

  test('executes an invalidation where it is broadcast', () => {
    const arm = arm64({ granule: 4, vaBits: 48 });
    const { memory, table } = smallMachine(arm);
    table.map(VA, [700], RW);
    const make = () =>
      new Mmu({
        ...{ memory, invalidations: ARM64_INVALIDATIONS },
        tables: { format: arm, root: table.root, controls: arm.controls },
      });
    const all = [make(), make()] as const;
    const group = shootdown(all);
    const served = () => all.map((one) => one.translate(...AT, 'read', false));
    expect(served()).toEqual([700, 700]);
    table.unmap(VA, 4096);
    group.invalidate(all[0], 'TLBI VAE1', VA, 0);
    expect(served()).toEqual([-1, 700]);
    group.invalidate(all[0], 'TLBI VAE1IS', VA, 0);
    expect(served()).toEqual([-1, -1]);
    expect(() => group.invalidate(make(), 'TLBI VMALLE1IS')).toThrow('none of the processors');
  });

  test('refuses what are no processors', () => {
    expect(() => shootdown([])).toThrow('EINVAL: the processors are no list of at least one Mmu');
    expect(() => shootdown([{} as Mmu])).toThrow('EINVAL');
    expect(() => shootdown(undefined as never)).toThrow('pass [mmu0, mmu1]');
    expect(() => shootdown(processors(1).all[0] as never)).toThrow('pass [mmu0, mmu1]');
    expect(() => shootdown(processors(1).all, { que: true } as never)).toThrow('did you mean `queued`?');
  });
});

function recorder(note: (name: string, ...rest: unknown[]) => void): ProcessorObserver {
  const of =
    (name: string) =>
    (...rest: unknown[]): void =>
      note(name, ...rest);
  return {
    ...{ fill: of('fill'), walkCacheFill: of('walkCacheFill'), use: of('use') },
    ...{ fault: of('fault'), flushDone: of('flushDone'), invalidated: of('invalidated') },
  };
}

test('an observer is told of fills, uses, faults, flushes and invalidations', () => {
  const log: unknown[][] = [];
  const invalidations = ARM64_INVALIDATIONS;
  const arm = arm64({ granule: 16, vaBits: 47 });
  const observer = recorder((...all) => log.push(all));
  const { table, mmu, memory } = smallMachine(arm, { observer, asid: 4 }, undefined, invalidations);
  const va = 0xffff_8000_0000_4000n;
  table.map(va, [130], RW);
  memory.write32(130n << 14n, 7);
  const [hi, lo] = split(va);
  expect(mmu.load32(hi, lo, false)).toBe(7);
  expect(mmu.load32(hi, lo, false)).toBe(7);
  expect(mmu.translate(hi, lo, 'read', true)).toBe(-1);
  mmu.sink.flush(va, 0x4000n, 14, [9], 4);
  mmu.invalidate('TLBI RVAE1', va, 0x8000, 4);
  const read = { kind: 'read', user: false };
  expect(log).toEqual([
    ['fill', 4, hi, lo, 130, 14],
    ['use', 4, hi, lo, 130, read, arm.controls],
    ['fault', 4, hi, lo, { kind: 'read', user: true }, arm.controls],
    ['flushDone', va, 0x4000n, 14, [9], 4],
    ['invalidated', invalidations.find(({ name }) => name === 'TLBI RVAE1'), 4, va, 0x8000n],
  ]);
});
