import { codeOf, refusal } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { attachFrames } from '../../../src/memory/frames/attach-frames.js';
import { FrameAllocator } from '../../../src/memory/frames/frame-allocator.js';
import { readShape } from '../../../src/memory/frames/frame-header.js';
import { Word } from '../../../src/memory/frames/frame-layout.js';
import { auditFrames } from '../../../src/memory/frames/shared/audit-frames.js';
import { adoptFrames, describeFrames } from '../../../src/memory/frames/shared/describe-frames.js';
import { recoverFrames } from '../../../src/memory/frames/shared/recover-frames.js';
import { PhysicalMemory } from '../../../src/memory/physical-memory.js';
import { FrameOwners } from '../../../src/space/frame-owners.js';
import { ThreadGroup } from '../../../src/threads/thread-group.js';
import { webAssemblyMemory, wrong } from '../../memory/support.js';
import { die, join, type Member, membersOf, sharingOf } from './support.js';

type Two = [Member, Member];

describe('a FrameAllocator with threads', () => {
  const threads = sharingOf(ThreadGroup.create(2));

  test('needs a memory whose bytes are shared', () => {
    const bytes = 2 ** 20;
    const error = refusal(() => new FrameAllocator(PhysicalMemory.create({ bytes }), { threads }));
    expect(error.code).toBe('EINVAL');
    expect(error.message).toContain('shared: true');
    const shared = PhysicalMemory.create({ bytes, shared: true });
    expect(new FrameAllocator(shared, { threads }).allocate()).toBe(0);
    const wasm = PhysicalMemory.over(webAssemblyMemory({ initial: 16, maximum: 16, shared: true }));
    expect(new FrameAllocator(wasm, { threads }).allocate()).toBe(0);
  });

  test('refuses what is no group of threads, and a state that is not shared', () => {
    const options = { first: 0, frames: 10 };
    for (const bad of [4, {}, null, () => {}])
      expect(codeOf(() => new FrameAllocator(null, { ...options, threads: wrong(bad) }))).toBe('EINVAL');
    expect(codeOf(() => new FrameAllocator(null, { ...options, threads, shared: false }))).toBe('EINVAL');
  });

  test('gives one thread the frames that an allocator of one thread gives', () => {
    const options = { first: 3, frames: 200, reserved: [{ pfn: 70, frames: 3 }] };
    const alone = new FrameAllocator(null, options);
    const [{ frames }] = membersOf(options, 1) as [Member];
    const singles = (of: FrameAllocator): number[] => Array.from({ length: 50 }, () => of.allocate());
    expect(singles(frames)).toEqual(singles(alone));
    expect([...frames.allocateMany(100)].length).toBe(100);
    expect(frames.stats()).toMatchObject({ total: 200, free: 47, allocated: 150, reserved: 3 });
  });

  test('counts what threads have at hand as free', () => {
    const [one, other] = membersOf({ first: 0, frames: 64 }, 2) as Two;
    const pfn = one.frames.allocate();
    expect(one.frames.stats().freeBlocks[0]).toBeGreaterThan(1);
    expect(other.frames.stats()).toMatchObject({ total: 64, free: 63, allocated: 1 });
    one.frames.free(pfn);
    // The lock is free, and all are in one place again.
    expect(other.frames.allocate(6)).toBe(0);
    expect(other.frames.stats()).toMatchObject({ free: 0, largestOrder: -1, fragmentation: 0 });
  });

  test('says why a frame cannot be freed', () => {
    const [one, other] = membersOf({ first: 0, frames: 64, reserved: [{ pfn: 9, frames: 1 }] }, 2) as Two;
    const pfn = one.frames.allocate();
    one.frames.free(pfn);
    const why = (call: () => void): string => refusal(call).message;
    expect(why(() => other.frames.free(pfn))).toContain(
      'free already, in the cache of a thread (double free)',
    );
    expect(why(() => other.frames.free(pfn, 3))).toContain('free already, in the cache of a thread');
    const block = one.frames.allocate(2);
    expect(why(() => other.frames.free(block))).toContain('was allocated with order 2, not 0');
    expect(why(() => other.frames.free(block + 1))).toContain('lies inside the block');
    expect(why(() => other.frames.free(9))).toContain('is reserved');
    expect(refusal(() => other.frames.free(64)).code).toBe('ERANGE');
    const list = one.frames.allocateMany(3);
    expect(why(() => other.frames.freeMany([...list, list[0] as number]))).toContain('in the list twice');
    expect(why(() => other.frames.freeMany([...list, 9]))).toContain('is reserved');
    expect([...list].every((frame) => one.frames.isAllocated(frame))).toBe(true);
    const give = one.frames.calls?.retire(list, 3);
    expect(why(() => other.frames.free(list[1] as number))).toContain('is being freed by another thread');
    expect(one.frames.isAllocated(list[1] as number)).toBe(true);
    give?.();
    expect(one.frames.stats()).toMatchObject({ free: 59, allocated: 4 });
  });

  test('scatters as an allocator of one thread does', () => {
    const options = { first: 0x1000, frames: 500, scatter: 9 };
    const alone = new FrameAllocator(null, options);
    const [one, other] = membersOf(options, 2) as Two;
    for (let i = 0; i < 40; i++)
      expect((i % 2 === 0 ? one : other).frames.allocate(i % 3)).toBe(alone.allocate(i % 3));
    expect([...other.frames.allocateMany(30)]).toEqual([...alone.allocateMany(30)]);
    expect(other.frames.stats()).toEqual(alone.stats());
  });

  test('is refused to a thread that has left', () => {
    const [one, other] = membersOf({ first: 0, frames: 64 }, 2) as Two;
    const pfn = other.frames.allocate();
    other.group.leave();
    expect(codeOf(() => other.frames.allocate())).toBe('EINVAL');
    expect(codeOf(() => other.frames.free(pfn))).toBe('EINVAL');
    one.frames.free(pfn);
    expect(one.frames.allocate(6)).toBe(0);
  });

  test('says EOWNERDEAD for a lock of a dead thread, and frees after the recovery', () => {
    const [one, other] = membersOf({ first: 0, frames: 200 }, 2) as Two;
    const list = [...one.frames.allocateMany(100)];
    const small = one.frames.allocateMany(3) as Float64Array;
    const before = one.frames.stats();
    other.group.lock(new Int32Array(one.frames.state), Word.lock, 'it').acquire();
    die(other);
    for (const call of [
      () => one.frames.allocate(3),
      () => one.frames.allocateMany(40),
      () => one.frames.allocateMany(31),
    ])
      expect(codeOf(call)).toBe('EOWNERDEAD');
    expect(one.frames.stats()).toEqual(before);
    expect(auditFrames(one.frames)).toEqual([{ pfn: null, what: 'thread 1 died in a call' }]);
    // What is freed now waits: an undo must not fail.
    const waiting = one.frames.allocate();
    one.frames.freeMany(list);
    expect(codeOf(() => one.frames.free(list[0] as number))).toBe('EINVAL');
    one.group.quiescence.retire(one.frames.calls?.retire([waiting], 1) as () => void);
    one.group.quiesce();
    expect(one.group.quiescence.waiting).toBe(2);
    // What it has at hand needs no lock.
    one.frames.free(small[0] as number);
    expect(recoverFrames(one.frames)).toMatchObject({ givenBack: [], held: [] });
    one.group.quiesce();
    expect(one.group.quiescence.waiting).toBe(0);
    expect(one.frames.stats().free).toBe(198);
    expect(auditFrames(one.frames)).toEqual([]);
  });
});

describe('a description', () => {
  test('gives one allocator in each thread, over the same state', () => {
    const [one, other] = membersOf({ first: 0, frames: 64 }, 2) as Two;
    const description = structuredClone(describeFrames(one.frames));
    const again = adoptFrames(describeFrames(other.frames), sharingOf(other.group));
    expect(again).toBe(other.frames);
    expect(adoptFrames(describeFrames(one.frames), sharingOf(one.group))).toBe(one.frames);
    const cloned = adoptFrames(description, sharingOf(other.group));
    expect(cloned.isAllocated(one.frames.allocate())).toBe(true);
  });

  test('has the memory that the thread gives', () => {
    const memory = PhysicalMemory.create({ bytes: 2 ** 20, shared: true });
    const group = ThreadGroup.create(2);
    const frames = new FrameAllocator(memory, { threads: sharingOf(group) });
    const other = new ThreadGroup(group.buffers, group.registry.invite());
    expect(adoptFrames(describeFrames(frames), sharingOf(other), memory).memory).toBe(memory);
  });

  test('is refused for an allocator of one thread, another group, and other buffers', () => {
    const alone = new FrameAllocator(null, { first: 0, frames: 10, shared: true });
    expect(codeOf(() => describeFrames(alone))).toBe('EINVAL');
    const [one] = membersOf({ first: 0, frames: 64 }, 1) as [Member];
    const foreign = sharingOf(ThreadGroup.create(7));
    expect(codeOf(() => adoptFrames(describeFrames(one.frames), foreign))).toBe('EINVAL');
    for (const state of [alone.state, new SharedArrayBuffer(8), null])
      expect(codeOf(() => adoptFrames({ state: wrong(state) }, foreign))).toBe('EINVAL');
    expect(refusal(() => attachFrames(one.frames.state)).message).toContain('share() and attach()');
  });
});

describe('recoverFrames', () => {
  test('tells what a dead thread took in a call from what its own code took', () => {
    const [one, other] = membersOf({ first: 0, frames: 256 }, 2) as Two;
    const own = other.frames.allocate(2);
    other.group.sections.enter();
    const table = other.frames.allocate();
    const area = other.frames.allocate(3);
    const lost = other.frames.allocate(4);
    const retired = one.frames.allocateMany(2);
    const root = one.frames.allocate(5);
    other.frames.calls?.retire([root], 1, 5);
    other.frames.calls?.retire(retired, 2);
    die(other);
    const found = recoverFrames(one.frames, { isHeld: (pfn) => pfn === table || pfn === area });
    const slot = other.group.slot;
    expect(found.held).toEqual([{ pfn: own, order: 2, slot }]);
    const freed = [...retired].map((pfn) => ({ pfn, order: 0, slot }));
    const blocks = [
      { pfn: lost, order: 4, slot },
      { pfn: root, order: 5, slot },
    ];
    expect(new Set(found.givenBack)).toEqual(new Set([...freed, ...blocks]));
    expect(auditFrames(one.frames)).toEqual([]);
    expect(one.frames.stats()).toMatchObject({ allocated: 4 + 1 + 8 });
    // The next recovery has nothing to do.
    expect(recoverFrames(one.frames)).toMatchObject({ givenBack: [], cached: 0 });
    expect(one.frames.isAllocated(table)).toBe(true);
  });

  test('gives nothing back of a call that was over', () => {
    const [one, other] = membersOf({ first: 0, frames: 64 }, 2) as Two;
    other.group.sections.enter();
    const pfn = other.frames.allocate();
    other.group.sections.leave();
    die(other);
    const found = recoverFrames(one.frames, { isUnfinished: () => false });
    expect(found).toMatchObject({ givenBack: [], held: [{ pfn, order: 0 }] });
    expect(one.frames.isAllocated(pfn)).toBe(true);
  });

  test('frees later where other threads may still read', () => {
    const [one, other] = membersOf({ first: 0, frames: 64 }, 2) as Two;
    other.group.sections.enter();
    const pfn = other.frames.allocate(3);
    die(other);
    let give: (() => void) | null = null;
    const retire = (call: () => void): void => {
      give = call;
    };
    expect(recoverFrames(one.frames, { retire }).givenBack).toHaveLength(1);
    expect(one.frames.isAllocated(pfn, 3)).toBe(true);
    expect(codeOf(() => one.frames.free(pfn, 3))).toBe('EINVAL');
    (give as (() => void) | null)?.();
    expect(one.frames.allocate(6)).toBe(0);
  });

  test('knows nothing of a thread that had the slot before', () => {
    const [one, other] = membersOf({ first: 0, frames: 64 }, 2, 2) as Two;
    const pfn = other.frames.allocate();
    other.group.leave();
    const next = join(one);
    expect(next.group.slot).toBe(other.group.slot);
    die(next);
    expect(recoverFrames(one.frames)).toMatchObject({ givenBack: [], held: [] });
    expect(one.frames.isAllocated(pfn)).toBe(true);
  });

  test('changes nothing when it is told nothing', () => {
    const [one, other] = membersOf({ first: 0, frames: 64 }, 2) as Two;
    other.group.sections.enter();
    const pfn = other.frames.allocate();
    die(other);
    const isHeld = (): never => {
      throw new Error('no table');
    };
    expect(() => recoverFrames(one.frames, { isHeld })).toThrow('no table');
    expect(one.frames.isAllocated(pfn)).toBe(true);
    expect(recoverFrames(one.frames).givenBack).toHaveLength(1);
  });

  test.each([{ threads: false }, { threads: true }])(
    'makes damaged bitmaps and counters anew ($threads)',
    (o) => {
      const options = { first: 5, frames: 300, reserved: [{ pfn: 50, frames: 20 }] };
      const frames = o.threads
        ? (membersOf(options, 1)[0] as Member).frames
        : new FrameAllocator(null, options);
      const block = frames.allocate(4);
      frames.allocateMany(40);
      const before = frames.stats();
      const words = new Int32Array(frames.state);
      for (const at of [Word.free, Word.orders, Word.freeBlocks + 1, Word.lowest + 2, Word.header + 3]) {
        words[at] = (words[at] as number) ^ 5;
        expect(auditFrames(frames)).not.toEqual([]);
      }
      recoverFrames(frames);
      expect(auditFrames(frames)).toEqual([]);
      expect(frames.stats()).toEqual(before);
      frames.free(block, 4);
      expect(auditFrames(frames)).toEqual([]);
    },
  );
});

describe('auditFrames', () => {
  test('finds blocks that overlap, are not aligned, or are reserved', () => {
    const frames = new FrameAllocator(null, { first: 0, frames: 64, reserved: [{ pfn: 40, frames: 2 }] });
    const heads = new Uint8Array(frames.state, readShape(frames.state).headsOffset);
    const found = (at: number, head: number): (number | null)[] => {
      heads[at] = head;
      const pfns = auditFrames(frames).map(({ pfn }) => pfn);
      heads[at] = 0;
      return pfns.filter((pfn) => pfn !== null);
    };
    frames.allocate(3);
    expect(found(2, 1)).toEqual([2]);
    expect(found(33, 3)).toEqual([33]);
    expect(found(41, 1)).toEqual([41]);
    expect(found(32, 5)).toEqual([32]);
    expect(found(20, 0xff)).toEqual([20]);
    expect(auditFrames(frames)).toEqual([]);
  });

  test('finds what a dead thread was doing', () => {
    const [one, other] = membersOf({ first: 0, frames: 64 }, 2) as Two;
    other.group.sections.enter();
    const pfn = other.frames.allocate();
    expect(auditFrames(one.frames)).toEqual([]);
    die(other);
    expect(auditFrames(one.frames)).toEqual([{ pfn, what: 'thread 1 took it in a call, and died' }]);
  });
});

describe('marks of frames that areas own', () => {
  test('are seen by all threads', () => {
    const [one, other] = membersOf({ first: 100, frames: 64 }, 2) as Two;
    const heads = one.frames.allocateMany(3);
    const [mine, theirs] = [one, other].map(({ frames }) => new FrameOwners(frames, frames)) as [
      FrameOwners,
      FrameOwners,
    ];
    mine.take({ heads, order: 0 });
    expect([...heads].every((pfn) => theirs.owns(pfn))).toBe(true);
    expect([99, 164, 2 ** 40].map((pfn) => theirs.owns(pfn))).toEqual([false, false, false]);
    expect(codeOf(() => theirs.checkGiven(heads))).toBe('EINVAL');
    expect(theirs.free({ heads, order: 0 })).toEqual([]);
    expect([...heads].some((pfn) => mine.owns(pfn))).toBe(false);
    expect(auditFrames(one.frames)).toEqual([]);
  });

  test('of a frame that somebody else freed are found, and gone after a recovery', () => {
    const [one, other] = membersOf({ first: 100, frames: 64 }, 2) as Two;
    const heads = one.frames.allocateMany(1);
    const pfn = heads[0] as number;
    const owners = new FrameOwners(one.frames, one.frames);
    owners.take({ heads, order: 0 });
    other.frames.free(pfn);
    expect(auditFrames(one.frames)).toEqual([{ pfn, what: 'an area owns it, but it is not allocated' }]);
    recoverFrames(one.frames);
    expect(auditFrames(one.frames)).toEqual([]);
    expect(owners.owns(pfn)).toBe(false);
  });
});
