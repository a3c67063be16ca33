import { VmError } from '../errors.js';
import { type Registry, slotOf } from './registry.js';
import { Patience } from './waiting.js';

/**
 * A lock in two words: the token of its owner (0 for nobody), and the number of threads that wait.
 *
 * The owner may die with it. Nobody unlocks it then. Who finds the lock of a dead owner gets `EOWNERDEAD`, and
 * a recovery takes it over. A lease would not do: a thread that stands in a debugger looks dead.
 *
 * @example
 * ```ts
 * const words = new Int32Array(new SharedArrayBuffer(8)); // which every thread has
 * const lock = threads.lock(words, 0, 'the queue of the disk');
 * lock.with(() => queue.push(request));
 * ```
 */
export class RobustLock {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #registry: Registry;
  readonly #token: number;
  readonly #what: string;

  /**
   * @param at - index of the first of the two words.
   * @param token - of this thread.
   * @param what - what the lock protects, for messages.
   */
  constructor(words: Int32Array, at: number, registry: Registry, token: number, what: string) {
    this.#words = words;
    this.#at = at;
    this.#registry = registry;
    this.#token = token;
    this.#what = what;
  }

  /** True while this thread holds it. */
  get isMine(): boolean {
    return Atomics.load(this.#words, this.#at) === this.#token;
  }

  /** True while some thread holds it, dead or alive. */
  get isHeld(): boolean {
    return Atomics.load(this.#words, this.#at) !== 0;
  }

  /**
   * Takes the lock, and waits for it.
   *
   * @param whileWaiting - called before each wait.
   * @throws VmError `EOWNERDEAD` when its owner died; `EAGAIN` where this thread may not wait, or has
   *   waited for ten seconds; `EBUSY` when
   *   this thread has it.
   */
  acquire(whileWaiting?: () => void): void {
    let patience: Patience | null = null;
    for (;;) {
      const owner = this.#try(0);
      if (owner === 0) return;
      this.#requireOther(owner);
      if (this.#isLeftBy(owner)) throw ownerDead(owner, this.#what);
      whileWaiting?.();
      patience ??= new Patience();
      this.#wait(owner, patience);
    }
  }

  /** Waits until nobody holds it, without taking it. Throws as `acquire`. */
  awaitFree(whileWaiting?: () => void): void {
    let patience: Patience | null = null;
    for (;;) {
      const owner = Atomics.load(this.#words, this.#at);
      if (owner === 0) return;
      if (this.#isLeftBy(owner)) throw ownerDead(owner, this.#what);
      whileWaiting?.();
      patience ??= new Patience();
      this.#wait(owner, patience);
    }
  }

  /** Takes the lock for a recovery, from a dead owner, too. Waits for a live one. */
  seize(): void {
    const patience = new Patience();
    for (;;) {
      const owner = this.#try(0);
      if (owner === 0) return;
      this.#requireOther(owner);
      if (!this.#registry.isDead(owner)) this.#wait(owner, patience);
      else if (this.#try(owner) === owner) return;
    }
  }

  /** Gives the lock back when its owner died, for a recovery: what it protects is gone. */
  freeOfDead(): void {
    const owner = Atomics.load(this.#words, this.#at);
    if (owner === 0 || !this.#registry.isDead(owner)) return;
    if (Atomics.compareExchange(this.#words, this.#at, owner, 0) === owner)
      Atomics.notify(this.#words, this.#at);
  }

  /** Gives the lock back, and wakes the threads that wait. Only its owner may call it: nothing is checked. */
  release(): void {
    Atomics.store(this.#words, this.#at, 0);
    // A waiter that died is still counted: one call too many.
    if (Atomics.load(this.#words, this.#at + 1) > 0) Atomics.notify(this.#words, this.#at);
  }

  /**
   * Runs a call under the lock.
   *
   * @returns what the call returns.
   * @throws VmError as `acquire`; what the call throws: the lock is given back then, too.
   */
  with<R>(call: () => R): R {
    this.acquire();
    try {
      return call();
    } finally {
      this.release();
    }
  }

  /** Puts this thread's token in place of an owner. Returns the owner that it found. */
  #try(owner: number): number {
    return Atomics.compareExchange(this.#words, this.#at, owner, this.#token);
  }

  /** True when an owner died with the lock. One that gave it back and then died or left did not. */
  #isLeftBy(owner: number): boolean {
    return this.#registry.isDead(owner) && Atomics.load(this.#words, this.#at) === owner;
  }

  #wait(owner: number, patience: Patience): void {
    Atomics.add(this.#words, this.#at + 1, 1);
    try {
      patience.wait(this.#words, this.#at, owner);
    } finally {
      Atomics.sub(this.#words, this.#at + 1, 1);
    }
  }

  #requireOther(owner: number): void {
    if (owner === this.#token)
      throw new VmError('EBUSY', `this thread is in the middle of a call on ${this.#what}`, {
        advice: 'a flush sink or callback may read, but must not change anything',
      });
  }
}

/** The error of a thread that finds the work of a dead one unfinished. */
export function ownerDead(token: number, what: string): VmError {
  return new VmError('EOWNERDEAD', `thread ${slotOf(token)} died in the middle of a call on ${what}`, {
    advice: 'call recover()',
  });
}
