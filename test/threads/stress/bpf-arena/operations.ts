import type { Arena, ArenaView } from '@vmarea/arena';
import { VmError } from '@vmarea/core';
import type { Random } from '../../../../packages/core/test/threads/stress/station.js';
import { markOf, PAGES, START, slotOf } from './plan.js';

/** What one thread has and knows. */
export class Holdings {
  readonly arena: Arena;
  readonly program: ArenaView;
  readonly users: readonly ArenaView[];
  readonly random: Random;
  readonly lane: number;
  readonly pageBytes: number;
  /** Slots that it has, with a page. */
  readonly pages: number[] = [];
  /** Slots that it has reserved. */
  readonly reserved: number[] = [];
  /** Slots that it is freeing: the call was cut off by a death. */
  readonly going: number[] = [];
  readonly #owners: Int32Array;

  constructor(
    arena: Arena,
    users: readonly ArenaView[],
    owners: SharedArrayBuffer,
    lane: number,
    pageBytes: number,
    random: Random,
  ) {
    this.arena = arena;
    this.program = arena.view();
    this.users = users;
    this.#owners = new Int32Array(owners);
    this.lane = lane;
    this.pageBytes = pageBytes;
    this.random = random;
  }

  addressOf(slot: number): bigint {
    return START + BigInt(slot * this.pageBytes);
  }

  lowOf(slot: number): number {
    return slot * this.pageBytes;
  }

  slotAt(address: bigint): number {
    return Number(address - START) / this.pageBytes;
  }

  /** Notes that this thread has a slot. Nobody else may have it. */
  claim(slot: number): void {
    const other = Atomics.compareExchange(this.#owners, slot, 0, this.lane + 1);
    if (other !== 0) throw new Error(`slot ${slot} is lane ${this.lane}'s and lane ${other - 1}'s`);
  }

  /** Notes that it is about to give a slot back. */
  disown(slot: number): void {
    Atomics.store(this.#owners, slot, 0);
  }

  /** Writes the mark to some words of a page. */
  mark(slot: number): void {
    for (const at of this.words()) this.program.store32(this.lowOf(slot) + at, 0, markOf(slot, this.lane));
  }

  /** Requires that a page has a value in these words. */
  expect(slot: number, value: number, view: ArenaView = this.program): void {
    for (const at of this.words()) {
      const found = view.loadSigned32(this.lowOf(slot) + at);
      if (found !== value) throw new Error(`slot ${slot}, byte ${at}: ${found}, expected ${value}`);
    }
  }

  words(): readonly number[] {
    return [0, 2048, this.pageBytes - 4];
  }
}

/** One kind of operation. It throws when something is wrong that no other thread may have caused. */
export interface Operation {
  readonly weight: number;
  run(own: Holdings): void;
}

/** The pages of a request are new: nobody has them, and they are zero. */
function take(own: Holdings, address: bigint | null, count: number): void {
  if (address === null) {
    const code = own.arena.lastFailure?.code;
    if (code !== 'EAGAIN' && code !== 'ENOMEM' && code !== 'EBUSY') throw new Error(`NULL for ${code}`);
    return;
  }
  const first = own.slotAt(address);
  for (let slot = first; slot < first + count; slot++) {
    own.claim(slot);
    own.expect(slot, 0);
    own.mark(slot);
    own.pages.push(slot);
  }
}

function pickOut(list: number[], random: Random): number {
  const at = random.below(list.length);
  const found = list[at] as number;
  const last = list.pop() as number;
  if (at < list.length) list[at] = last;
  return found;
}

/** Faults at a reserved slot. False when no frame was left: all may wait for the quiescent point of a thread that does not run now. */
function isPopulated(own: Holdings, slot: number, user: ArenaView): boolean {
  try {
    own.expect(slot, 0, user);
    return true;
  } catch (error) {
    if (error instanceof VmError && error.message.includes('out of memory')) return false;
    throw error;
  }
}

/** Frees what `going` names. A death may cut it off before it begins: then it is called again. */
function finishFrees(own: Holdings): void {
  while (own.going.length > 0) {
    const slot = own.going.at(-1) as number;
    // A user's fault or another thread's free of neighbours may have the slot for a moment.
    while (own.arena.freePages(own.addressOf(slot), 1) === 'dropped');
    own.going.pop();
  }
}

/** All operations, by name. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  allocate: {
    weight: 14,
    run: (own) => {
      if (own.pages.length < 60) take(own, own.arena.allocPages(null, 1), 1);
    },
  },
  allocateMany: {
    weight: 3,
    run: (own) => {
      const count = 2 + own.random.below(10);
      if (own.pages.length < 50) take(own, own.arena.allocPages(null, count), count);
    },
  },
  allocateAt: {
    weight: 2,
    run: (own) => {
      const count = 1 + own.random.below(3);
      const slot = own.random.below(PAGES - count + 1);
      if (own.pages.length < 60) take(own, own.arena.allocPages(own.addressOf(slot), count), count);
    },
  },
  free: {
    weight: 16,
    run: (own) => {
      finishFrees(own);
      if (own.pages.length === 0) return;
      const slot = pickOut(own.pages, own.random);
      own.expect(slot, markOf(slot, own.lane));
      // Before it is free: then it may be another thread's at once.
      own.disown(slot);
      own.going.push(slot);
      finishFrees(own);
    },
  },
  freeLater: {
    weight: 2,
    run: (own) => {
      if (own.pages.length === 0) return;
      const slot = pickOut(own.pages, own.random);
      own.disown(slot);
      if (own.arena.freePages(own.addressOf(slot), 1, { sleepable: false }) !== 'deferred')
        own.going.push(slot);
    },
  },
  work: { weight: 2, run: (own) => void own.arena.runWorker() },
  reserve: {
    weight: 2,
    run: (own) => {
      if (own.reserved.length >= 6) return;
      const slot = own.random.below(PAGES);
      try {
        own.arena.reservePages(own.addressOf(slot), 1);
      } catch (error) {
        if (error instanceof VmError && (error.code === 'EBUSY' || error.code === 'EAGAIN')) return;
        throw error;
      }
      own.claim(slot);
      own.reserved.push(slot);
    },
  },
  populate: {
    weight: 4,
    run: (own) => {
      if (own.reserved.length === 0) return;
      const slot = own.reserved.at(-1) as number;
      const user = own.users[own.random.below(2)] as ArenaView;
      // A fault that finds no frame makes the slot available, as Linux does: then it may be another thread's at once.
      own.disown(slot);
      if (!isPopulated(own, slot, user)) {
        own.reserved.pop();
        return;
      }
      own.claim(slot);
      own.mark(slot);
      own.reserved.pop();
      own.pages.push(slot);
      own.expect(slot, markOf(slot, own.lane), user);
    },
  },
  users: {
    weight: 12,
    run: (own) => {
      if (own.pages.length === 0) return;
      const slot = own.pages[own.random.below(own.pages.length)] as number;
      const user = own.users[own.random.below(2)] as ArenaView;
      own.expect(slot, markOf(slot, own.lane), user);
      user.store32(own.lowOf(slot) + 64, 0, slot);
      if (own.program.loadSigned32(own.lowOf(slot) + 64) !== slot)
        throw new Error(`slot ${slot} has two pages`);
    },
  },
  look: {
    weight: 12,
    run: (own) => {
      const slot = own.random.below(PAGES);
      const found = own.program.loadSigned32(own.lowOf(slot) + 2048);
      if (found !== 0 && slotOf(found) !== slot)
        throw new Error(`slot ${slot} has the mark of slot ${slotOf(found)}`);
    },
  },
};

/** Gives back all that a thread has. */
export function tidy(own: Holdings): void {
  finishFrees(own);
  for (const list of [own.pages, own.reserved])
    while (list.length > 0) {
      const slot = list.pop() as number;
      own.disown(slot);
      own.going.push(slot);
      finishFrees(own);
    }
  own.arena.runWorker();
}
