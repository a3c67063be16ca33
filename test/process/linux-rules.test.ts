import {
  FrameAllocator,
  PageReferences,
  type Process,
  type Region,
  RegionObject,
  type RegionOperations,
  VmError,
} from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { machineOf } from './support/processes.js';

const RW = { read: true, write: true };
const PAGE = 4096n;
const AT = 0x10_0000n;
const FIXED = { address: AT, fixed: 'noReplace' as const };

/** Regions as `first page+pages rights`, counted from AT. */
function shapes(process: Process): string[] {
  return process
    .regions()
    .map(
      ({ start, end, read, write }) =>
        `${(start - AT) / PAGE}+${(end - start) / PAGE}${read ? 'r' : ''}${write ? 'w' : ''}`,
    );
}

describe('mremap', () => {
  const move = { mayMove: true };

  test('refuses a second place that takes the source away', () => {
    const process = machineOf('x86-64').processOf();
    process.mmap({ length: 2n * PAGE, shared: true, ...FIXED, ...RW });
    process.handleFault(AT, 'write');
    const before = [process.maps(), process.table.translate(AT)];
    expect(codeOf(() => process.mremap(AT, 0, PAGE, { ...move, fixed: AT }))).toBe('EFAULT');
    expect([process.maps(), process.table.translate(AT)]).toEqual(before);
  });

  test.each(['x86-64', 'arm64-4k-48', 'riscv64-sv39'])(
    'refuses an old range that leaves the user addresses, and keeps pages, on %s',
    (name) => {
      const { processOf, user } = machineOf(name);
      const process = processOf();
      process.mmap({ length: 4n * PAGE, address: AT + 64n * PAGE, fixed: 'noReplace', ...RW });
      process.handleFault(AT + 64n * PAGE, 'write');
      const frame = process.table.translate(AT + 64n * PAGE);
      for (const old of [user.taskSize, user.taskSize * 4n, 2n ** 62n])
        expect(codeOf(() => process.mremap(AT + 64n * PAGE, old, 2n * PAGE, { ...move, fixed: AT }))).toBe(
          'EINVAL',
        );
      expect(process.table.translate(AT + 64n * PAGE)).toBe(frame);
      expect(shapes(process)).toEqual(['64+4rw']);
    },
  );

  test('of equal lengths does nothing, whatever lies behind', () => {
    const { processOf, user } = machineOf('x86-64');
    const process = processOf();
    process.mmap({ length: PAGE, ...FIXED, ...RW });
    expect(process.mremap(AT, user.taskSize, user.taskSize)).toBe(AT);
    expect(shapes(process)).toEqual(['0+1rw']);
  });

  test('looks at the region before a length above all user addresses', () => {
    const { processOf, user } = machineOf('x86-64');
    const process = processOf();
    process.mmap({ length: PAGE, ...FIXED, ...RW });
    const most = user.taskSize + PAGE;
    const codes = [
      () => process.mremap(AT, 2n * PAGE, most, move),
      () => process.mremap(AT, PAGE, most, move),
      () => process.mremap(AT, PAGE, most),
      () => process.mremap(AT, most + PAGE, most, move),
      () => process.mremap(AT, PAGE, most, { ...move, fixed: AT + PAGE }),
    ].map(codeOf);
    expect(codes).toEqual(['EFAULT', 'ENOMEM', 'ENOMEM', 'EINVAL', 'EINVAL']);
    expect(shapes(process)).toEqual(['0+1rw']);
  });

  test('asks the operations about a place that the caller demands', () => {
    const process = machineOf('x86-64').processOf();
    const asked: unknown[] = [];
    const operations: RegionOperations = {
      getUnmappedArea: ({ address, length, pgoff, fixed, shared }) => {
        asked.push([address, length, pgoff, fixed, shared]);
        if (address !== AT) throw new VmError('EINVAL', 'the arena has one address');
        return address;
      },
    };
    process.mmap({
      length: 2n * PAGE,
      shared: true,
      operations,
      object: new RegionObject(),
      ...FIXED,
      ...RW,
    });
    const fixed = AT + 16n * PAGE;
    expect(codeOf(() => process.mremap(AT + PAGE, PAGE, PAGE, { ...move, fixed }))).toBe('EINVAL');
    expect(asked.at(-1)).toEqual([fixed, PAGE, 1, true, true]);
    expect(shapes(process)).toEqual(['0+2rw']);
  });

  test('checks the region before the lowest address, and the number of regions before the region', () => {
    const process = machineOf('x86-64').processOf();
    process.mmap({ length: PAGE, ...FIXED, ...RW });
    expect(codeOf(() => process.mremap(AT, 2n * PAGE, 2n * PAGE, { ...move, fixed: 0n }))).toBe('EFAULT');
    expect(codeOf(() => process.mremap(AT, PAGE, PAGE, { ...move, fixed: 0n }))).toBe('EPERM');
    // Linux keeps room for two regions more than a move without a place needs.
    const few = machineOf('x86-64').processOf({ mostRegions: 6 });
    few.mmap({ length: PAGE, ...FIXED, ...RW });
    expect(codeOf(() => few.mremap(AT, 2n * PAGE, 2n * PAGE, { ...move, fixed: 0n }))).toBe('ENOMEM');
  });

  test('makes no region with frames of others longer in its place', () => {
    const { processOf, frames } = machineOf('x86-64');
    const process = processOf();
    process.mmap({ length: 2n * PAGE, shared: true, object: new RegionObject(), ...FIXED, ...RW });
    const pfn = frames.allocate();
    PageReferences.of(frames).take(pfn);
    process.insertPage(process.findRegion(AT) as Region, AT, pfn);
    for (const options of [{}, move])
      expect(codeOf(() => process.mremap(AT, 2n * PAGE, 4n * PAGE, options))).toBe('ENOMEM');
    expect(shapes(process)).toEqual(['0+2rw']);
  });
});

describe('mprotect', () => {
  test('splits no region whose rights stay', () => {
    const process = machineOf('x86-64').processOf();
    process.mmap({ length: 4n * PAGE, ...FIXED, read: true });
    process.mmap({ length: 4n * PAGE, address: AT + 4n * PAGE, fixed: 'noReplace', ...RW });
    process.mprotect(AT + 2n * PAGE, 4n * PAGE, { read: true });
    expect(shapes(process)).toEqual(['0+6r', '6+2rw']);
    process.mprotect(AT + 5n * PAGE, 2n * PAGE, RW);
    expect(shapes(process)).toEqual(['0+5r', '5+3rw']);
  });

  test.each([{}, { close: () => {} }])('moves the border of two regions without a split', (more) => {
    const machine = machineOf('x86-64');
    let isBroken = false;
    const sink = {
      flush: () => {
        if (isBroken) throw new Error('the sink is broken');
      },
    };
    const process = machine.processOf({ mostRegions: 2, sink });
    const refuse = (): never => {
      throw new Error('nothing is split');
    };
    const operations: RegionOperations = {
      ...{ maySplit: refuse, open: refuse },
      fault: (one) => {
        one.mapFrame(machine.frames.allocate());
        return 'mapped';
      },
      ...more,
    };
    const object = new RegionObject();
    const map = (page: bigint, rights: object) =>
      process.mmap({
        ...{ length: 4n * PAGE, address: AT + page * PAGE, fixed: 'noReplace', pgoff: 8 + Number(page) },
        ...{ object, operations, shared: true },
        ...rights,
      });
    map(0n, { read: true });
    map(4n, RW);
    process.handleFault(AT + 5n * PAGE, 'write');
    const [low, high] = process.regions() as [Region, Region];
    isBroken = true;
    const first = { va: AT + 4n * PAGE, bytes: 2n * PAGE };
    expect(() => process.mprotect(first.va, first.bytes, { read: true })).toThrow('the sink is broken');
    expect(shapes(process)).toEqual(['0+4r', '4+4rw']);
    isBroken = false;
    process.mprotect(first.va, first.bytes, { read: true });
    expect(shapes(process)).toEqual(['0+6r', '6+2rw']);
    expect(process.table.walk(AT + 5n * PAGE).leaf?.protection.write).toBe(false);
    expect([low.pgoff, high.pgoff]).toEqual([8, 14]);
    process.mprotect(AT + 3n * PAGE, 3n * PAGE, RW);
    expect(shapes(process)).toEqual(['0+3r', '3+5rw']);
    expect(process.table.walk(AT + 5n * PAGE).leaf?.protection.write).toBe(true);
    expect([low.pgoff, high.pgoff]).toEqual([8, 11]);
    expect(process.regions()).toEqual([low, high]);
  });

  test('reports the first error from the lowest address on', () => {
    const process = machineOf('x86-64').processOf();
    process.mmap({ length: PAGE, ...FIXED, read: true, flags: { mayWrite: false } });
    expect(codeOf(() => process.mprotect(AT, 2n * PAGE, RW))).toBe('EACCES');
    expect(codeOf(() => process.mprotect(AT - PAGE, 2n * PAGE, RW))).toBe('ENOMEM');
  });

  test('of no bytes does nothing, as madvise, once the address lies on a page', () => {
    const process = machineOf('x86-64').processOf();
    for (const length of [0, 0n]) {
      expect(codeOf(() => process.mprotect(AT, length, RW))).toBe('none');
      expect(codeOf(() => process.madviseDontNeed(AT, length))).toBe('none');
      expect(codeOf(() => process.mprotect(AT + 1n, length, RW))).toBe('EINVAL');
      expect(codeOf(() => process.madviseDontNeed(AT + 1n, length))).toBe('EINVAL');
      expect(codeOf(() => process.munmap(AT, length))).toBe('EINVAL');
    }
  });
});

describe('frames', () => {
  test.each(['read', 'write'] as const)(
    'of copies in a private region with pfnMap go back, after a %s',
    (kind) => {
      const { processOf, frames } = machineOf('x86-64');
      const process = processOf();
      const pfn = frames.allocate();
      const fault: RegionOperations['fault'] = (one) => {
        one.mapFrame(pfn);
        return 'mapped';
      };
      process.mmap({ length: PAGE, ...FIXED, ...RW, flags: { pfnMap: true }, operations: { fault } });
      const before = frames.stats().allocated;
      expect(process.handleFault(AT, kind)).toBe('mapped');
      expect(process.handleFault(AT, 'write')).toBe('mapped');
      const child = process.fork();
      expect(child.handleFault(AT, 'write')).toBe('mapped');
      child.destroy();
      process.munmap(AT, PAGE);
      expect(frames.stats().allocated).toBeLessThanOrEqual(before);
      process.destroy();
      expect(frames.isAllocated(pfn)).toBe(true);
    },
  );

  test('that are anonymous cannot be inserted', () => {
    const process = machineOf('x86-64').processOf();
    const heap = process.mmap({ length: PAGE, ...RW });
    process.handleFault(heap, 'write');
    process.mmap({ length: PAGE, shared: true, object: new RegionObject(), ...FIXED, ...RW });
    const pfn = Number((process.table.translate(heap) as bigint) / PAGE);
    expect(codeOf(() => process.insertPage(process.findRegion(AT) as Region, AT, pfn))).toBe('EINVAL');
  });

  test('of shared memory go back to the allocator that each came from', () => {
    const { processOf, frames } = machineOf('x86-64');
    const other = new FrameAllocator(null, { pageShift: 12, first: 2 ** 20, frames: 64 });
    const object = new RegionObject();
    const [one, two] = [processOf(), processOf({ ram: other })];
    for (const [i, process] of [one, two].entries()) {
      process.mmap({ length: 2n * PAGE, shared: true, object, ...FIXED, ...RW });
      expect(process.handleFault(AT + BigInt(i) * PAGE, 'write')).toBe('mapped');
    }
    const pfn = Number((one.table.translate(AT) as bigint) / PAGE);
    expect(other.stats().allocated).toBe(1);
    two.destroy();
    one.destroy();
    expect(frames.isAllocated(pfn)).toBe(false);
    expect(other.stats().allocated).toBe(0);
  });
});

describe('fork', () => {
  test('refuses a change of the child by an open', () => {
    const process = machineOf('x86-64').processOf();
    const codes: string[] = [];
    const operations: RegionOperations = {
      open: (region) => {
        codes.push(codeOf(() => (region.process as Process).munmap(region.start, PAGE)));
      },
    };
    process.mmap({ length: PAGE, operations, ...FIXED, ...RW });
    const child = process.fork();
    expect(codes).toEqual(['EBUSY']);
    expect(shapes(child)).toEqual(['0+1rw']);
  });

  test.each(['x86-64', 'arm64-4k-48', 'riscv64-sv39'])('gives the child clean pages on %s', (name) => {
    const { processOf, frames } = machineOf(name);
    const process = processOf();
    process.mmap({ length: PAGE, shared: true, object: new RegionObject(), ...FIXED, ...RW });
    const heap = process.mmap({ length: PAGE, ...RW });
    const pfn = frames.allocate();
    PageReferences.of(frames).take(pfn);
    process.insertPage(process.findRegion(AT) as Region, AT, pfn);
    for (const at of [AT, heap]) expect(process.handleFault(at, 'write')).toBe('mapped');
    const child = process.fork();
    const bits = (one: Process, at: bigint) => one.table.walk(at).leaf?.protection;
    expect(bits(process, AT)).toMatchObject({ write: true, dirty: true, accessed: true });
    expect(bits(child, AT)).toMatchObject({ write: true, dirty: false, accessed: false });
    expect(bits(child, heap)).toMatchObject({ write: false, dirty: false, accessed: false });
    for (const at of [AT, heap]) expect(child.handleFault(at, 'read')).toBe('mapped');
    expect(bits(child, heap)).toMatchObject({ write: false, accessed: true });
    expect(child.handleFault(AT, 'write')).toBe('mapped');
    expect(bits(child, AT)).toMatchObject({ write: true, dirty: true, accessed: true });
    expect(child.table.translate(AT)).toBe(process.table.translate(AT));
  });
});
