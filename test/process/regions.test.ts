import { existsSync, readFileSync } from 'node:fs';
import {
  AddressSpace,
  PageReferences,
  Process,
  type Region,
  type RegionFault,
  RegionObject,
  type RegionOperations,
  VmError,
} from '@vmarea/core';
import { codeOf, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { bytesOf, machineOf } from './support/processes.js';

const RW = { read: true, write: true };
const PAGE = 4096n;

/** The regions of a process as `start+pages rights`. */
function shapes(process: Process, base: bigint): string[] {
  return process
    .regions()
    .map(
      ({ start, end, read, write, shared }) =>
        `${(start - base) / PAGE}+${(end - start) / PAGE}${read ? 'r' : ''}${write ? 'w' : ''}${shared ? 's' : ''}`,
    );
}

describe('neighbours', () => {
  test('merge when rights, marks, object and offsets agree', () => {
    const process = machineOf('x86-64').processOf();
    const top = process.mmap({ length: PAGE, ...RW });
    const base = top - 9n * PAGE;
    process.mmap({ length: PAGE, ...RW });
    expect(shapes(process, base)).toEqual(['8+2rw']);
    process.mmap({ length: PAGE, read: true });
    process.mmap({ length: 2n * PAGE, ...RW });
    expect(shapes(process, base)).toEqual(['5+2rw', '7+1r', '8+2rw']);
    process.mprotect(base + 7n * PAGE, PAGE, RW);
    expect(shapes(process, base)).toEqual(['5+5rw']);
    process.munmap(base + 6n * PAGE, PAGE);
    expect(shapes(process, base)).toEqual(['5+1rw', '7+3rw']);
    process.mmap({ length: PAGE, address: base + 6n * PAGE, fixed: 'noReplace', ...RW });
    expect(shapes(process, base)).toEqual(['5+5rw']);
    const flags = { dontDump: true };
    process.mmap({ length: PAGE, flags, ...RW });
    process.mmap({ length: PAGE, name: 'stack', ...RW });
    process.mmap({ length: PAGE, shared: true, ...RW });
    process.mmap({ length: PAGE, shared: true, ...RW });
    expect(shapes(process, base)).toEqual(['1+1rws', '2+1rws', '3+1rw', '4+1rw', '5+5rw']);
  });

  test('merge over an object only where its offsets go on, and never with close or special marks', () => {
    const process = machineOf('x86-64').processOf();
    const object = new RegionObject();
    const at = 0x10_0000n;
    const map = (page: bigint, pgoff: number, more = {}) =>
      process.mmap({
        length: PAGE,
        address: at + page * PAGE,
        fixed: 'noReplace',
        pgoff,
        object,
        shared: true,
        ...more,
      });
    map(0n, 4);
    map(1n, 5);
    expect(shapes(process, at)).toEqual(['0+2s']);
    map(2n, 7);
    expect(shapes(process, at)).toEqual(['0+2s', '2+1s']);
    const operations: RegionOperations = { close: () => {} };
    map(3n, 8, { operations });
    map(4n, 9, { operations });
    // The second one has no neighbour to go into: its close would not be called.
    expect(shapes(process, at)).toEqual(['0+2s', '2+1s', '3+1s', '4+1s']);
    map(5n, 9, { flags: { dontExpand: true } });
    map(6n, 10, { flags: { dontExpand: true } });
    expect(process.regions()).toHaveLength(6);
    map(32n, 0);
    map(33n, 1, { object: new RegionObject() });
    expect(process.regions()).toHaveLength(8);
  });

  test('stay apart when each has pages of another fork', () => {
    const process = machineOf('x86-64').processOf();
    const top = process.mmap({ length: PAGE, ...RW });
    process.handleFault(top, 'write');
    const child = process.fork();
    // The pages of the child have a family of their own, which takes no other region in.
    child.mmap({ length: PAGE, ...RW });
    expect(shapes(child, top - PAGE)).toEqual(['0+1rw', '1+1rw']);
    process.mmap({ length: PAGE, ...RW });
    expect(shapes(process, top - PAGE)).toEqual(['0+2rw']);
  });
});

describe('mmap', () => {
  test('refuses in the order of Linux', () => {
    const { processOf, user } = machineOf('x86-64');
    const process = processOf({ mostRegions: 1 });
    const at = process.mmap({ length: PAGE, ...RW });
    process.mmap({ length: PAGE, read: true });
    const fixed = 'noReplace';
    const codes = [
      { length: 0, pgoff: 2 ** 50 },
      { length: user.taskSize + 1n, pgoff: 2 ** 50 },
      { length: PAGE, pgoff: 2 ** 50 },
      // Two regions are more than one.
      { length: PAGE, address: at, fixed },
    ].map((request) => codeOf(() => process.mmap(request as never)));
    expect(codes).toEqual(['EINVAL', 'ENOMEM', 'EOVERFLOW', 'ENOMEM']);
    const other = processOf();
    other.mmap({ length: PAGE, address: at, fixed, ...RW });
    const flags = { mayWrite: false };
    expect(
      [
        { length: PAGE, address: user.taskSize, fixed, flags, ...RW },
        { length: PAGE, address: at + 1n, fixed, flags, ...RW },
        { length: PAGE, address: 0n, fixed, flags, ...RW },
        { length: PAGE, address: at, fixed, flags, ...RW },
        { length: PAGE, flags, ...RW },
      ].map((request) => codeOf(() => other.mmap(request as never))),
    ).toEqual(['ENOMEM', 'EINVAL', 'EPERM', 'EEXIST', 'EACCES']);
    expect(other.regions()).toHaveLength(1);
  });

  test('refuses wrong requests with what they are', () => {
    const process = machineOf('x86-64').processOf();
    expect(thrown(() => process.mmap({ length: PAGE, protection: 1 } as never))).toMatch(
      /^EINVAL: mmap\(\) has no option `protection`/,
    );
    expect(thrown(() => process.mmap({ length: PAGE, object: {} } as never))).toBe(
      'EINVAL: object is an object, expected a RegionObject',
    );
    expect(codeOf(() => process.mmap({ length: PAGE, operations: { fault: 1 } } as never))).toBe('EINVAL');
    expect(codeOf(() => process.mmap({ length: PAGE, flags: { dontcopy: true } } as never))).toBe('EINVAL');
    expect(codeOf(() => process.mmap({ length: PAGE, fixed: true } as never))).toBe('EINVAL');
    expect(codeOf(() => process.handleFault(0n, 'fetch' as never))).toBe('EINVAL');
    expect(process.regions()).toEqual([]);
  });

  test('looks from the bottom up when there is no room below the base', () => {
    const { processOf, user } = machineOf('x86-64');
    const process = processOf();
    process.mmap({ length: user.mmapBase - user.minAddress, address: user.minAddress, fixed: 'noReplace' });
    // Below the lowest address, Linux finds a place and then refuses it.
    expect(codeOf(() => process.mmap({ length: PAGE }))).toBe('EPERM');
    expect(process.mmap({ length: 1n << 20n, read: true })).toBe(user.mmapBase);
    expect(codeOf(() => process.mmap({ length: 1n << 40n }))).toBe('ENOMEM');
  });
});

describe('operations', () => {
  /** Operations that note what they are told. */
  function noted(more: RegionOperations = {}) {
    const told: string[] = [];
    const name = ({ start, end }: Region) => `${start.toString(16)}-${end.toString(16)}`;
    const operations: RegionOperations = {
      mmap: (region) => void told.push(`mmap ${name(region)}`),
      open: (region) => void told.push(`open ${name(region)}`),
      close: (region) => void told.push(`close ${name(region)}`),
      ...more,
    };
    return { told, operations };
  }
  const place = { address: 0x10_0000n, fixed: 'noReplace' as const, shared: true };

  test('are told of mmap, split, move, fork and end', () => {
    const process = machineOf('x86-64').processOf();
    const { told, operations } = noted();
    process.mmap({ ...place, length: 4n * PAGE, operations, ...RW });
    process.munmap(0x10_1000n, PAGE);
    process.mremap(0x10_0000n, PAGE, PAGE, { mayMove: true, fixed: 0x20_0000n });
    const child = process.fork();
    child.destroy();
    process.destroy();
    expect(told).toEqual([
      'mmap 100000-104000',
      'open 101000-104000',
      'open 102000-104000',
      'close 101000-102000',
      'open 200000-201000',
      'close 100000-101000',
      'open 102000-104000',
      'open 200000-201000',
      'close 102000-104000',
      'close 200000-201000',
      'close 102000-104000',
      'close 200000-201000',
    ]);
  });

  test('refuse an mmap, a split, a move and a fork, and nothing changes', () => {
    const process = machineOf('x86-64').processOf();
    const refuse = (): never => {
      throw new VmError('EINVAL', 'the arena is whole');
    };
    const { told, operations } = noted({ maySplit: refuse, mremap: refuse });
    process.mmap({ ...place, length: 4n * PAGE, operations, ...RW });
    const before = process.maps();
    const calls = [
      () => process.munmap(0x10_1000n, PAGE),
      () => process.mprotect(0x10_0000n, PAGE, { read: true }),
      () => process.mremap(0x10_0000n, 4n * PAGE, PAGE),
      () => process.mremap(0x10_0000n, 4n * PAGE, 4n * PAGE, { mayMove: true, fixed: 0x20_0000n }),
      () => process.mmap({ length: PAGE, address: 0x10_0000n, fixed: 'replace' }),
      () => process.mmap({ length: PAGE, operations: { mmap: refuse } }),
    ];
    for (const call of calls) {
      expect(thrown(call)).toBe('EINVAL: the arena is whole');
      expect(process.maps()).toBe(before);
    }
    expect(told).toEqual(['mmap 100000-104000', 'open 200000-204000', 'close 200000-204000']);
    process.mmap({ length: PAGE, operations: { open: refuse }, ...RW });
    expect(thrown(() => process.fork())).toBe('EINVAL: the arena is whole');
  });

  test('choose addresses, and ask for free ones', () => {
    const process = machineOf('x86-64').processOf();
    const getUnmappedArea: RegionOperations['getUnmappedArea'] = ({ find, length, address }) =>
      address === 0n ? (find(2n * length) + 0xfffffn) & ~0xfffffn : address;
    const operations = { getUnmappedArea };
    expect(process.mmap({ length: 1n << 20n, operations })).toBe(0x7fff_f7e0_0000n);
    expect(codeOf(() => process.mmap({ length: PAGE, address: 1n << 60n, operations }))).toBe('ENOMEM');
    expect(codeOf(() => process.mmap({ length: PAGE, address: 0x1001n, fixed: 'replace', operations }))).toBe(
      'EINVAL',
    );
  });

  test('serve faults with frames of others, with copies, and with words', () => {
    const machine = machineOf('x86-64');
    const { processOf, frames, memory } = machine;
    const process = processOf();
    const references = PageReferences.of(frames);
    const pfn = frames.allocate();
    references.take(pfn);
    memory.bytesAt(BigInt(pfn) * PAGE, 4096).fill(5);
    const seen: unknown[] = [];
    let kept: RegionFault | null = null;
    const fault = (one: RegionFault) => {
      seen.push([one.address, one.pgoff, one.kind, one.region.pgoff]);
      kept = one;
      if (one.pgoff > 3) return 'BUS' as const;
      if (one.pgoff > 2) return 'retry' as const;
      one.mapFrame(pfn);
      one.mapFrame(pfn);
      expect(codeOf(() => process.munmap(one.address, PAGE))).toBe('EBUSY');
      return 'mapped' as const;
    };
    const operations = { fault };
    const own = process.mmap({ length: 4n * PAGE, pgoff: 1, operations, ...RW });
    expect(process.handleFault(own + 5n, 'write')).toBe('mapped');
    expect(process.handleFault(own + PAGE, 'read')).toBe('mapped');
    expect(process.handleFault(own + 2n * PAGE, 'read')).toBe('retry');
    expect(process.handleFault(own + 3n * PAGE, 'read')).toBe('BUS');
    expect(seen[0]).toEqual([own, 1, 'write', 1]);
    expect(references.count(pfn)).toBe(2);
    expect(process.table.translate(own)).not.toBe(BigInt(pfn) * PAGE);
    expect(bytesOf(machine, process, own)[9]).toBe(5);
    expect(process.handleFault(own + PAGE, 'write')).toBe('mapped');
    expect(references.count(pfn)).toBe(1);
    expect(codeOf(() => (kept as unknown as RegionFault).mapFrame(pfn))).toBe('EINVAL');
    const words = process.mmap({ length: PAGE, operations: { fault: () => 'fine' as never }, ...RW });
    expect(codeOf(() => process.handleFault(words, 'read'))).toBe('EINVAL');
    expect(process.handleFault(process.mmap({ length: PAGE, operations: {}, ...RW }), 'read')).toBe('BUS');
    const free = process.mmap({
      length: PAGE,
      shared: true,
      operations: {
        fault: (one) => {
          one.mapFrame(frames.first + frames.frames - 1);
          return 'mapped';
        },
      },
      ...RW,
    });
    expect(codeOf(() => process.handleFault(free, 'read'))).toBe('EINVAL');
    process.destroy();
    expect(references.count(pfn)).toBe(1);
    references.put(pfn);
    expect(frames.isAllocated(pfn)).toBe(false);
    expect(codeOf(() => references.put(pfn))).toBe('EINVAL');
  });

  test('say marks once, in mmap', () => {
    const process = machineOf('x86-64').processOf();
    const operations = {
      mmap: (region: Region) => region.setFlags({ dontExpand: true, dontCopy: true, mayExecute: false }),
    };
    const at = process.mmap({ length: 2n * PAGE, shared: true, operations, ...RW });
    const region = process.findRegion(at) as Region;
    expect(region.flags).toMatchObject({
      dontExpand: true,
      dontCopy: true,
      mayExecute: false,
      mayWrite: true,
    });
    expect(codeOf(() => region.setFlags({ dontCopy: false }))).toBe('EINVAL');
    expect(codeOf(() => process.mprotect(at, PAGE, { execute: true }))).toBe('EACCES');
    expect(codeOf(() => process.mremap(at, 2n * PAGE, 3n * PAGE, { mayMove: true }))).toBe('EFAULT');
    expect(process.fork().regions()).toEqual([]);
    const refused = { mmap: (one: Region) => one.setFlags({ mayWrite: false }) };
    expect(codeOf(() => process.mmap({ length: PAGE, operations: refused, ...RW }))).toBe('EACCES');
  });
});

describe('a region with pfnMap', () => {
  test('counts no frame, is copied by fork, and refuses madvise', () => {
    const { processOf, frames } = machineOf('x86-64');
    const process = processOf();
    const at = process.mmap({
      length: 2n * PAGE,
      shared: true,
      flags: { pfnMap: true, io: true },
      object: new RegionObject(),
      ...RW,
    });
    const region = process.findRegion(at) as Region;
    process.insertPage(region, at, 2 ** 30);
    expect(codeOf(() => process.insertPage(region, at, 2 ** 30))).toBe('EBUSY');
    expect(codeOf(() => process.insertPage(region, at + 2n * PAGE, 1))).toBe('EFAULT');
    expect(codeOf(() => process.insertPage(region, at + PAGE, 2 ** 40))).toBe('EINVAL');
    expect(process.table.walk(at).leaf?.protection.extra).toBe(0x200n);
    expect(process.fork().table.translate(at)).toBe(2n ** 42n);
    expect(codeOf(() => process.madviseDontNeed(at, PAGE))).toBe('EINVAL');
    expect(codeOf(() => processOf().insertPage(region, at, 1))).toBe('EINVAL');
    const { allocated } = frames.stats();
    process.munmap(at, 2n * PAGE);
    expect(frames.stats().allocated).toBeLessThan(allocated);
    expect(codeOf(() => process.insertPage(region, at, 1))).toBe('EINVAL');
    expect(region.isLive).toBe(false);
  });
});

describe('mostRegions', () => {
  test('ends splits and moves, and one mmap may exceed it', () => {
    const process = machineOf('x86-64').processOf({ mostRegions: 4 });
    const at = process.mmap({ length: 8n * PAGE, ...RW });
    process.mprotect(at + PAGE, PAGE, {});
    expect(process.regions()).toHaveLength(3);
    expect(codeOf(() => process.munmap(at + 4n * PAGE, PAGE))).toBe('none');
    expect(process.regions()).toHaveLength(4);
    expect(codeOf(() => process.munmap(at + 6n * PAGE, PAGE))).toBe('ENOMEM');
    expect(codeOf(() => process.mremap(at, PAGE, PAGE, { mayMove: true, fixed: 0x10_0000n }))).toBe('ENOMEM');
    process.mmap({ length: PAGE, shared: true });
    expect(codeOf(() => process.mmap({ length: PAGE, shared: true }))).toBe('ENOMEM');
    expect(process.regions()).toHaveLength(5);
  });
});

describe('objects', () => {
  test('lose a frame or a range from every process, but not the copies of private regions', () => {
    const machine = machineOf('arm64-16k-47');
    const { processOf, page } = machine;
    const object = new RegionObject({ name: 'memfd', inode: 3 });
    const [first, second] = [processOf(), processOf()] as const;
    const map = (process: Process, shared: boolean, pgoff: number) =>
      process.mmap({ length: 4n * page, object, shared, pgoff, ...RW });
    const shared = map(first, true, 0);
    const later = map(second, true, 2);
    const own = map(second, false, 0);
    for (let i = 0n; i < 4n; i++) {
      first.handleFault(shared + i * page, 'write');
      second.handleFault(later + i * page, 'read');
      second.handleFault(own + i * page, i === 2n ? 'write' : 'read');
    }
    const pfn = Number((first.table.translate(shared + 3n * page) as bigint) / page);
    expect(object.zapFrame(pfn)).toBe(3);
    for (const [process, at] of [
      [first, shared + 3n * page],
      [second, later + page],
      [second, own + 3n * page],
    ] as const)
      expect(process.table.translate(at)).toBeNull();
    expect(object.zapRange(1, 3)).toBe(2 + 1 + 1);
    expect(second.table.translate(own + 2n * page)).not.toBeNull();
    expect(first.table.translate(shared)).not.toBeNull();
    expect(object.zapRange(100, 5)).toBe(0);
    expect(String(object)).toBe('RegionObject memfd, mapped by 3 regions, holds 6 pages');
    first.destroy();
    second.destroy();
    expect(String(object)).toBe('RegionObject memfd, mapped by 0 regions, holds 0 pages');
  });

  test('are zapped with one flush for each region, and a sink that throws leaves the region whole', () => {
    const { processOf } = machineOf('x86-64');
    let flushes = 0;
    let throws = false;
    const sink = {
      flush: () => {
        flushes++;
        if (throws) throw new Error('sink');
      },
    };
    const process = processOf({ sink });
    const object = new RegionObject();
    const at = process.mmap({ length: 8n * PAGE, object, ...RW });
    // Pages 0, 1, 5 and 6 are the object's; the others are copies, or not there.
    for (const page of [0n, 1n, 5n, 6n]) process.handleFault(at + page * PAGE, 'read');
    process.handleFault(at + 3n * PAGE, 'write');
    const mapped = () =>
      [0n, 1n, 3n, 5n, 6n].map((page) => process.table.translate(at + page * PAGE) !== null);
    flushes = 0;
    throws = true;
    expect(() => object.zapRange(0, 8)).toThrow('sink');
    expect(mapped()).toEqual([true, true, true, true, true]);
    throws = false;
    flushes = 0;
    expect(object.zapRange(0, 8)).toBe(4);
    expect(flushes).toBe(1);
    expect(mapped()).toEqual([false, false, true, false, false]);
  });

  test('keep their order when a call is undone', () => {
    const { processOf } = machineOf('x86-64');
    let throws = false;
    const sink = {
      flush: () => {
        if (throws) throw new Error('sink');
      },
    };
    const [first, second] = [processOf({ sink }), processOf()];
    const object = new RegionObject();
    const at = first.mmap({ length: PAGE, object, shared: true, ...RW });
    second.mmap({ length: PAGE, object, shared: true, ...RW });
    first.handleFault(at, 'write');
    const before = object.regions;
    throws = true;
    expect(() => first.munmap(at, PAGE)).toThrow('sink');
    expect(object.regions).toEqual(before);
    expect(object.regions[0]?.process).toBe(first);
  });

  test('cannot be zapped from inside a call of one of their processes', () => {
    const { processOf } = machineOf('x86-64');
    const process = processOf();
    const object = new RegionObject();
    const fault = () => {
      object.zapRange(0, 1);
      return 'mapped' as const;
    };
    const at = process.mmap({ length: PAGE, object, shared: true, operations: { fault }, ...RW });
    expect(codeOf(() => process.handleFault(at, 'read'))).toBe('EBUSY');
  });
});

describe('remapVmallocRange', () => {
  test.each(['x86-64', 'arm64-64k-48', 'riscv64-sv39'])('leaves a page to its last user on %s', (name) => {
    const machine = machineOf(name);
    const { kernel, processOf, page, frames } = machine;
    const process = processOf();
    const address = kernel.vmallocUser(3n * page);
    const pfns = [0n, 1n, 2n].map((i) => kernel.vmallocToPfn(address + i * page));
    const at = process.mmap({ length: 2n * page, shared: true, object: new RegionObject(), ...RW });
    const region = process.findRegion(at) as Region;
    kernel.remapVmallocRange(region, address, 1);
    expect(region.flags).toMatchObject({ dontExpand: true, dontDump: true, mixedMap: true });
    process.handleFault(at, 'write');
    bytesOf(machine, process, at)[3] = 77;
    const child = process.fork();
    kernel.vfree(address);
    expect(pfns.map((pfn) => frames.isAllocated(pfn))).toEqual([false, true, true]);
    process.destroy();
    expect(bytesOf(machine, child, at)[3]).toBe(77);
    child.munmap(at, page);
    expect(pfns.map((pfn) => frames.isAllocated(pfn))).toEqual([false, false, true]);
    child.destroy();
    expect(pfns.map((pfn) => frames.isAllocated(pfn))).toEqual([false, false, false]);
    kernel.destroy();
    expect(frames.stats().allocated).toBe(0);
  });

  test('leaves a block of frames to the last user of a part of it', () => {
    const { kernel, processOf, frames } = machineOf('x86-64', { tablePages: 2048 });
    const process = processOf();
    const huge = kernel.vmallocNodeRange({ size: 2 << 20, flags: 0x408 });
    const head = kernel.vmallocToPfn(huge);
    const at = process.mmap({ length: 3n * PAGE, shared: true, object: new RegionObject(), ...RW });
    kernel.remapVmallocRange(process.findRegion(at) as Region, huge, 7);
    kernel.vfree(huge);
    expect(frames.isAllocated(head, 9)).toBe(true);
    process.munmap(at, 2n * PAGE);
    expect(frames.isAllocated(head, 9)).toBe(true);
    process.munmap(at + 2n * PAGE, PAGE);
    expect(frames.isAllocated(head, 9)).toBe(false);
    process.destroy();
    kernel.destroy();
    expect(frames.stats().allocated).toBe(0);
  });
});

describe('maps', () => {
  test('is the text of /proc/PID/maps', () => {
    const process = machineOf('x86-64').processOf();
    process.mmap({
      length: PAGE,
      address: 0x40_0000n,
      fixed: 'replace',
      read: true,
      execute: true,
      pgoff: 3,
      object: new RegionObject({ name: '/bin/a\nb', device: [8, 1], inode: 1835136 }),
    });
    process.mmap({ length: PAGE, shared: true, ...RW });
    process.mmap({ length: PAGE, name: 'heap', ...RW });
    process.mmap({ length: PAGE, shared: true, name: 'ring', read: true });
    process.mmap({ length: PAGE });
    expect(process.maps()).toBe(
      [
        '00400000-00401000 r-xp 00003000 08:01 1835136                            /bin/a\\012b',
        '7ffff7ffb000-7ffff7ffc000 ---p 00000000 00:00 0 ',
        '7ffff7ffc000-7ffff7ffd000 r--s 00000000 00:01 2                          [anon_shmem:ring]',
        '7ffff7ffd000-7ffff7ffe000 rw-p 00000000 00:00 0                          [anon:heap]',
        '7ffff7ffe000-7ffff7fff000 rw-s 00000000 00:01 1                          /dev/zero (deleted)',
        '',
      ].join('\n'),
    );
  });

  const own = '/proc/self/maps';
  test.runIf(existsSync(own) && process.arch === 'x64')(
    'prints what Linux prints for the process that runs this test',
    () => {
      const subject = machineOf('x86-64').processOf();
      const LINE = /^([0-9a-f]+)-([0-9a-f]+) (.)(.)(.)(.) ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) (\d+) *(.*)$/;
      const lines = readFileSync(own, 'utf8')
        .split('\n')
        .filter((line) => LINE.test(line) && !line.includes('[v'));
      for (const line of lines) {
        const [, start, end, r, w, x, s, offset, major, minor, inode, name] = LINE.exec(
          line,
        ) as unknown as string[];
        const address = BigInt(`0x${start}`);
        subject.mmap({
          ...{ address, length: BigInt(`0x${end}`) - address, fixed: 'noReplace' },
          ...{ read: r === 'r', write: w === 'w', execute: x === 'x', shared: s === 's' },
          pgoff: Number(BigInt(`0x${offset}`) >> 12n),
          object: new RegionObject({
            name: name as string,
            device: [Number(`0x${major}`), Number(`0x${minor}`)],
            inode: Number(inode),
          }),
        });
      }
      expect(lines.length).toBeGreaterThan(5);
      expect(
        subject
          .maps()
          .trimEnd()
          .split('\n')
          .map((line) => line.trimEnd()),
      ).toEqual(lines.map((line) => line.trimEnd()));
    },
  );
});

describe('a Process', () => {
  test('needs a kernel whose policy knows processes, and formats that fit', () => {
    const { kernel, linux, format, memory, frames, processOf } = machineOf('x86-64');
    expect(codeOf(() => new Process({ kernel: {} as never }))).toBe('EINVAL');
    expect(codeOf(() => new Process({ kernel, sinks: 1 } as never))).toBe('EINVAL');
    expect(codeOf(() => processOf({ asid: 65536 }))).toBe('EINVAL');
    const arm = machineOf('arm64-4k-48');
    expect(thrown(() => new Process({ kernel: arm.kernel }))).toContain('pass userFormat');
    expect(thrown(() => new Process({ kernel, userFormat: arm.userFormat }))).toContain(
      'not for processes of',
    );
    processOf({ asid: 7 });
    expect(codeOf(() => processOf({ asid: 7 }))).toBe('EINVAL');
    expect(processOf().asid).toBe(1);
    expect(String(processOf())).toBe('Process x86-64, asid 2, 0 regions');
    const { user: _, ...old } = linux;
    const other = new AddressSpace({ format, linux: old, memory, frames });
    expect(thrown(() => new Process({ kernel: other }))).toContain('says nothing of processes');
  });

  test('refuses every call after its end', () => {
    const process = machineOf('x86-64').processOf();
    const at = process.mmap({ length: PAGE, ...RW });
    process.destroy();
    const calls = [
      () => process.mmap({ length: PAGE }),
      () => process.munmap(at, PAGE),
      () => process.mprotect(at, PAGE, {}),
      () => process.mremap(at, PAGE, PAGE),
      () => process.fork(),
      () => process.regions(),
      () => process.maps(),
      () => process.findRegion(at),
      () => process.handleFault(at, 'read'),
      () => process.destroy(),
      () => process.table.translate(at),
    ];
    expect(calls.map(codeOf)).toEqual(calls.map(() => 'EINVAL'));
    expect(String(process)).toBe('Process x86-64, asid 1, destroyed');
  });
});
