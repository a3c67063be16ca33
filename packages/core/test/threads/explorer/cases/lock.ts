import { Registry } from '../../../../src/threads/registry.js';
import type { RobustLock } from '../../../../src/threads/robust-lock.js';
import type { ThreadBody, ThreadCase } from '../thread-case.js';
import { attach, codeOr, controlOf, expect, groupCase, notesOf } from './group.js';

/** The lock is in the first two notes. */
const LOCK = 0;
/** Who is in the locked part, plus one. */
const HOLDER = 2;
/** A death in the locked part: the thread that died there, plus one. */
const OWNER = 0;

/** Takes the lock as a call says, notes that it is in the locked part, and gives the lock back. */
function taking(take: (lock: RobustLock) => void): ThreadBody {
  return (shared, thread) => {
    const notes = notesOf(shared);
    const lock = attach(shared, thread).lock(notes, LOCK, 'the notes');
    return () =>
      codeOr(() => {
        take(lock);
        const before = Atomics.exchange(notes, HOLDER, thread + 1);
        expect(before === 0 || isDead(shared, before - 1), 'two threads hold the lock');
        expect(Atomics.compareExchange(notes, HOLDER, thread + 1, 0) === thread + 1, 'two threads hold it');
        lock.release();
        return 'done';
      });
  };
}

/** Takes the lock and gives it back. */
const locking = taking((lock) => lock.acquire());
const seizing = taking((lock) => lock.seize());

/** Holds the lock when the exploration begins. */
const holding: ThreadBody = (shared, thread) => {
  const lock = attach(shared, thread).lock(notesOf(shared), LOCK, 'the notes');
  lock.acquire();
  return () => {
    lock.release();
    return 'done';
  };
};

/** Takes the lock, gives it back, and leaves the group. */
const leaving: ThreadBody = (shared, thread) => {
  const group = attach(shared, thread);
  const lock = group.lock(notesOf(shared), LOCK, 'the notes');
  lock.acquire();
  return () => {
    lock.release();
    return group.leave() ? 'left' : 'left something';
  };
};

const awaiting: ThreadBody = (shared, thread) => {
  const notes = notesOf(shared);
  const lock = attach(shared, thread).lock(notes, LOCK, 'the notes');
  return () =>
    codeOr(() => {
      lock.awaitFree();
      return 'done';
    });
};

function twice(body: ThreadBody): ThreadBody {
  return (shared, thread) => {
    const run = body(shared, thread);
    return () => `${run()} ${run()}`;
  };
}

function isDead(shared: readonly SharedArrayBuffer[], thread: number): boolean {
  return Atomics.load(notesOf(shared), DEAD) === thread + 1;
}
const DEAD = 3;

/** With `EOWNERDEAD` the lock is a dead thread's; without, nobody has it. */
function finish(shared: readonly SharedArrayBuffer[], outcomes: readonly string[]): void {
  const owner = notesOf(shared)[OWNER] as number;
  const isLeft = outcomes.some((outcome) => outcome.includes('EOWNERDEAD'));
  if (isLeft)
    expect(outcomes[(owner & 0xffff) - 1] === 'died', 'EOWNERDEAD for a lock that no dead thread holds');
  if (!outcomes.includes('died')) expect(owner === 0, 'the lock is not given back');
}

function lockCase(threads: readonly ThreadBody[], more: Partial<ThreadCase> = {}): ThreadCase {
  const one = groupCase({ threads, finish, ...more });
  return {
    ...one,
    declareDead(shared, thread) {
      Atomics.store(notesOf(shared), DEAD, thread + 1);
      one.declareDead?.(shared, thread);
    },
  };
}

/** A thread in the third slot died with the lock. */
function heldByTheDead(threads: readonly ThreadBody[]): ThreadCase {
  const one = lockCase(threads);
  return {
    ...one,
    setup(shared) {
      one.setup(shared);
      const registry = new Registry(controlOf(shared));
      const token = registry.invite();
      registry.join(token);
      registry.declareDead(token);
      notesOf(shared)[LOCK] = token;
    },
    finish() {},
  };
}

export const cases: Record<string, ThreadCase> = {
  'two threads, twice': lockCase([twice(locking), twice(locking)]),
  'two threads, one dies': lockCase([locking, locking], { mortal: [0, 1] }),
  'two threads, one dies, and waits end early': lockCase([locking, locking], { mortal: [0, 1], timeouts: 1 }),
  'two threads, twice, one dies': lockCase([twice(locking), locking], { mortal: [0, 1] }),
  'a holder and two others': lockCase([holding, locking, locking]),
  'a holder that dies, one that takes it and one that waits': lockCase([holding, locking, awaiting], {
    mortal: [0],
    isLong: true,
  }),
  'one that waits until nobody has it': lockCase([locking, awaiting], { mortal: [0] }),
  'a dead holder, and two recoveries': heldByTheDead([seizing, seizing]),
  'a dead holder, a recovery, and one that takes it': heldByTheDead([seizing, locking]),
  'one that leaves the group after it, and another': lockCase([leaving, locking]),
  'one that leaves the group after it, and one that waits until nobody has it': lockCase([leaving, awaiting]),
};
