import { VmError } from '../../../../src/errors.js';
import { MAGIC, SLOT_WORDS, SlotWord, slotAt, VERSION, Word } from '../../../../src/threads/layout.js';
import { Registry } from '../../../../src/threads/registry.js';
import { type GroupBuffers, groupBuffers, ThreadGroup } from '../../../../src/threads/thread-group.js';
import type { ThreadCase } from '../thread-case.js';

/** Slots of the groups of all cases: one for each thread. */
export const SLOTS = 3;

const sizes = groupBuffers(SLOTS);
/** The buffers of a case: the group's control block, words for the case's own bookkeeping, journals. */
export const CONTROL = 0;
export const NOTES = 1;

/** What cases over a group have in common. Thread `n` is in slot `n`. */
export function groupCase(one: Pick<ThreadCase, 'threads'> & Partial<ThreadCase>): ThreadCase {
  return {
    buffers: [sizes.control.byteLength, 256, sizes.journals.byteLength],
    setup(shared) {
      setUp(shared);
      for (let slot = 0; slot < one.threads.length; slot++) new Registry(controlOf(shared)).invite();
    },
    declareDead(shared, thread) {
      const registry = new Registry(controlOf(shared));
      registry.declareDead(registry.tokenOf(thread));
    },
    deathWords: (thread) => [CONTROL, slotAt(thread) + SlotWord.state, 1],
    nameOf,
    ...one,
  };
}

/** Makes an empty group in zeroed buffers. */
export function setUp(shared: readonly SharedArrayBuffer[]): void {
  const words = controlOf(shared);
  words[Word.version] = VERSION;
  words[Word.slots] = SLOTS;
  words[Word.magic] = MAGIC;
}

export function controlOf(shared: readonly SharedArrayBuffer[]): Int32Array {
  return new Int32Array(shared[CONTROL] as SharedArrayBuffer);
}

/** The words in which a case notes what it sees. They are read and written by `Atomics`, too. */
export function notesOf(shared: readonly SharedArrayBuffer[]): Int32Array {
  return new Int32Array(shared[NOTES] as SharedArrayBuffer);
}

/** Attaches a thread to the group. */
export function attach(shared: readonly SharedArrayBuffer[], thread: number): ThreadGroup {
  const buffers: GroupBuffers = {
    control: shared[CONTROL] as SharedArrayBuffer,
    journals: shared[2] as SharedArrayBuffer,
  };
  return new ThreadGroup(buffers, new Registry(controlOf(shared)).tokenOf(thread));
}

/** The code of the `VmError` that a call throws, or what it gives. */
export function codeOr(call: () => string): string {
  try {
    return call();
  } catch (error) {
    if (error instanceof VmError) return error.code;
    throw error;
  }
}

export function expect(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}

function nameOf(buffer: number, word: number): string {
  if (buffer === NOTES) return `note ${word}`;
  if (buffer !== CONTROL) return `journal word ${word}`;
  const named = (names: Record<string, number>, at: number) =>
    Object.keys(names).find((name) => names[name] === at) ?? `word ${at}`;
  if (word < slotAt(0)) return named(Word, word);
  if (word >= slotAt(SLOTS)) return `ring word ${word - slotAt(SLOTS)}`;
  const slot = Math.floor((word - slotAt(0)) / SLOT_WORDS);
  return `${named(SlotWord, word - slotAt(slot))} of slot ${slot}`;
}
