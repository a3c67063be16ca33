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
  'a reader that attaches late, one writer': quiescing([late, writing(1)]),
};
