import { VmError } from '../errors.js';
import { SlotWord, State, slotAt, Word } from './layout.js';
import type { Registry } from './registry.js';

/** Something that was taken out of the tables, and waits until no thread can hold it. */
interface Retired {
  readonly epoch: number;
  readonly give: () => void;
}

/**
 * When what was taken out of shared tables may be used again: after every thread has passed a quiescent
 * point. A thread is at one when it is in no call, and will use nothing that it has read before.
 *
 * Taking out comes first, then the epoch grows. A thread that reads the new epoch at a quiescent point cannot
 * find what was taken out any more.
 */
export class Quiescence {
  readonly #words: Int32Array;
  readonly #registry: Registry;
  readonly #mine: number;
  #retired: Retired[] = [];

  constructor(words: Int32Array, registry: Registry, slot: number) {
    this.#words = words;
    this.#registry = registry;
    this.#mine = slotAt(slot) + SlotWord.seen;
  }

  /** What waits, in pieces that were retired at once. */
  get waiting(): number {
    return this.#retired.length;
  }

  /**
   * Gives something back once every thread has passed a quiescent point. The caller has taken it out of the
   * tables, and has posted the flush.
   *
   * @param give - gives it back. Called from `quiesce` of this thread.
   */
  retire(give: () => void): void {
    const epoch = Atomics.add(this.#words, Word.epoch, 1);
    this.#retired.push({ epoch, give });
  }

  /**
   * Notes that this thread holds nothing that it has read from the tables, and gives back what no other
   * thread can hold either.
   *
   * @param drop - drops what this thread holds, and delivers flushes. Called after the epoch is read: what is
   *   retired later waits for the next quiescent point, since its flush may come after the delivery.
   */
  pass(drop?: () => void): void {
    const epoch = Atomics.load(this.#words, Word.epoch);
    drop?.();
    Atomics.store(this.#words, this.#mine, epoch);
    if (this.#retired.length === 0) return;
    const seen = this.#oldest();
    // Oldest first. The list is in order.
    while (this.#retired.length > 0 && isBefore((this.#retired[0] as Retired).epoch, seen)) {
      try {
        (this.#retired[0] as Retired).give();
      } catch (error) {
        // A thread died in a lock, or has it for long: what waits, waits for the next quiescent point.
        if (error instanceof VmError) return;
        throw error;
      }
      this.#retired.shift();
    }
  }

  /** The oldest epoch that a thread has seen. Dead threads hold nothing. */
  #oldest(): number {
    let oldest = Atomics.load(this.#words, Word.epoch);
    for (let slot = 0; slot < this.#registry.slots; slot++) {
      if (this.#registry.stateOf(slot) !== State.live) continue;
      const seen = Atomics.load(this.#words, slotAt(slot) + SlotWord.seen);
      if (isBefore(seen, oldest)) oldest = seen;
    }
    return oldest;
  }
}

/** True when an epoch comes before another. They wrap around after 2^32. */
function isBefore(one: number, other: number): boolean {
  return ((one - other) | 0) < 0;
}
