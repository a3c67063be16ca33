import { expect, test } from 'vitest';
import { VmError } from '../../../src/errors.js';
import { auditFrames } from '../../../src/memory/frames/shared/audit-frames.js';
import { type RecoveredFrames, recoverFrames } from '../../../src/memory/frames/shared/recover-frames.js';
import { Died, interrupted, nextPlace } from '../interrupt.js';
import { die, join, type Member, membersOf } from './support.js';

const FRAMES = 150;
const RESERVED = [
  { pfn: 40, frames: 3 },
  { pfn: 149, frames: 1 },
];
const ALL = FRAMES - 4;

/** What a thread does when it dies, after a preparation. `before`: frames that it holds, and may be freeing. */
interface Case {
  readonly name: string;
  readonly prepare?: (victim: Member, survivor: Member) => number[];
  readonly call: (victim: Member, mine: readonly number[]) => void;
}

const single = ({ frames }: Member, count: number): number[] =>
  Array.from({ length: count }, () => frames.allocate());

const cases: Case[] = [
  { name: 'takes its first frame', call: ({ frames }) => frames.allocate() },
  {
    name: 'takes a frame that it has at hand',
    prepare: (victim) => single(victim, 1),
    call: ({ frames }) => frames.allocate(),
  },
  { name: 'takes a block', call: ({ frames }) => frames.allocate(4) },
  {
    name: 'takes a block out of the caches of others',
    prepare: (_, { frames }) => {
      const all = frames.allocateMany(ALL);
      frames.freeMany(all.subarray(0, 32));
      return [];
    },
    call: ({ frames }) => frames.tryAllocate(3),
  },
  { name: 'takes many', call: ({ frames }) => frames.allocateMany(100) },
  {
    name: 'takes some, of which it has a part at hand',
    prepare: (victim) => single(victim, 20),
    call: ({ frames }) => frames.allocateMany(25),
  },
  {
    name: 'asks for more than there are',
    prepare: (victim, survivor) => {
      survivor.frames.allocateMany(ALL - 20);
      return single(victim, 1);
    },
    call: ({ frames }) => frames.tryAllocateMany(25),
  },
  {
    name: 'frees a frame',
    prepare: (victim) => single(victim, 2),
    call: ({ frames }, [pfn]) => frames.free(pfn as number),
  },
  {
    name: 'frees a frame with a full cache',
    prepare: (victim) => {
      const mine = single(victim, 110);
      for (let i = 0; i < 60; i++) victim.frames.free(mine.pop() as number);
      return mine;
    },
    call: ({ frames }, mine) => {
      for (let i = 0; i < 20; i++) frames.free(mine[i] as number);
    },
  },
  {
    name: 'frees a block',
    prepare: ({ frames }) => [frames.allocate(5)],
    call: ({ frames }, [pfn]) => frames.free(pfn as number, 5),
  },
  {
    name: 'frees a few',
    prepare: (victim) => single(victim, 10),
    call: ({ frames }, mine) => frames.freeMany(mine),
  },
  {
    name: 'frees many',
    prepare: ({ frames }) => [...frames.allocateMany(100)],
    call: ({ frames }, mine) => frames.freeMany(mine),
  },
  {
    name: 'is refused the free of many',
    prepare: (victim) => single(victim, 10),
    call: ({ frames }, mine) => {
      try {
        frames.freeMany([...mine, 40]);
      } catch (error) {
        if (!(error instanceof VmError)) throw error;
      }
    },
  },
  {
    name: 'frees what it has retired',
    prepare: (victim) => single(victim, 10),
    call: ({ frames }, mine) => frames.calls?.retire(mine, mine.length)(),
  },
  { name: 'counts', call: ({ frames }) => frames.stats() },
];

/** A block, by its first frame and its order. */
type Block = readonly [pfn: number, order: number];

interface Death {
  readonly survivor: Member;
  readonly victim: Member;
  /** What the survivor had. */
  readonly others: readonly Block[];
}

/** Lets a thread die before one of its calls of `Atomics`. Null when there are not so many. */
function dieAt({ prepare, call }: Case, at: number, isInCall: boolean): Death | null {
  const [survivor, victim] = membersOf({ first: 0, frames: FRAMES, reserved: RESERVED }, 2) as [
    Member,
    Member,
  ];
  if (isInCall) victim.group.sections.enter();
  const mine = prepare?.(victim, survivor) ?? [];
  const others = allocated(survivor).filter(([pfn]) => !mine.includes(pfn));
  const throwDeath = (): void => {
    throw new Died();
  };
  const isReached = interrupted(at, throwDeath, () => call(victim, mine));
  die(victim);
  return isReached ? { survivor, victim, others } : null;
}

function allocated({ frames }: Member): Block[] {
  const found: Block[] = [];
  for (let pfn = 0; pfn < FRAMES; pfn++)
    for (let order = 0; order <= 8; order++) if (frames.isAllocated(pfn, order)) found.push([pfn, order]);
  return found;
}

/** Every frame is free, of the survivor, or named by the recovery. */
function expectSound({ survivor, victim, others }: Death, { givenBack, held }: RecoveredFrames): void {
  const { frames } = survivor;
  expect(auditFrames(frames)).toEqual([]);
  expect([...givenBack, ...held].every(({ slot }) => slot === victim.group.slot)).toBe(true);
  for (const [pfn, order] of others) frames.free(pfn, order);
  for (const { pfn, order } of held) frames.free(pfn, order);
  expect(frames.stats().free).toBe(ALL);
  expect(new Set(frames.allocateMany(ALL)).size).toBe(ALL);
  expect(frames.tryAllocate()).toBe(-1);
}

test.each(cases)('a thread that dies while it $name loses no frame, wherever it dies', (one) => {
  let deaths = 0;
  for (const isInCall of [false, true])
    for (let at = 0; ; at = nextPlace(at)) {
      const dead = dieAt(one, at, isInCall);
      if (dead === null) break;
      deaths++;
      const recovered = recoverFrames(dead.survivor.frames);
      // What it took in its call was nobody's; what it took outside may be known to others.
      if (isInCall) expect(recovered.held).toEqual([]);
      expectSound(dead, recovered);
    }
  expect(deaths).toBeGreaterThan(4);
});

test('a recovery that dies itself is repeated by another one, wherever it dies', () => {
  for (let at = 0, isReached = true; isReached; at = nextPlace(at)) {
    const [survivor, victim] = membersOf(
      { first: 0, frames: 70, reserved: [{ pfn: 9, frames: 2 }] },
      2,
      4,
    ) as [Member, Member];
    const other = join(survivor);
    victim.group.sections.enter();
    interrupted(
      30,
      () => {
        throw new Died();
      },
      () => victim.frames.freeMany(victim.frames.allocateMany(40)),
    );
    die(victim);
    isReached = interrupted(
      at,
      () => {
        throw new Died();
      },
      () => recoverFrames(survivor.frames),
    );
    die(survivor);
    expect(recoverFrames(other.frames).held).toEqual([]);
    expect(auditFrames(other.frames)).toEqual([]);
    expect(other.frames.stats()).toMatchObject({ free: 68, allocated: 0 });
  }
});
