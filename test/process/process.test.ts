import { type Process, RegionObject } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { CONFIGURATIONS } from '../vmap/support/kernel.js';
import { bytesOf, machineOf } from './support/processes.js';

const RW = { read: true, write: true };
const NAMES = CONFIGURATIONS.map(({ name }) => name);

describe.each(NAMES)('a process on %s', (name) => {
  test('maps zeros on demand, and copies on write', () => {
    const machine = machineOf(name);
    const { processOf, frames, page, user } = machine;
    const before = frames.stats().allocated;
    const process = processOf();
    const heap = process.mmap({ length: 3n * page, ...RW });
    expect(heap).toBe(user.mmapBase - 3n * page);
    expect(process.table.translate(heap)).toBeNull();
    expect(process.handleFault(heap, 'read')).toBe('mapped');
    expect(process.table.walk(heap, { kind: 'read', user: true }).fault).toBeNull();
    expect(process.table.walk(heap, { kind: 'write', user: true }).fault).not.toBeNull();
    expect(process.handleFault(heap + 5n, 'write')).toBe('mapped');
    expect(process.table.walk(heap, { kind: 'write', user: true }).fault).toBeNull();
    bytesOf(machine, process, heap)[7] = 9;
    const child = process.fork();
    expect(process.table.walk(heap, { kind: 'write', user: true }).fault).not.toBeNull();
    expect(child.table.translate(heap)).toBe(process.table.translate(heap));
    expect(child.handleFault(heap, 'write')).toBe('mapped');
    bytesOf(machine, child, heap)[7] = 4;
    expect(bytesOf(machine, process, heap)[7]).toBe(9);
    const pa = process.table.translate(heap);
    expect(process.handleFault(heap, 'write')).toBe('mapped');
    expect(process.table.translate(heap)).toBe(pa);
    expect(process.handleFault(heap, 'execute')).toBe('SEGV');
    expect(process.handleFault(heap - 1n, 'read')).toBe('SEGV');
    expect(process.handleFault(machine.linux.window.start, 'read')).toBe('SEGV');
    process.destroy();
    child.destroy();
    const after = frames.stats().allocated;
    machine.kernel.destroy();
    expect(frames.stats().allocated).toBe(0);
    expect(after).toBeGreaterThanOrEqual(before);
  });

  test('shares memory with its child, and moves it', () => {
    const machine = machineOf(name);
    const { processOf, page, frames } = machine;
    const process = processOf();
    const at = process.mmap({ length: 2n * page, shared: true, ...RW });
    process.handleFault(at, 'write');
    bytesOf(machine, process, at)[1] = 3;
    const child = process.fork();
    expect(child.table.translate(at)).toBeNull();
    child.handleFault(at, 'write');
    expect(bytesOf(machine, child, at)[1]).toBe(3);
    const moved = process.mremap(at, 2n * page, 5n * page, { mayMove: true });
    expect(bytesOf(machine, process, moved)[1]).toBe(3);
    expect(process.findRegion(moved)?.pgoff).toBe(0);
    expect(codeOf(() => machine.kernel.destroy())).toBe('EBUSY');
    process.destroy();
    child.destroy();
    machine.kernel.destroy();
    expect(frames.stats().allocated).toBe(0);
  });

  test('has pages of a region taken away from every process', () => {
    const machine = machineOf(name);
    const { processOf, page, ram, flushes } = machine;
    const object = new RegionObject({ name: 'arena' });
    const pfn = ram.allocate();
    const fault = (one: { mapFrame(pfn: number): void }) => {
      one.mapFrame(pfn);
      return 'mapped' as const;
    };
    const processes: Process[] = [processOf(), processOf()];
    const at = processes.map((one) =>
      one.mmap({ length: 4n * page, shared: true, object, operations: { fault }, ...RW }),
    );
    for (const [i, one] of processes.entries())
      expect(one.handleFault((at[i] as bigint) + page, 'write')).toBe('mapped');
    expect(object.regions).toHaveLength(2);
    flushes.length = 0;
    expect(object.zapRange(1, 1)).toBe(2);
    expect(flushes.map(({ asid }) => asid)).toEqual([1, 2]);
    expect(ram.isAllocated(pfn)).toBe(false);
  });
});
