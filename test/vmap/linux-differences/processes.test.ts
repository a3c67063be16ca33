import {
  AddressSpace,
  FrameAllocator,
  PageReferences,
  PhysicalMemory,
  Process,
  type Region,
  RegionObject,
  type RegionOperations,
  registerRegionKind,
  Threads,
} from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { x8664, x8664Linux } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { machineOf } from '../../process/support/processes.js';

const RW = { read: true, write: true };
const PAGE = 4096n;

describe('processes', () => {
  test('D56: mprotect with a hole in the middle is ENOMEM, and changes nothing', () => {
    const process = machineOf('x86-64').processOf();
    const at = process.mmap({ length: 4n * PAGE, ...RW });
    process.munmap(at + 2n * PAGE, PAGE);
    const before = process.maps();
    expect(codeOf(() => process.mprotect(at, 4n * PAGE, { read: true }))).toBe('ENOMEM');
    expect(process.maps()).toBe(before);
  });

  test.each(['x86-64', 'arm64-4k-48', 'riscv64-sv48'])(
    'D57: a page without rights on %s is valid for the kernel alone',
    (name) => {
      const { processOf, page } = machineOf(name);
      const process = processOf();
      const at = process.mmap({ length: page, ...RW });
      process.handleFault(at, 'write');
      const pa = process.table.translate(at);
      process.mprotect(at, page, {});
      expect(process.table.translate(at)).toBe(pa);
      for (const kind of ['read', 'write', 'execute'] as const) {
        expect(process.table.walk(at, { kind, user: true }).fault).not.toBeNull();
        expect(process.handleFault(at, kind)).toBe('SEGV');
      }
      process.mprotect(at, page, RW);
      expect(process.handleFault(at, 'write')).toBe('mapped');
      expect(process.table.translate(at)).toBe(pa);
    },
  );

  test('D58: the first process splits the leaves of the root on riscv64-sv39', () => {
    const { kernel, processOf } = machineOf('riscv64-sv39');
    const before = kernel.ioremap(1n << 34n, 1n << 30n);
    expect(kernel.table.walk(before).leaf?.leafShift).toBe(30);
    processOf();
    expect(kernel.table.walk(before).leaf?.leafShift).toBe(21);
    const after = kernel.ioremap(1n << 35n, 1n << 30n);
    expect(kernel.table.walk(after).leaf?.leafShift).toBe(21);
  });

  test.each([
    ['x86-64', 0x7fff_f7ff_f000n],
    ['x86-64-la57', 0x7fff_f7ff_f000n],
    ['arm64-4k-48', 0xffff_f800_0000n],
    ['arm64-64k-52', 0xffff_f800_0000n],
    ['riscv64-sv39', 0x3f_f800_0000n],
    ['riscv64-sv57', 0x7fff_f800_0000n],
  ])('D59: mmap on %s begins below a gap that is not random', (name, base) => {
    const { processOf, page } = machineOf(name);
    expect(processOf().mmap({ length: page })).toBe(base - page);
    expect(processOf().mmap({ length: page })).toBe(base - page);
  });

  test('D60: a shared page faults once after an mprotect that private pages were part of', () => {
    const process = machineOf('x86-64').processOf();
    const own = process.mmap({ length: PAGE, read: true });
    const shared = process.mmap({ length: PAGE, shared: true, ...RW });
    process.handleFault(shared, 'write');
    process.mprotect(shared, PAGE, { read: true });
    process.mprotect(shared, own + PAGE - shared, RW);
    const pa = process.table.translate(shared);
    expect(process.table.walk(shared, { kind: 'write', user: true }).fault).not.toBeNull();
    expect(process.handleFault(shared, 'write')).toBe('mapped');
    expect(process.table.walk(shared, { kind: 'write', user: true }).fault).toBeNull();
    expect(process.table.translate(shared)).toBe(pa);
  });

  test('D61: a block of frames goes back when no process maps a part of it', () => {
    const { kernel, processOf, frames } = machineOf('x86-64', { tablePages: 2048 });
    const process = processOf();
    const huge = kernel.vmallocNodeRange({ size: 2 << 20, flags: 0x408 });
    const head = kernel.vmallocToPfn(huge);
    const at = process.mmap({ length: 2n * PAGE, shared: true, object: new RegionObject(), ...RW });
    kernel.remapVmallocRange(process.findRegion(at) as Region, huge);
    kernel.vfree(huge);
    process.munmap(at, PAGE);
    expect(frames.isAllocated(head, 9)).toBe(true);
    process.munmap(at + PAGE, PAGE);
    expect(frames.isAllocated(head, 9)).toBe(false);
  });

  test('D62: a call that fails leaves what was in its way', () => {
    const process = machineOf('x86-64').processOf();
    const at = process.mmap({ length: 2n * PAGE, ...RW });
    process.handleFault(at, 'write');
    const pa = process.table.translate(at);
    const refuse = (): never => {
      throw new RangeError('no');
    };
    expect(() =>
      process.mmap({ length: PAGE, address: at, fixed: 'replace', operations: { mmap: refuse } }),
    ).toThrow('no');
    const from = process.mmap({ length: PAGE, shared: true, operations: { mremap: refuse }, ...RW });
    expect(() => process.mremap(from, PAGE, PAGE, { mayMove: true, fixed: at })).toThrow('no');
    expect(process.table.translate(at)).toBe(pa);
    expect(process.findRegion(at)?.operations).toBeNull();
  });

  test('D63: without frames a fault is OOM, and other calls are ENOMEM', () => {
    const { processOf, frames } = machineOf('x86-64');
    const process = processOf();
    const at = process.mmap({ length: PAGE, ...RW });
    const taken = frames.allocateMany(frames.stats().free);
    expect(process.handleFault(at, 'write')).toBe('OOM');
    expect(codeOf(() => process.fork())).toBe('ENOMEM');
    frames.freeMany(taken);
    expect(process.handleFault(at, 'write')).toBe('mapped');
  });

  test('D93: a dirty page that loses the right to write on x86-64 is clean, and bit 58 is not used', () => {
    const process = machineOf('x86-64').processOf();
    const at = process.mmap({ length: PAGE, ...RW });
    process.handleFault(at, 'write');
    const flagsAt = () => process.table.leaves(at, PAGE).next().value?.flags as bigint;
    const before = flagsAt();
    process.mprotect(at, PAGE, { read: true });
    const after = flagsAt();
    expect((before >> 6n) & 1n).toBe(1n);
    expect([6n, 58n, 1n].map((bit) => (after >> bit) & 1n)).toEqual([0n, 0n, 0n]);
  });

  test('D94: a process that threads share leaves pages of operations to faults when it forks or moves them', () => {
    const threads = Threads.create({ most: 2, logBytes: 64 << 10 });
    const memory = PhysicalMemory.create({ bytes: 4 << 20, shared: true });
    const frames = new FrameAllocator(memory, { threads });
    const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames, threads });
    const process = new Process({ kernel });
    const references = PageReferences.of(frames);
    const pfn = frames.allocate();
    references.take(pfn);
    const object = new RegionObject();
    const operations: RegionOperations = {
      fault(fault) {
        fault.mapFrame(pfn);
        return 'mapped';
      },
    };
    registerRegionKind(threads, threads.numberOf(object), { object, operations });
    const device = process.mmap({ length: 4n * PAGE, shared: true, object, operations, ...RW });
    process.handleFault(device, 'write');
    const child = process.fork();
    expect(child.table.translate(device)).toBeNull();
    expect(child.handleFault(device, 'read')).toBe('mapped');
    expect(references.count(pfn)).toBe(3);
    const to = process.mremap(device, 4n * PAGE, 4n * PAGE, { mayMove: true, fixed: device - 0x100000n });
    expect(process.table.translate(to)).toBeNull();
    expect(references.count(pfn)).toBe(2);
    child.destroy();
    process.destroy();
    expect(references.count(pfn)).toBe(1);
  });
});
