import { Registry } from '../../../../src/threads/registry.js';
import type { ThreadBody, ThreadCase } from '../thread-case.js';
import { attach, controlOf, expect, groupCase, notesOf } from './group.js';

/** The slot of a table: 1 while it holds the thing. */
const SLOT = 0;
/** 1 once the thing was given back. */
const GIVEN = 1;

/** Reads the slot, and uses what it has found there, in each round before its quiescent point. */
function reading(rounds: number): ThreadBody {
  return (shared, thread) => {
    const { quiescence } = attach(shared, thread);
    const notes = notesOf(shared);
    return () => {
      let found = 0;
      for (let round = 0; round < rounds; round++) {
        if (Atomics.load(notes, SLOT) === 1) {
          expect(Atomics.load(notes, GIVEN) === 0, 'a thread holds what was given back');
          found++;
        }
        quiescence.pass();
      }
      return `found ${found}`;
    };
  };
}

/** Takes the thing out, retires it, and passes quiescent points of its own. */
function writing(points: number): ThreadBody {
  return (shared, thread) => {
    const { quiescence } = attach(shared, thread);
    const notes = notesOf(shared);
    return () => {
      Atomics.store(notes, SLOT, 0);
      quiescence.retire(() => Atomics.store(notes, GIVEN, 1));
      for (let point = 0; point < points; point++) quiescence.pass();
      return quiescence.waiting === 0 ? 'given' : 'waits';
    };
  };
}

/** Attaches while others work, and reads once. */
const late: ThreadBody = (shared, thread) => {
  const notes = notesOf(shared);
  return () => {
    attach(shared, thread);
    if (Atomics.load(notes, SLOT) === 1)
      expect(Atomics.load(notes, GIVEN) === 0, 'a thread holds what was given back');
    return 'read';
  };
};

/** Translates once, and goes on with the translation over its quiescent points until a flush takes it away. */
const translating: ThreadBody = (shared, thread) => {
  const group = attach(shared, thread);
  const notes = notesOf(shared);
  let copy = 0;
  const forget = () => {
    copy = 0;
  };
  group.onFlush({ flush: forget, forgetAll: forget });
  return () => {
    copy = Atomics.load(notes, SLOT);
    for (let point = 0; point < 2; point++) {
      group.quiesce();
      if (copy === 1) expect(Atomics.load(notes, GIVEN) === 0, 'a translation leads to what was given back');
    }
    return copy === 1 ? 'kept' : 'dropped';
  };
};

/** Takes the thing out, asks for a flush, and gives it back when it may. */
const unmapping: ThreadBody = (shared, thread) => {
  const group = attach(shared, thread);
  const notes = notesOf(shared);
  return () => {
    Atomics.store(notes, SLOT, 0);
    group.post(FLUSH);
    group.quiescence.retire(() => Atomics.store(notes, GIVEN, 1));
    group.quiescence.pass();
    return group.quiescence.waiting === 0 ? 'given' : 'waits';
  };
};

/** Asks for a flush of something else. */
const posting: ThreadBody = (shared, thread) => {
  const group = attach(shared, thread);
  return () => {
    group.post(FLUSH);
    group.quiescence.pass();
    return 'posted';
  };
};

const FLUSH = { root: 1, page: 0, pages: 1, leafShift: 12, asid: 0, tables: [] };

const quiescing = (threads: readonly ThreadBody[], mortal: readonly number[] = []): ThreadCase => {
  const one = groupCase({ threads, mortal });
  return {
    ...one,
    setup(shared) {
      one.setup(shared);
      notesOf(shared)[SLOT] = 1;
    },
  };
};

/** A thread died before it came to a quiescent point. */
function besideTheDead(threads: readonly ThreadBody[]): ThreadCase {
  const one = quiescing(threads);
  return {
    ...one,
    setup(shared) {
      one.setup(shared);
      const registry = new Registry(controlOf(shared));
      const token = registry.invite();
      registry.join(token);
      registry.declareDead(token);
    },
    finish(_shared, outcomes) {
      expect(outcomes.at(-1) === 'given', 'the dead hold something');
    },
  };
}

export const cases: Record<string, ThreadCase> = {
  'one reader, one writer': quiescing([reading(2), writing(2)]),
  'two readers, one writer': quiescing([reading(1), reading(1), writing(2)]),
  'a reader that dies, one writer': quiescing([reading(2), writing(2)], [0]),
  'a reader that died before, one writer': besideTheDead([writing(1)]),
  'a translation, and who takes away what it leads to': quiescing([translating, unmapping]),
  'a translation, who takes away what it leads to, and another flush on its way': quiescing([
    translating,
    unmapping,
    posting,
  ]),
  'a reader that attaches late, one writer': quiescing([late, writing(1)]),
};
