import {
  AddressSpace,
  attach,
  check,
  FrameAllocator,
  PageReferences,
  PhysicalMemory,
  recover,
  type SharedPart,
  share,
  Threads,
  VmError,
} from '@vmarea/core';
import { x8664, x8664Linux } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { Quiescence } from '../../packages/core/src/threads/quiescence.js';

function machine() {
  const threads = Threads.create({ most: 4, logBytes: 64 << 10 });
  const memory = PhysicalMemory.create({ bytes: 4 << 20, shared: true });
  const frames = new FrameAllocator(memory, { threads });
  const flushes: string[] = [];
  const sink = { flush: (va: bigint, bytes: bigint) => flushes.push(`${va} ${bytes}`) };
  const kernel = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames, sink, threads });
  return { threads, memory, frames, kernel, flushes };
}

/** A part with one lock that tells what is asked of it. */
function partOf(threads: Threads, rank: number, told: string[], name: string): SharedPart {
  const lock = threads.lock(new Int32Array(new SharedArrayBuffer(8)), 0, name);
  return {
    name,
    rank,
    number: threads.numberOf({}),
    locks: [lock],
    isBusy: false,
    mend: (dead) => {
      told.push(`${name} mends after ${dead.length}, locked: ${lock.isMine}`);
      return [`${name} is whole`];
    },
    check: () => [`${name} is odd`],
  };
}

/** A thread that was invited, attached nowhere, and died. */
function dieIn(threads: Threads, things: Parameters<typeof share>[0]): void {
  const { thread } = share(things);
  // As its worker would: it takes the slot.
  expect(threads.group.registry.join(thread)).toBeGreaterThan(0);
  threads.declareDead(thread);
}

describe('what is built on a space of several threads', () => {
  test('finds its threads at the space, and nothing at a space of one thread', () => {
    const { threads, kernel } = machine();
    expect(kernel.threads).toBe(threads);
    const memory = PhysicalMemory.create({ bytes: 4 << 20 });
    const frames = new FrameAllocator(memory);
    const alone = new AddressSpace({ format: x8664(), linux: x8664Linux(), memory, frames });
    expect(alone.threads).toBeNull();
  });

  test('is mended by recover in the order of ranks, with its locks, and told of by check', () => {
    const { threads, kernel } = machine();
    const told: string[] = [];
    const [late, early] = [partOf(threads, 1, told, 'an arena'), partOf(threads, 0, told, 'a process')];
    threads.addPart(late);
    threads.addPart(early);
    expect(check(threads).findings.map(({ text }) => text)).toEqual([
      'an arena: an arena is odd',
      'a process: a process is odd',
    ]);
    dieIn(threads, { kernel });
    expect(recover(threads).parts).toEqual(['a process is whole', 'an arena is whole']);
    expect(told).toEqual(['a process mends after 1, locked: true', 'an arena mends after 1, locked: true']);
    for (const { locks } of [late, early]) expect(locks[0]?.isHeld).toBe(false);
    threads.removePart(late);
    expect(check(threads).findings.map(({ text }) => text)).toEqual(['a process: a process is odd']);
  });

  test('is mended further while it says that it could not look at all, each time with its locks', () => {
    const { threads, kernel } = machine();
    const told: string[] = [];
    const part = { ...partOf(threads, 0, told, 'a process'), isPartial: true };
    let left = 3;
    const mendRest = (): readonly string[] => {
      part.isPartial = --left > 0;
      return [`${left} left, locked: ${part.locks[0]?.isMine}`];
    };
    threads.addPart(Object.assign(part, { mendRest }));
    dieIn(threads, { kernel });
    expect(recover(threads).parts).toEqual([
      'a process is whole',
      '2 left, locked: true',
      '1 left, locked: true',
      '0 left, locked: true',
    ]);
    part.isPartial = true;
    left = Number.POSITIVE_INFINITY;
    dieIn(threads, { kernel });
    // Others may make something for ever: a recovery ends, and the next one goes on.
    const { parts } = recover(threads);
    expect(parts).toHaveLength(65);
    expect(parts.at(-1)).toContain('call recover() again');
    left = 1;
    expect(recover(threads)).toMatchObject({ threads: [], parts: ['0 left, locked: true'] });
  });

  test('is mended whole when another thread dies between two rounds: its locks are not given back unmended', () => {
    const { threads, kernel } = machine();
    const told: string[] = [];
    const part = { ...partOf(threads, 0, told, 'a process'), isPartial: true };
    let rounds = 0;
    const mendRest = (): readonly string[] => {
      part.isPartial = ++rounds === 1;
      if (rounds === 1) dieIn(threads, { kernel });
      return [`round ${rounds}`];
    };
    threads.addPart(Object.assign(part, { mendRest }));
    dieIn(threads, { kernel });
    const recovery = recover(threads);
    expect(recovery.threads).toHaveLength(2);
    expect(recovery.parts).toEqual(['a process is whole', 'round 1', 'a process is whole', 'round 2']);
    expect(told).toHaveLength(2);
  });

  test('loses no report when a later round finds others in the way', () => {
    const { threads, kernel } = machine();
    const part = { ...partOf(threads, 0, [], 'a process'), isPartial: true };
    const mendRest = (): readonly string[] => {
      throw new VmError('EAGAIN', 'another thread is in the way');
    };
    threads.addPart(Object.assign(part, { mendRest }));
    dieIn(threads, { kernel });
    const recovery = recover(threads);
    expect(recovery.threads).toHaveLength(1);
    expect(recovery.parts.at(-1)).toContain('call recover() again');
    expect(() => recover(threads)).toThrow('in the way');
  });

  test('has locks whose dead owner is told of', () => {
    const { threads, kernel } = machine();
    const words = new Int32Array(new SharedArrayBuffer(8));
    const lock = threads.lock(words, 0, 'the thing');
    const { thread } = share({ kernel });
    threads.group.registry.join(thread);
    // The other thread takes the lock, and dies.
    Atomics.store(words, 0, thread);
    threads.declareDead(thread);
    expect(() => lock.acquire()).toThrow(/EOWNERDEAD: thread 1 died in the middle of a call on the thing/);
    lock.seize();
    expect(lock.isMine).toBe(true);
    lock.release();
    expect(lock.with(() => lock.isMine)).toBe(true);
    for (const wrong of [new Int32Array(2), [] as unknown as Int32Array])
      expect(() => threads.lock(wrong, 0, 'x')).toThrow(VmError);
    expect(() => threads.lock(words, 1, 'x')).toThrow(VmError);
  });

  test('gives back what it retires at the quiescent point of the last thread', () => {
    const { threads } = machine();
    let given = 0;
    threads.retire(() => given++);
    expect([given, threads.pending]).toEqual([0, 1]);
    threads.quiesce();
    expect([given, threads.pending]).toEqual([1, 0]);
  });

  test('numbers its objects', () => {
    const { threads } = machine();
    const thing = {};
    const number = threads.numberOf(thing);
    expect(threads.find(number)).toBe(thing);
    expect(threads.keep(number, () => ({}))).toBe(thing);
    expect(threads.find(number + 1)).toBeUndefined();
  });

  test('gets flushes of others between quiescent points, once', () => {
    const { threads, kernel, flushes } = machine();
    const { group } = threads;
    expect(threads.isBehind).toBe(false);
    const root = Number(kernel.table.root >> 12n);
    // As another thread does: a ticket of this thread's own would be skipped.
    const ring = group.flushes as unknown as { post(flush: object): void };
    const { thread } = share({ kernel });
    const slot = group.registry.join(thread);
    expect(slot).toBe(1);
    const other = new (group.flushes.constructor as new (...args: unknown[]) => typeof ring)(
      new Int32Array(group.buffers.control),
      group.registry.slots,
      slot,
    );
    other.post({ root, page: 5, pages: 2, leafShift: 12, asid: 0, tables: [] });
    expect(threads.isBehind).toBe(true);
    threads.deliver();
    expect(threads.isBehind).toBe(false);
    threads.deliver();
    expect(flushes).toEqual(['20480 8192']);
  });
});

describe('references of frames in shared memory', () => {
  test('are the same for each thread that attaches, and keep frames of the dead', () => {
    const { threads, frames, kernel } = machine();
    const references = PageReferences.of(frames);
    const pfn = frames.allocate();
    references.take(pfn);
    const description = structuredClone(share({ kernel, frames }));
    const buffer = description.parts.allocators[0]?.references as SharedArrayBuffer;
    expect(new Int32Array(buffer)[pfn - frames.first]).toBe(1);
    expect(attach(description, { formats: [x8664()], policies: [x8664Linux()] }).frames).toBe(frames);
    dieIn(threads, { kernel });
    recover(threads);
    expect(references.count(pfn)).toBe(1);
    references.put(pfn);
    expect(frames.isAllocated(pfn)).toBe(false);
  });

  test('free a frame once every other thread has passed a quiescent point: it may use an old translation', () => {
    const { threads, frames, kernel } = machine();
    const { buffers, registry } = threads.group;
    const references = PageReferences.of(frames);
    const pfn = frames.allocate();
    references.take(pfn);
    const slot = registry.join(share({ kernel }).thread);
    const other = new Quiescence(new Int32Array(buffers.control), registry, slot);
    references.put(pfn);
    threads.quiesce();
    expect(frames.isAllocated(pfn)).toBe(true);
    expect(() => references.requireInsertable(pfn)).toThrow(/is free/);
    other.pass();
    threads.quiesce();
    expect(frames.isAllocated(pfn)).toBe(false);
  });

  test('free a block when its area and the last user let go, in either order', () => {
    const { frames } = machine();
    const references = PageReferences.of(frames);
    const head = frames.allocate(2);
    references.take(head + 1);
    references.take(head + 3);
    expect(references.holdsBack(head, 2)).toBe(true);
    references.put(head + 1);
    expect(frames.isAllocated(head, 2)).toBe(true);
    // Its area is gone: it is mapped by those that have it alone.
    expect(() => references.requireInsertable(head + 1)).toThrow(/is free/);
    references.requireInsertable(head + 3);
    references.put(head + 3);
    expect(frames.isAllocated(head, 2)).toBe(false);
    const again = frames.allocate(2);
    expect(references.holdsBack(again, 2)).toBe(false);
    references.requireInsertable(again + 1);
    frames.free(again, 2);
  });
});
