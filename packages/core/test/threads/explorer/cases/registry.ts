import { SlotWord, slotAt } from '../../../../src/threads/layout.js';
import { Registry } from '../../../../src/threads/registry.js';
import type { ThreadBody, ThreadCase } from '../thread-case.js';
import { codeOr, controlOf, expect, groupCase, notesOf, setUp } from './group.js';

/** How many threads are in slot 0 now, as they see it. */
const IN = 0;
/** The invitation that a case hands on. */
const TOKEN = 1;

function body(run: (registry: Registry, notes: Int32Array) => string): ThreadBody {
  return (shared) => {
    const registry = new Registry(controlOf(shared));
    return () => codeOr(() => run(registry, notesOf(shared)));
  };
}

/** Attaches by the invitation that was noted, and enters: what a second thread may not undo. */
const joinsAndEnters: ThreadBody = (shared, thread) => {
  const token = notesOf(shared)[TOKEN] as number;
  const notes = notesOf(shared);
  return () =>
    codeOr(() => {
      const slot = new Registry(controlOf(shared)).join(token);
      expect(Atomics.add(notes, IN, 1) === 0, 'two threads are in one slot');
      const inside = insideOf(slot);
      Atomics.store(controlOf(shared), inside, 1);
      expect(
        Atomics.load(controlOf(shared), inside) === 1,
        `thread ${thread}: another one wrote into its slot`,
      );
      return 'joined';
    });
};

function insideOf(slot: number): number {
  return slotAt(slot) + SlotWord.inside;
}

const invites = body((registry) => `slot ${registry.invite() & 0xffff}`);

/** Gives a slot back and invites again: the invitation of before is worth nothing. */
const freesAndInvites = body((registry, notes) => {
  const old = Atomics.load(notes, TOKEN);
  registry.free(0);
  const token = registry.invite();
  expect(token !== old, 'two threads have one token');
  registry.join(token);
  return registry.isDead(old) && !registry.isDead(token) ? 'joined' : 'wrong';
});

const joinsLate = body((registry, notes) => {
  registry.join(Atomics.load(notes, TOKEN));
  return 'joined late';
});

const declares = body((registry, notes) =>
  registry.declareDead(Atomics.load(notes, TOKEN)) ? 'declared' : 'known',
);

/** What a recovery does with a slot, and then a new thread in it. */
const recoversAndReplaces = body((registry, notes) => {
  const old = Atomics.load(notes, TOKEN);
  if (!registry.isDead(old)) return 'alive';
  registry.free(0);
  const token = registry.invite();
  registry.join(token);
  expect(!registry.isDead(token), 'a death of the thread before ends the new one');
  return 'replaced';
});

function registryCase(threads: readonly ThreadBody[], prepare: (registry: Registry) => number): ThreadCase {
  return {
    ...groupCase({ threads }),
    setup(shared) {
      setUp(shared);
      notesOf(shared)[TOKEN] = prepare(new Registry(controlOf(shared)));
    },
  };
}

const invited = (registry: Registry) => registry.invite();
const joined = (registry: Registry) => {
  const token = registry.invite();
  registry.join(token);
  return token;
};
const withdrawn = (registry: Registry) => {
  const token = registry.invite();
  registry.declareDead(token);
  return token;
};

function onlyOneJoins(one: ThreadCase): ThreadCase {
  return {
    ...one,
    finish(_shared, outcomes) {
      expect(outcomes.filter((outcome) => outcome.includes('joined')).length === 1, `${outcomes}: one joins`);
    },
  };
}

export const cases: Record<string, ThreadCase> = {
  'two threads use one invitation': onlyOneJoins(registryCase([joinsAndEnters, joinsAndEnters], invited)),
  'an invitation, and a death before it is used': registryCase([joinsLate, declares], invited),
  'two invite at once': {
    ...registryCase([invites, invites, invites], () => 0),
    finish(_shared, outcomes) {
      expect(new Set(outcomes).size === 3, `${outcomes}: three slots`);
    },
  },
  'a withdrawn invitation is used while its slot is given anew': onlyOneJoins(
    registryCase([freesAndInvites, joinsLate], withdrawn),
  ),
  'two see one death, and the slot is given anew': registryCase(
    [declares, declares, recoversAndReplaces],
    joined,
  ),
  'an attachment and a declaration at once': {
    ...registryCase([joinsAndEnters, declares], invited),
    finish(shared, outcomes) {
      const token = notesOf(shared)[TOKEN] as number;
      expect(new Registry(controlOf(shared)).isDead(token), `${outcomes}: the declaration is lost`);
    },
  },
};
