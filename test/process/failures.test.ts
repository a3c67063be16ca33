import { type FrameAllocator, PageReferences, type Process, RegionObject } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { machineOf } from './support/processes.js';

const RW = { read: true, write: true };
const NAMES = [
  'x86-64',
  'x86-64-la57',
  'arm64-4k-48-cont',
  'arm64-64k-52',
  'riscv64-sv39',
  'riscv64-sv57-napot',
];

/** A process with a parent, regions of each kind, and pages. */
function worldOf(name: string) {
  let fails = 0;
  const machine = machineOf(name, { tablePages: 1024 });
  const { processOf, page, frames, kernel } = machine;
  const sink = {
    flush: () => {
      if (fails > 0 && --fails === 0) throw new Error('the sink is broken');
    },
  };
  const process = processOf({ sink });
  const object = new RegionObject({ name: 'object' });
  const closed: bigint[] = [];
  const opened: bigint[] = [];
  const operations = {
    fault: () => 'SEGV' as const,
    open: ({ start }: { start: bigint }) => void opened.push(start),
    close: ({ start }: { start: bigint }) => void closed.push(start),
  };
  const heap = process.mmap({ length: 8n * page, ...RW });
  for (let i = 0n; i < 8n; i++) process.handleFault(heap + i * page, i % 3n === 0n ? 'read' : 'write');
  const shared = process.mmap({ length: 4n * page, shared: true, ...RW });
  process.handleFault(shared, 'write');
  const file = process.mmap({ length: 4n * page, shared: true, object, operations, ...RW });
  const other = frames.allocate();
  PageReferences.of(frames).take(other);
  process.insertPage(process.findRegion(file) as never, file + page, other);
  const far = process.mmap({ length: 2n * page, address: 1n << 32n, fixed: 'noReplace', ...RW });
  process.handleFault(far, 'write');
  const child = process.fork();
  const kernelMemory = kernel.vmallocUser(2n * page);
  const state = (): unknown => [
    [process, child].map((one) => [
      one.maps(),
      leavesOf(one, machine.user.taskSize),
      one.regions().map((region) => [region.flags, region.isLive]),
    ]),
    frames.stats().allocated,
    object.regions.map(({ start }) => start),
  ];
  return {
    ...{ ...machine, process, child, heap, shared, file, far, kernelMemory, state, opened, closed },
    breakFlush: (nth: number) => {
      fails = nth;
    },
  };
}

type World = ReturnType<typeof worldOf>;

function leavesOf(process: Process, end: bigint): unknown {
  return [...process.table.leaves(0n, end & ~0xffffn)];
}

/** Calls that take memory or flush. The result of a fault counts as its error. */
const CALLS: Readonly<Record<string, (world: World) => unknown>> = {
  'the first write of a page': ({ process, heap }) => process.handleFault(heap, 'write'),
  'a copy on write': ({ process, heap, page }) => process.handleFault(heap + page, 'write'),
  'a page of shared memory': ({ child, shared, page }) => child.handleFault(shared + page, 'write'),
  'a read far away': ({ process, page, far }) => process.handleFault(far + page, 'read'),
  'an insertion far away': ({ process, page, file }) => {
    const at = process.mmap({
      length: page,
      address: 1n << 34n,
      fixed: 'replace',
      shared: true,
      object: new RegionObject(),
      ...RW,
    });
    try {
      process.insertPage(
        process.findRegion(at) as never,
        at,
        Number((process.table.translate(file + page) as bigint) / page),
      );
    } catch (error) {
      process.munmap(at, page);
      throw error;
    }
  },
  remapVmallocRange: ({ kernel, process, kernelMemory, page }) => {
    const at = process.mmap({
      length: 2n * page,
      address: (1n << 30n) - page,
      fixed: 'replace',
      shared: true,
      object: new RegionObject(),
      ...RW,
    });
    try {
      kernel.remapVmallocRange(process.findRegion(at) as never, kernelMemory);
    } catch (error) {
      process.munmap(at, 2n * page);
      throw error;
    }
  },
  'mmap in place of others': ({ process, heap, page }) =>
    process.mmap({ length: 12n * page, address: heap - 2n * page, fixed: 'replace', ...RW }),
  munmap: ({ process, file, heap, page }) => process.munmap(file + page, heap - file),
  mprotect: ({ process, shared, page, heap }) =>
    process.mprotect(shared + page, heap - shared, { read: true }),
  'mremap to a place with pages': ({ process, heap, far, page }) =>
    process.mremap(heap, 5n * page, 3n * page, { mayMove: true, fixed: far - page }),
  'mremap that moves far away': ({ process, heap, page }) =>
    process.mremap(heap, 5n * page, 9n * page, { mayMove: true, fixed: 1n << 35n }),
  madvise: ({ process, heap, page }) => process.madviseDontNeed(heap + page, 3n * page),
  fork: ({ process }) => process.fork(),
  'fork by the child': ({ child }) => child.fork(),
  destroy: ({ process }) => process.destroy(),
};

/** Takes all frames but a few. */
function leave(frames: FrameAllocator, few: number): () => void {
  const taken = frames.allocateMany(frames.stats().free - few);
  return () => void frames.freeMany(taken);
}

describe.each(NAMES)('on %s', (name) => {
  test.each(Object.keys(CALLS))('without frames, %s changes nothing', (call) => {
    const run = CALLS[call] as (world: World) => unknown;
    const world = worldOf(name);
    const before = world.state();
    for (let few = 0; ; few++) {
      expect(few).toBeLessThan(40);
      const giveBack = leave(world.frames, few);
      let result: unknown;
      const code = codeOf(() => {
        result = run(world);
      });
      giveBack();
      if (code === 'none') {
        if (result !== 'OOM') break;
      } else {
        expect(code).toBe('ENOMEM');
      }
      expect(world.state()).toEqual(before);
    }
  });

  test.each(Object.keys(CALLS))('with a sink that throws, %s changes nothing', (call) => {
    const run = CALLS[call] as (world: World) => unknown;
    for (let nth = 1; ; nth++) {
      const world = worldOf(name);
      const before = world.state();
      const [opened, closed] = [world.opened.length, world.closed.length];
      world.breakFlush(nth);
      let error: unknown = null;
      try {
        run(world);
      } catch (thrown) {
        error = thrown;
      }
      if (error === null) break;
      expect(String(error)).toContain('the sink is broken');
      world.breakFlush(0);
      expect(world.state()).toEqual(before);
      // Who was told of a copy is told of its end.
      expect(world.opened.length - opened).toBe(world.closed.length - closed);
      // The same call succeeds afterwards.
      run(world);
    }
  });
});
