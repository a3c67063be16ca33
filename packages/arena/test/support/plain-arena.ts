import { PlainSlots } from '../slots/support/plain-slots.js';

/** A page: what its first word holds, and the processes that map it. */
interface PlainPage {
  value: number;
  readonly users: Set<number>;
}

/** What fails during one call. */
export type Failing = 'array' | 'page' | 'node' | 'span' | 'lock' | null;

/** What a call comes to. */
export type PlainOutcome = number | string | null;

/**
 * An arena as plain data: a page or none for each slot, the processes that map it, the spans that wait. Each call is written
 * down from the description of the kernel's. It shares no code with the library.
 */
export class PlainArena {
  readonly pages: (PlainPage | null)[];
  readonly slots: PlainSlots;
  readonly mapping: Set<number> = new Set();
  queue: { slot: number; count: number }[] = [];
  /** Pages that the machine still has. */
  frames: number;
  failing: Failing = null;

  constructor(
    readonly count: number,
    frames: number,
    readonly isLate: boolean,
  ) {
    this.frames = frames;
    this.pages = Array.from({ length: count }, () => null);
    this.slots = new PlainSlots(count, 'best fit', () => this.failing !== 'node');
    this.slots.setAvailable(0, count);
  }

  get used(): number {
    return this.pages.filter((page) => page !== null).length;
  }

  /** @returns the first slot; or why not. */
  alloc(hint: number | null, count: number): PlainOutcome {
    if (count === 0 || count > this.count) return 'EINVAL';
    if (hint !== null && hint > this.count - count) return 'EINVAL';
    if (this.failing === 'array' || this.failing === 'lock') return 'EAGAIN';
    if (hint !== null && !this.slots.isSet(hint, count)) return 'EBUSY';
    const slot = hint ?? this.slots.find(count);
    if (slot === 'ENOENT') return 'ENOMEM';
    const cleared = this.slots.clear(slot as number, count);
    if (cleared !== 'ok') return 'EAGAIN';
    if (this.failing === 'page' || this.frames < count) {
      this.#giveBack(slot as number, count);
      return this.failing === 'page' ? 'EAGAIN' : 'ENOMEM';
    }
    for (let i = 0; i < count; i++) this.#bear((slot as number) + i);
    return slot as number;
  }

  /** Slots of a request without pages. Without a record the newest release makes them available all the same, and 7.3 leaves it to the worker. */
  #giveBack(slot: number, count: number): void {
    if (this.slots.setAvailable(slot, count) === 'ok') return;
    if (this.isLate) this.slots.giveBack(slot, count);
    else this.#defer(slot, count);
  }

  #bear(slot: number): void {
    this.frames--;
    this.pages[slot] = { value: 0, users: new Set() };
  }

  #end(slot: number): void {
    if (this.pages[slot] !== null) this.frames++;
    this.pages[slot] = null;
  }

  free(slot: number, asked: number, isSleepable: boolean): PlainOutcome {
    const count = Math.min(asked, this.count - slot);
    if (!isSleepable || this.failing === 'lock') return this.#defer(slot, count);
    const marked = this.isLate
      ? this.slots.setUnavailable(slot, count)
      : this.slots.setAvailable(slot, count);
    if (marked === 'ENOMEM') return this.#defer(slot, count);
    if (marked === 'EAGAIN') return 'dropped';
    for (let i = slot; i < slot + count; i++) this.#end(i);
    if (this.isLate) this.slots.makeAvailable(slot, count);
    return 'freed';
  }

  #defer(slot: number, count: number): PlainOutcome {
    if (this.failing === 'span') return 'dropped';
    this.queue.push({ slot, count });
    return 'deferred';
  }

  work(): PlainOutcome {
    if (this.failing === 'lock') return 0;
    const taken = this.queue.reverse();
    this.queue = [];
    const done = taken.filter(({ slot, count }) => {
      const marked = this.isLate
        ? this.slots.setUnavailable(slot, count)
        : this.slots.setAvailable(slot, count);
      if (marked !== 'ok') return false;
      for (let i = slot; i < slot + count; i++) this.#end(i);
      return true;
    });
    if (this.isLate) for (const { slot, count } of done) this.slots.makeAvailable(slot, count);
    return taken.length;
  }

  reserve(slot: number, count: number): PlainOutcome {
    if (count === 0) return 'ok';
    if (slot + count > this.count) return 'EINVAL';
    if (this.failing === 'lock') return 'EBUSY';
    if (!this.slots.isSet(slot, count)) return 'EBUSY';
    return this.slots.clear(slot, count);
  }

  /** A user's access. */
  touch(user: number, slot: number): PlainOutcome {
    if (!this.mapping.has(user)) return 'SEGV';
    if (this.pages[slot]?.users.has(user) === true) return 'mapped';
    if (this.failing === 'lock') return this.isLate ? 'retry' : 'BUS';
    if (this.pages[slot] === null) {
      if (this.slots.clear(slot, 1) !== 'ok') return 'SEGV';
      if (this.failing === 'page' || this.frames === 0) {
        this.slots.setAvailable(slot, 1);
        return this.isLate ? 'OOM' : 'SEGV';
      }
      this.#bear(slot);
    }
    if (this.isLate) {
      // The page stays, although the user does not get it.
      if (this.slots.setUnavailable(slot, 1) !== 'ok') return 'OOM';
      this.slots.removeUnavailable(slot, 1);
    }
    this.pages[slot]?.users.add(user);
    return 'mapped';
  }

  unmap(user: number): void {
    this.mapping.delete(user);
    for (const page of this.pages) page?.users.delete(user);
  }
}
