import type { ThreadBody, ThreadCase } from '../thread-case.js';
import { attach, codeOr, expect, groupCase, notesOf } from './group.js';

/** The lock is in the first two notes. */
const LOCK = 0;
/** Who is in the locked part, plus one. */
const INSIDE = 2;

/** Takes the lock, notes that it is in the locked part, and gives the lock back. */
function locking(rounds = 1): ThreadBody {
  return (shared, thread) => {
    const notes = notesOf(shared);
    const lock = attach(shared, thread).lock(notes, LOCK, 'the notes');
    return () =>
      codeOr(() => {
        for (let round = 0; round < rounds; round++)
          lock.with(() => {
            expect(Atomics.compareExchange(notes, INSIDE, 0, thread + 1) === 0, 'two threads hold the lock');
            Atomics.store(notes, INSIDE, 0);
          });
        return 'done';
      });
  };
}

export const cases: Record<string, ThreadCase> = {
  'two threads': groupCase({ threads: [locking(), locking()] }),
  'two threads, one dies': groupCase({ threads: [locking(), locking()], mortal: [0, 1] }),
};
Object.assign(cases, {
  'three threads': groupCase({ threads: [locking(), locking(), locking()] }),
  'two rounds': groupCase({ threads: [locking(2), locking(2)] }),
  'two rounds, one dies': groupCase({ threads: [locking(2), locking(2)], mortal: [0,1] }),
  'two threads, timeouts': groupCase({ threads: [locking(), locking()], mortal: [0,1], timeouts: 1 }),
  'three threads, one dies': groupCase({ threads: [locking(), locking(), locking()], mortal: [0] }),
});
