import type { ThreadGroup } from '../../../../src/threads/thread-group.js';
import type { ThreadBody, ThreadCase } from '../thread-case.js';
import { attach, codeOr, expect, groupCase, notesOf } from './group.js';

/** A note for each thread that is inside. */
const INSIDE = 0;
/** Who is exclusive, plus one. */
const EXCLUSIVE = 4;
/** Who died, plus one. */
const DEAD = 5;

function body(run: (group: ThreadGroup, notes: Int32Array, thread: number) => void): ThreadBody {
  return (shared, thread) => {
    const group = attach(shared, thread);
    const notes = notesOf(shared);
    return () =>
      codeOr(() => {
        run(group, notes, thread);
        return 'done';
      });
  };
}

/** A call that runs beside others. */
const inside = body(({ sections }, notes, thread) => {
  sections.enter();
  Atomics.store(notes, INSIDE + thread, 1);
  expectNobody(notes, EXCLUSIVE, thread);
  Atomics.store(notes, INSIDE + thread, 0);
  sections.leave();
});

/** The same, and the thread leaves the group. */
const insideThenLeaves = body((group, notes, thread) => {
  group.sections.enter();
  Atomics.store(notes, INSIDE + thread, 1);
  Atomics.store(notes, INSIDE + thread, 0);
  group.sections.leave();
  group.leave();
});

/** The same, and the thread leaves something that it has retired to a recovery. */
const insideThenLeavesSomething = body((group, notes, thread) => {
  group.sections.enter();
  Atomics.store(notes, INSIDE + thread, 1);
  Atomics.store(notes, INSIDE + thread, 0);
  group.sections.leave();
  group.quiescence.retire(() => {});
  group.leave();
});

function alone(notes: Int32Array, thread: number, isRecovery: boolean): void {
  const before = Atomics.exchange(notes, EXCLUSIVE, thread + 1);
  expect(before === 0 || (isRecovery && before === Atomics.load(notes, DEAD)), 'two threads are exclusive');
  for (let other = 0; other < 3; other++)
    if (Atomics.load(notes, INSIDE + other) === 1)
      expect(
        isRecovery && Atomics.load(notes, DEAD) === other + 1,
        'a thread is inside beside an exclusive one',
      );
  Atomics.store(notes, EXCLUSIVE, 0);
}

/** A call that runs alone. */
const exclusive = body(({ sections }, notes, thread) =>
  sections.exclusive(() => alone(notes, thread, false)),
);
/** A call that runs alone, after deaths too. */
const recovering = body(({ sections }, notes, thread) =>
  sections.recovering(() => alone(notes, thread, true)),
);

function expectNobody(notes: Int32Array, at: number, thread: number): void {
  const found = Atomics.load(notes, at);
  expect(found === 0 || found === thread + 1, `thread ${thread} is inside beside an exclusive one`);
}

function sectionsCase(threads: readonly ThreadBody[], mortal: readonly number[] = []): ThreadCase {
  const one = groupCase({ threads, mortal, finish });
  return {
    ...one,
    declareDead(shared, thread) {
      Atomics.store(notesOf(shared), DEAD, thread + 1);
      one.declareDead?.(shared, thread);
    },
  };
}

function finish(_shared: readonly SharedArrayBuffer[], outcomes: readonly string[]): void {
  if (outcomes.includes('EOWNERDEAD')) expect(outcomes.includes('died'), 'EOWNERDEAD, and nobody died');
}

export const cases: Record<string, ThreadCase> = {
  'one inside, one exclusive': sectionsCase([inside, exclusive]),
  'two exclusive': sectionsCase([exclusive, exclusive]),
  'two inside, one exclusive': { ...sectionsCase([inside, inside, exclusive]), isLong: true },
  'a death inside, one exclusive': sectionsCase([inside, exclusive], [0]),
  'a death exclusive, one inside': sectionsCase([inside, exclusive], [1]),
  'a death of one of two exclusive': sectionsCase([exclusive, exclusive], [0]),
  'a death inside, a recovery': sectionsCase([inside, recovering], [0]),
  'a death exclusive, a recovery': sectionsCase([exclusive, recovering], [0]),
  'one that leaves the group after it, one exclusive': sectionsCase([insideThenLeaves, exclusive]),
  'one that leaves something behind after it, one exclusive': sectionsCase([
    insideThenLeavesSomething,
    exclusive,
  ]),
};
