import { SlotWord, State, slotAt, Word } from './layout.js';
import type { Registry } from './registry.js';
import { ownerDead, RobustLock } from './robust-lock.js';
import { Patience } from './waiting.js';

/**
 * Who may change page tables now.
 *
 * Calls that only map, unmap or protect are *inside*: any number of threads at once, and none waits for
 * another. Calls that split, join or free tables are *exclusive*: they wait until nobody is inside. A thread
 * says that it is inside before it looks whether another one is exclusive, and the other way round. So one of
 * the two sees the other.
 */
export class Sections {
  readonly #words: Int32Array;
  readonly #mine: number;
  readonly #registry: Registry;
  readonly #slot: number;
  readonly #lock: RobustLock;
  #isExclusive = false;

  constructor(words: Int32Array, registry: Registry, slot: number) {
    this.#words = words;
    this.#registry = registry;
    this.#slot = slot;
    this.#mine = slotAt(slot) + SlotWord.inside;
    this.#lock = new RobustLock(words, Word.exclusive, registry, registry.tokenOf(slot), 'page tables');
  }

  /** True while this thread is inside or exclusive. */
  get isInside(): boolean {
    return this.#isExclusive || Atomics.load(this.#words, this.#mine) === 1;
  }

  /** True while this thread is exclusive. */
  get isExclusive(): boolean {
    return this.#isExclusive;
  }

  /**
   * Begins a call that changes entries.
   *
   * @param whileWaiting - called before each wait.
   * @throws VmError `EOWNERDEAD` when a thread died exclusive; `EAGAIN` where this thread may not wait.
   */
  enter(whileWaiting?: () => void): void {
    for (;;) {
      Atomics.store(this.#words, this.#mine, 1);
      if (Atomics.load(this.#words, Word.exclusive) === 0) return;
      this.leave();
      this.#lock.awaitFree(whileWaiting);
    }
  }

  /** Number of exclusive sections so far. Inside, it does not change: the tables that were there then are there. */
  get count(): number {
    return Atomics.load(this.#words, Word.sections);
  }

  /** Ends what `enter` began. */
  leave(): void {
    Atomics.store(this.#words, this.#mine, 0);
    if (Atomics.load(this.#words, Word.exclusive) !== 0) Atomics.notify(this.#words, this.#mine);
  }

  /**
   * Runs a call while no other thread is inside.
   *
   * @throws VmError `EOWNERDEAD` when a thread died inside or exclusive; `EAGAIN` where this thread may not
   *   wait; what the call throws.
   */
  exclusive<R>(call: () => R): R {
    if (this.#isExclusive) return call();
    this.#lock.acquire();
    return this.#run(call, (slot) => {
      throw ownerDead(this.#registry.tokenOf(slot), 'page tables');
    });
  }

  /** The same for a recovery: dead threads do not count, inside or exclusive. */
  recovering<R>(call: () => R): R {
    this.#lock.seize();
    return this.#run(call, () => {});
  }

  #run<R>(call: () => R, onDead: (slot: number) => void): R {
    try {
      for (let slot = 0; slot < this.#registry.slots; slot++) this.#awaitOutside(slot, onDead);
      this.#isExclusive = true;
      Atomics.add(this.#words, Word.sections, 1);
      return call();
    } finally {
      this.#isExclusive = false;
      this.#lock.release();
    }
  }

  #awaitOutside(slot: number, onDead: (slot: number) => void): void {
    const inside = slotAt(slot) + SlotWord.inside;
    const patience = new Patience();
    while (slot !== this.#slot && Atomics.load(this.#words, inside) === 1) {
      // It may have left the section and the group, or have died outside, since the look at its word.
      if (this.#registry.stateOf(slot) === State.dead && Atomics.load(this.#words, inside) === 1) {
        onDead(slot);
        return;
      }
      patience.wait(this.#words, inside, 1);
    }
  }
}
