import { VmError } from '../errors.js';
import { SlotWord, State, slotAt, Word } from './layout.js';

/** Bits of a token below the incarnation. */
const OWNER_BITS = 16;
const OWNER_MASK = 0xffff;
/** Incarnations in a token: 15 bits, so that a token is positive. */
const INCARNATION_MASK = 0x7fff;

/**
 * The threads of a group: who is in which slot, and who died.
 *
 * A token names a thread for good: its slot and the incarnation of the slot. It is the value of a lock word
 * that the thread holds. 0 is no token.
 */
export class Registry {
  readonly #words: Int32Array;
  /** Number of slots. */
  readonly slots: number;

  constructor(words: Int32Array) {
    this.#words = words;
    this.slots = words[Word.slots] as number;
  }

  /**
   * Takes a free slot for a thread that will attach.
   *
   * @returns its token.
   * @throws VmError `EAGAIN` when every slot is taken.
   */
  invite(): number {
    for (let slot = 0; slot < this.slots; slot++) {
      const at = slotAt(slot);
      if (Atomics.compareExchange(this.#words, at, State.free, State.invited) !== State.free) continue;
      Atomics.add(this.#words, at + SlotWord.incarnation, 1);
      return this.tokenOf(slot);
    }
    throw new VmError('EAGAIN', `all ${this.slots} slots of the group are taken`, {
      advice: 'let threads leave, recover those that died, or make the group with more slots (`most`)',
    });
  }

  /**
   * Makes an invited thread a live one.
   *
   * @returns its slot.
   * @throws VmError `EINVAL` when nobody was invited by this token, or when somebody has attached by it.
   */
  join(token: number): number {
    const slot = slotOf(token);
    const isKnown = slot >= 0 && slot < this.slots && this.tokenOf(slot) === token;
    const at = slotAt(slot);
    const before = isKnown ? Atomics.load(this.#words, at) : State.free;
    if (before === State.invited) {
      // The words are ready before anybody counts on them.
      Atomics.store(this.#words, at + SlotWord.inside, 0);
      Atomics.store(this.#words, at + SlotWord.pin, 0);
      Atomics.store(this.#words, at + SlotWord.flushed, Atomics.load(this.#words, Word.flushes));
      Atomics.store(this.#words, at + SlotWord.seen, Atomics.load(this.#words, Word.epoch));
      if (Atomics.compareExchange(this.#words, at, State.invited, State.live) === State.invited) return slot;
    }
    throw new VmError('EINVAL', 'this description was used before, or its thread was declared dead', {
      advice: 'call share() once for each thread',
    });
  }

  /** Takes an invitation back that nobody has used. */
  cancel(token: number): void {
    const at = slotAt(slotOf(token));
    Atomics.compareExchange(this.#words, at, State.invited, State.free);
  }

  /** Gives a slot back: of a thread that leaves, or of one that recovery is done with. */
  free(slot: number): void {
    const at = slotAt(slot);
    Atomics.store(this.#words, at + SlotWord.inside, 0);
    Atomics.store(this.#words, at + SlotWord.pin, 0);
    Atomics.store(this.#words, at, State.free);
  }

  /**
   * Notes that a thread died. Only the thread that ended it, or saw it end, can know.
   *
   * @returns false when it had left, or when its death is known.
   */
  declareDead(token: number): boolean {
    const slot = slotOf(token);
    if (!(slot >= 0 && slot < this.slots) || this.tokenOf(slot) !== token) return false;
    const at = slotAt(slot);
    return (
      Atomics.compareExchange(this.#words, at, State.live, State.dead) === State.live ||
      Atomics.compareExchange(this.#words, at, State.invited, State.dead) === State.invited
    );
  }

  /** True when the thread of a token died or left. */
  isDead(token: number): boolean {
    const slot = slotOf(token);
    return this.tokenOf(slot) !== token || Atomics.load(this.#words, slotAt(slot)) !== State.live;
  }

  /** The token of the thread that has a slot now, or had it last. */
  tokenOf(slot: number): number {
    const incarnation = Atomics.load(this.#words, slotAt(slot) + SlotWord.incarnation);
    return ((incarnation & INCARNATION_MASK) << OWNER_BITS) | (slot + 1);
  }

  /** What a slot is; see `State`. */
  stateOf(slot: number): number {
    return Atomics.load(this.#words, slotAt(slot));
  }

  /** The slots in a state. */
  in(state: number): number[] {
    return Array.from({ length: this.slots }, (_, slot) => slot).filter(
      (slot) => this.stateOf(slot) === state,
    );
  }
}

/** The slot of a token. */
export function slotOf(token: number): number {
  return (token & OWNER_MASK) - 1;
}
