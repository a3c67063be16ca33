import type { RobustLock } from './robust-lock.js';

/**
 * What objects need that several threads use, and that are built on the address space: arenas, processes, or a simulator's own. `Threads`
 * has it, and `AddressSpace.threads` gives it.
 */
export interface ThreadCalls {
  /** Names this thread. */
  readonly id: number;
  /** Its place among the threads, from 0 on: where an object keeps words of this thread. A later thread may get it again. */
  readonly slot: number;
  /** The threads that died and whose work `recover` has not mended, as `id` names them. */
  readonly dead: readonly number[];
  /** True when another thread has asked for a flush that this thread's sinks have not got. It takes two loads. */
  readonly isBehind: boolean;
  /** Gives this thread's sinks the flushes that others have asked for. This is no quiescent point. */
  deliver(): void;
  /**
   * A lock whose owner may die, in two words of a shared array that are 0 at first.
   *
   * @param words - over a SharedArrayBuffer that all threads have.
   * @param at - index of the first of the two words.
   * @param what - what it protects, for messages.
   */
  lock(words: Int32Array, at: number, what: string): RobustLock;
  /**
   * Calls a function once every thread has passed a quiescent point, from a quiescent point of this thread. The caller has taken
   * something out of the tables, and has flushed it.
   */
  retire(give: () => void): void;
  /** A number that names an object in all threads. */
  numberOf(thing: object): number;
  /** This thread's object with a number. It is made when there is none; what `make` throws goes on, and nothing is kept. */
  keep<T extends object>(number: number, make: () => T): T;
  /** This thread's object with a number; `undefined` when it has none. */
  find(number: number): object | undefined;
  /** Lets `recover` and `check` know a part. */
  addPart(part: SharedPart): void;
  /** The part is gone. */
  removePart(part: SharedPart): void;
}

/** Something that several threads share, as `recover` and `check` see it in this thread. */
export interface SharedPart {
  /** What it is, for messages. */
  readonly name: string;
  /** Its place in the order of locks: a call that has a lock takes none of a part with a lower rank. Processes have 0, arenas 1. */
  readonly rank: number;
  /** Its number: parts of one rank are locked in this order. */
  readonly number: number;
  /** Its locks, in the order in which they are taken. */
  readonly locks: readonly RobustLock[];
  /** Locks that calls take inside of those of areas. Default: none. */
  readonly inner?: readonly RobustLock[];
  /** True while this thread is in a call of it: frames that are taken then belong to the call. */
  readonly isBusy: boolean;
  /**
   * Mends what dead threads left. No other thread is in a call that changes tables, and this one has the locks of all parts.
   *
   * @param dead - the slots of the dead threads.
   * @param isDead - true for `ThreadCalls.id` of one of them.
   * @returns what it did, each in a sentence.
   */
  mend(dead: readonly number[], isDead: (id: number) => boolean): readonly string[];
  /** True when `mend` could not look at all: others have made something since the locks were taken. Default: never. */
  readonly isPartial?: boolean;
  /** Mends what `mend` has left. `recover` calls it while `isPartial` is true, each time with locks that were taken anew. */
  mendRest?(): readonly string[];
  /** What does not agree, each in a sentence. No thread is in a call. */
  check(): readonly string[];
}
