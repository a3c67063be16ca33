import {
  attachFrames,
  FrameAllocator,
  PageTable,
  PageTableReader,
  PhysicalMemory,
  parseVmallocinfo,
  protection,
  restoreSnapshot,
  takeSnapshot,
  VmapAreas,
} from '@vmarea/core';
import { machine, refusal } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { x86 } from '../formats/x86.js';

/** A proxy that answers nothing any more: every look at it throws a TypeError. */
function revoked(target: object = {}): never {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy as never;
}

const four = x86(4);
const WRITE = protection({ write: true });

describe('a revoked proxy is refused with EINVAL', () => {
  const { table, memory, frames } = machine(four);
  const window = { start: 0n, end: 1n << 40n };
  test.each([
    ['as options', () => new FrameAllocator(null, revoked())],
    ['as a memory', () => new FrameAllocator(revoked())],
    ['as the options of a memory', () => PhysicalMemory.create(revoked())],
    ['as banks', () => PhysicalMemory.of(revoked([]))],
    ['as a bank', () => PhysicalMemory.of([revoked()])],
    ['as a state', () => attachFrames(revoked())],
    ['as an order', () => frames.allocate(revoked())],
    ['as a list to free', () => frames.freeMany(revoked([]))],
    ['as the options of a table', () => new PageTable(revoked())],
    ['as a format', () => new PageTable({ format: revoked(), memory, frames })],
    ['as the memory of a table', () => new PageTable({ format: four, memory: revoked(), frames })],
    ['as the frames of a table', () => new PageTable({ format: four, memory, frames: revoked() })],
    ['as a sink', () => new PageTable({ format: four, memory, frames, sink: revoked() })],
    ['as a flush', () => new PageTable({ format: four, memory, frames, sink: { flush: revoked(() => 0) } })],
    ['as controls', () => new PageTableReader({ format: four, memory, root: 0n, controls: revoked() })],
    ['as an address', () => table.map(revoked(), [1], WRITE)],
    ['as a list of frames', () => table.map(0n, revoked([]), WRITE)],
    ['as a frame', () => table.map(0n, [revoked()], WRITE)],
    ['as a protection', () => table.map(0n, [1], revoked())],
    ['as a member of a protection', () => table.map(0n, [1], { ...WRITE, memory: revoked() })],
    ['as the options of map', () => table.map(0n, [1], WRITE, revoked())],
    ['as pieces', () => table.mapMany(revoked([]))],
    ['as a piece', () => table.mapMany([revoked()])],
    ['as ranges', () => table.protectMany(revoked([]), { write: false })],
    ['as a table', () => takeSnapshot(revoked())],
    ['as a snapshot', () => restoreSnapshot(table, revoked())],
    ['as text', () => parseVmallocinfo(revoked())],
    ['as the options of areas', () => new VmapAreas(revoked())],
    ['as early areas', () => new VmapAreas({ window, pageShift: 12, early: revoked([]) })],
    [
      'as an early area',
      () => new VmapAreas({ window, pageShift: 12, early: [{ address: 0n, bytes: 4096n, info: revoked() }] }),
    ],
  ])('%s', (_name, call) => {
    expect(refusal(call).code).toBe('EINVAL');
    expect([...table.leaves()]).toEqual([]);
  });

  test('and the message says what it is', () => {
    expect(refusal(() => table.map(revoked(), [1], WRITE)).message).toContain('is a revoked proxy');
    const error = refusal(() => new PageTable({ format: four, memory, frames, sink: revoked(() => 0) }));
    expect(error.message).toBe('EINVAL: the option `sink` of PageTable is a revoked proxy');
  });
});

describe('a list that holds nothing', () => {
  const huge = new Array(2 ** 32 - 1) as never;
  const window = { start: 0n, end: 1n << 40n };
  test.each([
    ['of frames', () => machine(four).table.map(0n, huge, WRITE)],
    ['of pieces', () => machine(four).table.mapMany(huge)],
    ['of banks', () => PhysicalMemory.of(huge)],
    ['of early areas', () => new VmapAreas({ window, pageShift: 12, early: huge })],
    ['of offsets', () => new VmapAreas({ window, pageShift: 12 }).reservePercpu(huge, [4096], 4096n)],
    ['of reserved ranges', () => new FrameAllocator(null, { first: 0, frames: 8, reserved: huge })],
  ])('%s is refused at its first hole, however long it is', (_name, call) => {
    expect(refusal(call).code).toBe('EINVAL');
  });
});
