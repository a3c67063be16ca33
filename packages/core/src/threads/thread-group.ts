import { requireSharedBuffers } from '../check/shared-buffer.js';
import { VmError } from '../errors.js';
import { type FlushReceiver, FlushRing, type PostedFlush } from './flush-ring.js';
import { controlBytes, JOURNAL_WORDS, MAGIC, SlotWord, State, slotAt, VERSION, Word } from './layout.js';
import { Quiescence } from './quiescence.js';
import { Registry } from './registry.js';
import { RobustLock } from './robust-lock.js';
import { Sections } from './sections.js';
import { Patience } from './waiting.js';

/** The buffers of a group. All threads have the same. */
export interface GroupBuffers {
  readonly control: SharedArrayBuffer;
  readonly journals: SharedArrayBuffer;
}

/**
 * The shared state of new groups, before anybody is in it.
 *
 * @throws VmError `EINVAL` where the host has no SharedArrayBuffer.
 */
export function groupBuffers(slots: number): GroupBuffers {
  requireSharedBuffers();
  const control = new SharedArrayBuffer(controlBytes(slots));
  const words = new Int32Array(control);
  words[Word.version] = VERSION;
  words[Word.slots] = slots;
  words[Word.id] = Math.floor(Math.random() * 2 ** 32) | 0;
  words[Word.id + 1] = Math.floor(Math.random() * 2 ** 32) | 0;
  words[Word.magic] = MAGIC;
  return { control, journals: new SharedArrayBuffer(4 * JOURNAL_WORDS * slots) };
}

/** Names a group among all. */
export function groupName({ control }: GroupBuffers): string {
  const words = new Int32Array(control);
  return `${words[Word.id]} ${words[Word.id + 1]}`;
}

/**
 * The threads that use some memory together, as one of them sees it: its slot, the sections in which tables
 * change, quiescence, locks, flushes for other threads, and its journal.
 *
 * It knows no table and no frame. The rooms above build on it.
 */
export class ThreadGroup {
  readonly buffers: GroupBuffers;
  readonly registry: Registry;
  /** This thread's slot. */
  readonly slot: number;
  /** Names this thread in lock words. */
  readonly token: number;
  readonly sections: Sections;
  readonly quiescence: Quiescence;
  readonly flushes: FlushRing;
  readonly #words: Int32Array;
  /** Told at each quiescent point. */
  readonly #listeners: (() => void)[] = [];
  readonly #receivers: FlushReceiver[] = [];
  #hasLeft = false;

  /**
   * Attaches this thread by an invitation.
   *
   * @throws VmError `EINVAL` for an invitation that was used before.
   */
  constructor(buffers: GroupBuffers, invitation: number) {
    this.buffers = buffers;
    this.#words = new Int32Array(buffers.control);
    this.registry = new Registry(this.#words);
    this.slot = this.registry.join(invitation);
    this.token = invitation;
    this.sections = new Sections(this.#words, this.registry, this.slot);
    this.quiescence = new Quiescence(this.#words, this.registry, this.slot);
    this.flushes = new FlushRing(this.#words, this.registry.slots, this.slot);
  }

  /** The group's first thread: makes the shared state. */
  static create(slots: number): ThreadGroup {
    const buffers = groupBuffers(slots);
    return new this(buffers, new Registry(new Int32Array(buffers.control)).invite());
  }

  /** True once this thread has left. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** A lock of this group in two words of some shared state. */
  lock(words: Int32Array, at: number, what: string): RobustLock {
    return new RobustLock(words, at, this.registry, this.token, what);
  }

  /** Notes that a call of this thread changes pages of an area; 0: no longer. */
  pin(area: number): void {
    Atomics.store(this.#words, slotAt(this.slot) + SlotWord.pin, area);
  }

  /** True when a call of another thread changes pages of an area, or when one died in it. */
  isPinned(area: number): boolean {
    for (let slot = 0; slot < this.registry.slots; slot++)
      if (slot !== this.slot && this.#pinOf(slot) === area) return true;
    return false;
  }

  /** Waits until no live thread but this one is in a call on pages. None begins one while a word has a value. */
  awaitPins(words: Int32Array, at: number, value: number): void {
    const patience = new Patience();
    while (this.registry.in(State.live).some((slot) => slot !== this.slot && this.#pinOf(slot) !== 0))
      patience.wait(words, at, value);
  }

  /**
   * Requires that no other thread is attached, or was invited.
   *
   * @param what - it uses, for the message.
   * @throws VmError `EBUSY`.
   */
  requireAlone(what: string): void {
    const states = [State.live, State.invited, State.attaching];
    const others = states.flatMap((state) => this.registry.in(state)).filter((one) => one !== this.slot);
    if (others.length > 0)
      throw new VmError('EBUSY', `threads ${others.join(', ')} use ${what}, too`, {
        advice: 'let them leave first',
      });
  }

  /** A number that no other object of the group has. */
  newNumber(): number {
    return Atomics.add(this.#words, Word.serial, 1) + 1;
  }

  /** The journal of a slot: words that only its thread writes. */
  journalOf(slot: number): Int32Array {
    return new Int32Array(this.buffers.journals, 4 * JOURNAL_WORDS * slot, JOURNAL_WORDS);
  }

  /** Calls a function at each quiescent point of this thread: it drops what was read from tables. */
  onQuiesce(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Delivers flushes of other threads to a receiver, at each quiescent point. */
  onFlush(receiver: FlushReceiver): void {
    this.#receivers.push(receiver);
  }

  /** Asks the other threads for a flush. */
  post(flush: PostedFlush): void {
    this.flushes.post(flush);
  }

  /**
   * A quiescent point: drops what this thread has read, delivers flushes, and gives back what no thread can
   * hold any more.
   *
   * @throws VmError `EBUSY` inside a call.
   */
  quiesce(): void {
    if (this.sections.isInside)
      throw new VmError('EBUSY', 'this thread is in the middle of a call', {
        advice: 'call quiesce() between calls',
      });
    this.quiescence.pass(() => this.#drop());
  }

  /** Drops what was read from tables, and delivers flushes. */
  #drop(): void {
    for (const listener of this.#listeners) listener();
    this.deliver();
  }

  /** Delivers the flushes that other threads have asked for. This is no quiescent point. */
  deliver(): void {
    this.flushes.deliver({
      flush: (posted) => {
        for (const receiver of this.#receivers) receiver.flush(posted);
      },
      forgetAll: () => {
        for (const receiver of this.#receivers) receiver.forgetAll();
      },
    });
  }

  /** A quiescent point for a call that waits and has not begun; nothing inside another call. */
  quiesceIdle(): void {
    if (!this.sections.isInside) this.quiesce();
  }

  /**
   * Leaves the group. What this thread has retired and others may still hold is left to a recovery.
   *
   * @returns true when nothing was left.
   */
  leave(): boolean {
    if (this.#hasLeft) return true;
    this.quiesce();
    this.#hasLeft = true;
    if (this.quiescence.waiting === 0) {
      this.registry.free(this.slot);
      return true;
    }
    this.registry.declareDead(this.token);
    return false;
  }

  /** The slots whose threads died and whose work no recovery has mended. */
  dead(): number[] {
    return this.registry.in(State.dead);
  }

  /** The area that a call of a slot's thread changes pages of; 0 for none. */
  #pinOf(slot: number): number {
    return Atomics.load(this.#words, slotAt(slot) + SlotWord.pin);
  }
}
