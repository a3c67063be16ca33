import { VmError } from '../errors.js';
import { SlotWord, STATE_BITS, State, slotAt, Word } from './layout.js';

/** Bits of a token below the incarnation. */
const OWNER_BITS = 16;
const OWNER_MASK = 0xffff;
/** Incarnations in a token: 15 bits, so that a token is positive. */
const INCARNATION_MASK = 0x7fff;

/**
 * The threads of a group: who is in which slot, and who died.
 *
 * A token names a thread for good: its slot, and how many threads have had the slot. It is the value of a lock word
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
      const word = this.#load(slot);
      if (stateIn(word) !== State.free) continue;
      const invited = stateWord(incarnationIn(word) + 1, State.invited);
      if (this.#exchange(slot, word, invited)) return tokenOf(slot, invited);
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
    if (this.#move(token, State.invited, State.attaching)) {
      // The words are ready before anybody counts on them.
      const at = slotAt(slot);
      Atomics.store(this.#words, at + SlotWord.inside, 0);
      Atomics.store(this.#words, at + SlotWord.pin, 0);
      Atomics.store(this.#words, at + SlotWord.flushed, Atomics.load(this.#words, Word.flushes));
      Atomics.store(this.#words, at + SlotWord.seen, Atomics.load(this.#words, Word.epoch));
      if (this.#move(token, State.attaching, State.live)) return slot;
    }
    throw new VmError('EINVAL', 'this description was used before, or its thread was declared dead', {
      advice: 'call share() once for each thread',
    });
  }

  /** Takes an invitation back that nobody has used. */
  cancel(token: number): void {
    this.#move(token, State.invited, State.free);
  }

  /** Gives a slot back: of a thread that leaves, or of one that recovery is done with. */
  free(slot: number): void {
    const at = slotAt(slot);
    Atomics.store(this.#words, at + SlotWord.inside, 0);
    Atomics.store(this.#words, at + SlotWord.pin, 0);
    Atomics.store(this.#words, at, stateWord(incarnationIn(this.#load(slot)), State.free));
  }

  /**
   * Notes that a thread died. Only the thread that ended it, or saw it end, can know.
   *
   * @returns false when it had left, or when its death is known.
   */
  declareDead(token: number): boolean {
    // Mostly it is live. Else the others in the order in which a thread goes through them: it cannot slip past.
    return [State.live, State.invited, State.attaching, State.live].some((state) =>
      this.#move(token, state, State.dead),
    );
  }

  /** True when the thread of a token died or left. */
  isDead(token: number): boolean {
    return !this.#is(this.#load(slotOf(token)), token, State.live);
  }

  /** The token of the thread that has a slot now, or had it last. */
  tokenOf(slot: number): number {
    return tokenOf(slot, this.#load(slot));
  }

  /** What a slot is; see `State`. */
  stateOf(slot: number): number {
    return stateIn(this.#load(slot));
  }

  /** True when no thread but that of a slot is attached. */
  isAlone(slot: number): boolean {
    for (let other = 0; other < this.slots; other++)
      if (other !== slot && this.stateOf(other) === State.live) return false;
    return true;
  }

  /** The slots in a state. */
  in(state: number): number[] {
    return Array.from({ length: this.slots }, (_, slot) => slot).filter(
      (slot) => this.stateOf(slot) === state,
    );
  }

  #load(slot: number): number {
    return Atomics.load(this.#words, slotAt(slot));
  }

  #exchange(slot: number, old: number, word: number): boolean {
    return Atomics.compareExchange(this.#words, slotAt(slot), old, word) === old;
  }

  /** Moves the slot of a token to another state. False when it is in another, or another thread's by now. */
  #move(token: number, from: number, to: number): boolean {
    const slot = slotOf(token);
    if (!(slot >= 0 && slot < this.slots)) return false;
    const word = this.#load(slot);
    return this.#is(word, token, from) && this.#exchange(slot, word, stateWord(incarnationIn(word), to));
  }

  #is(word: number, token: number, state: number): boolean {
    return stateIn(word) === state && tokenOf(slotOf(token), word) === token;
  }
}

/** The slot of a token. */
export function slotOf(token: number): number {
  return (token & OWNER_MASK) - 1;
}

function stateWord(incarnation: number, state: number): number {
  return (incarnation << STATE_BITS) | state;
}

function stateIn(word: number): number {
  return word & ((1 << STATE_BITS) - 1);
}

function incarnationIn(word: number): number {
  return word >>> STATE_BITS;
}

function tokenOf(slot: number, word: number): number {
  return ((incarnationIn(word) & INCARNATION_MASK) << OWNER_BITS) | (slot + 1);
}
