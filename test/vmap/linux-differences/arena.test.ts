import {
  type AllocationKind,
  type ArenaOptions,
  type ArenaReport,
  createArena,
  type KfuncCall,
} from '@vmarea/arena';
import { AddressSpace, type Configuration, FrameAllocator, PhysicalMemory, Process } from '@vmarea/core';
import { codeOf } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { interruptedAt } from '../../arena/threads/interrupted.js';
import { pairOf } from '../../arena/threads/pair.js';
import { configuration } from '../support/kernel.js';

const START = 1n << 44n;
const PAGE = 4096n;

function arenaOf(options: Partial<ArenaOptions> = {}) {
  const { format, linux } = configuration('x86-64') as Configuration;
  const memory = PhysicalMemory.create({ bytes: 24 << 20 });
  const frames = new FrameAllocator(memory, { first: 0, frames: 4400 });
  const ram = new FrameAllocator(memory, { first: 4400, frames: 1000 });
  const kernel = new AddressSpace({ format, linux, memory, frames, ram });
  const fails = new Set<AllocationKind>();
  const arena = createArena(kernel, {
    ...{ maxEntries: 8, mapExtra: START, allocFailure: (kind) => fails.has(kind) },
    ...options,
  });
  return { kernel, ram, arena, fails };
}

/** r0 of a kfunc, signed. */
function r0(kfunc: ((call: KfuncCall) => void) | undefined, ...registers: readonly bigint[]): number {
  const args = new Int32Array(10);
  for (const [i, value] of registers.entries())
    args.set([Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))], 2 * i);
  let result = 0;
  kfunc?.({
    args,
    returnWords: (lo) => {
      result = lo;
    },
  });
  return result;
}

describe('arenas: refused', () => {
  test('D80: a free of an address outside of the arena is refused, and the kfunc does nothing', () => {
    for (const release of ['7.1', 'three-state'] as const) {
      const { arena } = arenaOf({ release, mapExtra: START + PAGE });
      arena.allocPages(null, 8);
      for (const address of [START, START + 9n * PAGE]) {
        expect(codeOf(() => arena.freePages(address, 1))).toBe('ERANGE');
        r0(arena.kfuncs().bpf_arena_free_pages, 0n, address, 1n);
      }
      expect(arena.allocPages(null, 1)).toBeNull();
    }
  });

  test('D81: a reservation inside a page is refused, and the kfunc returns 0', () => {
    const { arena } = arenaOf();
    expect(codeOf(() => arena.reservePages(START + 1n, 1))).toBe('EINVAL');
    expect(r0(arena.kfuncs().bpf_arena_reserve_pages, 0n, START + 1n, 1n)).toBe(0);
    expect(arena.allocPages(null, 8)).toBe(START);
  });

  test('D82: a request that splits a range without memory for a record changes nothing', () => {
    const { arena, fails } = arenaOf();
    fails.add('node');
    expect(arena.allocPages(START + 3n * PAGE, 1)).toBeNull();
    expect(arena.lastFailure?.code).toBe('EAGAIN');
    fails.clear();
    expect(arena.allocPages(null, 8)).toBe(START);
  });

  test('D83: a deferred free without memory for its record can be repeated, and no slot is lost', () => {
    const { arena, fails } = arenaOf();
    arena.allocPages(null, 8);
    fails.add('span');
    expect(arena.freePages(START, 1, { sleepable: false })).toBe('dropped');
    let left = 1;
    const other = arenaOf({
      // The lock is obtained once: not for the last step.
      allocFailure: (kind) => kind === 'span' || (kind === 'lock' && left-- <= 0),
    });
    left = 2;
    other.arena.allocPages(null, 8);
    left = 1;
    expect(other.arena.freePages(START, 8)).toBe('deferred');
    left = 100;
    other.arena.runWorker();
    expect(other.arena.allocPages(null, 8)).toBe(START);
  });

  test('D84: the first mmap is refused with another length than that of the arena', () => {
    const { arena, kernel } = arenaOf({ mapExtra: 0n });
    const process = new Process({ kernel });
    for (const pages of [4n, 16n])
      expect(codeOf(() => arena.mmap(process, { length: pages * PAGE }))).toBe('EINVAL');
    expect(arena.userVmStart).toBe(0n);
    arena.mmap(process);
  });

  test('D85: mmap is refused with the right to execute', () => {
    const { arena, kernel } = arenaOf();
    const { object, operations } = arena;
    const request = { address: START, length: 8n * PAGE, shared: true, read: true, object, operations };
    const process = new Process({ kernel });
    expect(codeOf(() => process.mmap({ ...request, execute: true }))).toBe('EACCES');
    expect(process.mmap(request)).toBe(START);
  });

  test('D86: an arena that a process maps is not destroyed', () => {
    const { arena, kernel } = arenaOf();
    const process = new Process({ kernel });
    arena.mmap(process);
    expect(codeOf(() => arena.destroy())).toBe('EBUSY');
    expect(arena.allocPages(null, 1)).toBe(START);
    process.destroy();
    arena.destroy();
  });

  test('D87: kernel code that uses a pointer to nothing gets an error', () => {
    const { arena } = arenaOf();
    expect(codeOf(() => arena.view({ by: 'kernel' }).load8(0, -1))).toBe('EFAULT');
    const old = arenaOf({ release: '7.1' }).arena;
    expect(codeOf(() => old.view({ by: 'kernel' }).store8(0, 0, 1))).toBe('EFAULT');
  });
});

describe('arenas: done differently', () => {
  test('D88: a request that comes to nothing says why', () => {
    const { arena, fails } = arenaOf();
    const codes: unknown[] = [];
    const ask = (hint: bigint | null, count: number) => {
      expect(arena.allocPages(hint, count)).toBeNull();
      codes.push(arena.lastFailure?.code);
    };
    fails.add('page');
    ask(null, 1);
    fails.clear();
    arena.allocPages(null, 4);
    ask(null, 5);
    ask(START, 1);
    ask(null, 9);
    expect(codes).toEqual(['EAGAIN', 'ENOMEM', 'EBUSY', 'EINVAL']);
  });

  test('D89: a free reaches the regions that a fork made', () => {
    const { arena, kernel } = arenaOf({ release: '7.1' });
    const parent = new Process({ kernel });
    arena.mmap(parent);
    const child = parent.fork();
    expect(child.handleFault(START, 'write')).toBe('mapped');
    arena.freePages(START, 2);
    expect(child.table.translate(START)).toBeNull();
  });

  test('D90: an atomic on a page that is not there gives 0, and is reported', () => {
    const reports: ArenaReport[] = [];
    const { arena } = arenaOf({ report: (one) => reports.push(one) });
    expect(arena.atomic('add', START + 8n, 8, 5n)).toBe(0n);
    expect(arena.compareExchange(START, 4, 0n, 5n)).toBe(0n);
    expect(reports.map(({ access, address }) => [access, address])).toEqual([
      ['WRITE', START + 8n],
      ['WRITE', START],
    ]);
  });

  test('D91: alignment, a NULL guard and strict hints are options', () => {
    const { arena, kernel } = arenaOf({ mapExtra: START + PAGE });
    expect(arena.allocPages((7n << 44n) | (2n * PAGE), 1)).toBe(START + 2n * PAGE);
    expect(arena.allocPages(null, 1, -1, 0, { align: 8 << 10 })).toBe(START + 4n * PAGE);
    const guarded = createArena(kernel, {
      ...{ maxEntries: 8, mapExtra: START, reserveNull: 1, strictHints: true },
    });
    expect(guarded.allocPages(null, 1)).toBe(START + PAGE);
    expect(guarded.allocPages((7n << 44n) | (2n * PAGE), 1)).toBeNull();
  });

  test('D92: a memory node that does not exist gives no pages in any release', () => {
    for (const release of ['6.12', '6.14', '7.1', '7.2'] as const)
      expect(arenaOf({ release }).arena.allocPages(null, 1, 1)).toBeNull();
  });

  test('D96: regions are whole where several threads use the arena', () => {
    const { one } = pairOf({ release: '6.14' });
    expect(codeOf(() => one.process.munmap(one.arena.userVmStart, 65536))).toBe('EINVAL');
  });

  test('D97: a free of pages that another thread is allocating does nothing', () => {
    const outcomes = new Set<string>();
    for (let at = 0; !outcomes.has('dropped'); at++) {
      const { one, two } = pairOf();
      const isInside = interruptedAt(
        at,
        // The lock may be taken, and nobody may wait here.
        () => codeOf(() => outcomes.add(two.arena.freePages(two.arena.userVmStart, 1))),
        () => expect(one.arena.allocPages(null, 1)).toBe(one.arena.userVmStart),
      );
      expect(isInside).toBe(true);
    }
  });
});
