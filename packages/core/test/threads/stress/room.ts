import type { PostedFlush } from '../../../src/threads/flush-ring.js';
import { SlotWord, slotAt } from '../../../src/threads/layout.js';
import { Registry } from '../../../src/threads/registry.js';
import { type GroupBuffers, groupBuffers, ThreadGroup } from '../../../src/threads/thread-group.js';
import type { Arena, Random, Station } from './station.js';

/** The room of threads by itself, with words in place of frames, tables and areas. */
interface Description extends GroupBuffers {
  readonly words: SharedArrayBuffer;
  readonly invitation: number;
}

const SLOTS = 8;
const THINGS = 64;
const TABLE = 32;
const PAGES = 16;

/** Words of the room. */
const Word = {
  /** A lock, and the two words that it protects. */
  lock: 0,
  first: 2,
  second: 3,
  /** Odd while an exclusive call is under way. */
  exclusive: 4,
  /** Calls under the lock, by slot: the truth of what the lock protects. */
  own: 16,
  /** A table: which thing each entry holds, plus one. */
  table: 32,
  /** What each thing is: `Thing`, and above it the slot plus one of the thread that has it. */
  things: 64,
  /** Versions of pages; posted versions of pages. */
  pages: 128,
  posted: 144,
  words: 160,
} as const;

const Thing = { free: 0, taken: 1, inTable: 2, retired: 3 } as const;

/** Makes the room, and what the main thread does with it. */
export function createArena(): Arena {
  const buffers = groupBuffers(SLOTS);
  const shared = new SharedArrayBuffer(4 * Word.words);
  const words = new Int32Array(shared);
  const registry = new Registry(new Int32Array(buffers.control));
  /** The group of a recovery: it gives back what dead threads had retired, once nobody can hold it. */
  let recovering: ThreadGroup | undefined;
  return {
    invite: (): Description => ({ ...buffers, words: shared, invitation: registry.invite() }),
    declareDead: (description) => registry.declareDead((description as Description).invitation),
    recover() {
      recovering = new ThreadGroup(buffers, registry.invite());
      return recover(recovering, words);
    },
    account() {
      // Nobody works, and each thread has passed a quiescent point.
      require(recovering?.leave() !== false, 'what dead threads had retired is not given back');
      recovering = undefined;
      account(words);
    },
  };
}

/** Makes everything anew from what is true: own counts, and the table. */
function recover(group: ThreadGroup, words: Int32Array): string[] {
  const left: string[] = [];
  const lock = group.lock(words, Word.lock, 'two words');
  lock.seize();
  if (words[Word.first] !== words[Word.second]) left.push('locked');
  words[Word.first] = words[Word.second] = sum(words);
  lock.release();
  group.sections.recovering(() => {
    const dead = group.dead();
    if (words[Word.exclusive] !== 0) left.push('exclusive');
    words[Word.exclusive] = 0;
    const control = new Int32Array(group.buffers.control);
    if (dead.some((slot) => control[slotAt(slot) + SlotWord.inside] === 1)) left.push('inside');
    const held = words.subarray(Word.table, Word.table + TABLE);
    // A swap that was not finished leaves a thing twice.
    for (let at = 0; at < TABLE; at++) if (held.indexOf(held[at] as number) < at) held[at] = 0;
    for (let thing = 0; thing < THINGS; thing++)
      mendThing(group, words, thing, held.includes(thing + 1), dead);
    if (group.flushes.mend() > 0) left.push('flush');
    for (const slot of dead) group.registry.free(slot);
  });
  return left;
}

/** A reader may still hold what was in the table: it goes back when all have passed a quiescent point. */
function mendThing(
  { quiescence, slot }: ThreadGroup,
  words: Int32Array,
  thing: number,
  isHeld: boolean,
  dead: readonly number[],
): void {
  const at = Word.things + thing;
  const state = words[at] as number;
  const isOfDead = dead.includes((state >> 3) - 1);
  if (isHeld) words[at] = Thing.inTable;
  else if (isOfDead && (state & 7) === Thing.taken) words[at] = Thing.free;
  else if (isOfDead || state === Thing.inTable) {
    words[at] = Thing.retired | ((slot + 1) << 3);
    quiescence.retire(() => Atomics.store(words, at, Thing.free));
  }
}

function sum(words: Int32Array): number {
  return words.subarray(Word.own, Word.own + SLOTS).reduce((all, one) => all + one, 0);
}

function account(words: Int32Array): void {
  const [first, second] = [words[Word.first], words[Word.second]];
  require(first === second && first === sum(words), `under the lock: ${first}, ${second}, ${sum(words)}`);
  require(words[Word.exclusive] === 0, 'an exclusive call has not ended');
  const held = [...words.subarray(Word.table, Word.table + TABLE)].filter((thing) => thing !== 0);
  require(new Set(held).size === held.length, 'a thing is in the table twice');
  for (let thing = 0; thing < THINGS; thing++) {
    const state = (words[Word.things + thing] as number) & 7;
    require((state === Thing.inTable) === held.includes(thing + 1), `thing ${thing} is ${state}`);
  }
}

function require(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}

/** One thread in the room. */
export function attach(description: unknown, random: Random): Station {
  return new RoomStation(description as Description, random);
}

class RoomStation implements Station {
  readonly #group: ThreadGroup;
  readonly #words: Int32Array;
  readonly #random: Random;
  /** Copies of pages that this thread would translate by; -1: none. */
  readonly #copies: number[] = new Array(PAGES).fill(-1);
  /** Things that this thread has found in the table since its last quiescent point. */
  readonly #found: number[] = [];

  readonly operations = [
    { name: 'lock', weight: 4, run: () => this.#locked() },
    { name: 'exchange', weight: 6, run: () => this.#exchange() },
    { name: 'swap', weight: 1, run: () => this.#swap() },
    { name: 'read', weight: 8, run: () => this.#read() },
    { name: 'translate', weight: 8, run: () => this.#translate() },
    { name: 'flush', weight: 3, run: () => this.#flush() },
  ];

  constructor({ words, invitation, ...buffers }: Description, random: Random) {
    this.#group = new ThreadGroup(buffers, invitation);
    this.#words = new Int32Array(words);
    this.#random = random;
    this.#group.onFlush({
      flush: ({ root }: PostedFlush) => {
        this.#copies[root] = -1;
      },
      forgetAll: () => {
        this.#copies.fill(-1);
      },
    });
  }

  quiesce(): void {
    this.#lookAtFound();
    this.#found.length = 0;
    const posted = this.#copies.map((_, page) => Atomics.load(this.#words, Word.posted + page));
    this.#group.quiesce();
    this.#copies.forEach((copy, page) => {
      require(copy === -1 || copy >= (posted[page] as number), `page ${page}: ${copy} after ${posted[page]}`);
    });
  }

  leave(): boolean {
    this.quiesce();
    return this.#group.quiescence.waiting === 0 && this.#group.leave();
  }

  /** Two words and the thread's own count grow together. */
  #locked(): void {
    const words = this.#words;
    this.#group.lock(words, Word.lock, 'two words').with(() => {
      // A thread may be ended at the end of each round.
      for (const at of [Word.first, Word.own + this.#group.slot, Word.second])
        words[at] = (words[at] as number) + 1;
      require(words[Word.first] === words[Word.second], 'two threads hold the lock');
    });
  }

  /** Puts a new thing into the table, and retires the one that it finds there. */
  #exchange(): void {
    const { sections, quiescence, slot } = this.#group;
    const mine = (slot + 1) << 3;
    sections.enter();
    require((Atomics.load(this.#words, Word.exclusive) & 1) === 0, 'inside beside an exclusive call');
    const thing = this.#random.below(THINGS);
    const state = Word.things + thing;
    if (Atomics.compareExchange(this.#words, state, Thing.free, Thing.taken | mine) === Thing.free) {
      const at = Word.table + this.#random.below(TABLE);
      Atomics.store(this.#words, state, Thing.inTable);
      const old = Atomics.exchange(this.#words, at, thing + 1) - 1;
      if (old >= 0) {
        Atomics.store(this.#words, Word.things + old, Thing.retired | mine);
        quiescence.retire(() => Atomics.store(this.#words, Word.things + old, Thing.free));
      }
    }
    sections.leave();
  }

  /** Two entries change places, one after the other: nobody may look between. */
  #swap(): void {
    const words = this.#words;
    const [one, other] = [this.#random.below(TABLE), this.#random.below(TABLE)];
    this.#group.sections.exclusive(() => {
      words[Word.exclusive] = (words[Word.exclusive] as number) + 1;
      const swapped = [one, other].map((at) => words[Word.table + at] as number).reverse();
      [one, other].forEach((at, index) => {
        words[Word.table + at] = swapped[index] as number;
      });
      words[Word.exclusive] = (words[Word.exclusive] as number) - 1;
    });
  }

  /** Finds a thing without a lock. It stays a thing until the next quiescent point. */
  #read(): void {
    const thing = Atomics.load(this.#words, Word.table + this.#random.below(TABLE)) - 1;
    if (thing >= 0) this.#found.push(thing);
    this.#lookAtFound();
  }

  #lookAtFound(): void {
    for (const thing of this.#found)
      require(Atomics.load(this.#words, Word.things + thing) !== Thing.free, `thing ${thing} was given back`);
  }

  #translate(): void {
    const page = this.#random.below(PAGES);
    if (this.#copies[page] === -1) this.#copies[page] = Atomics.load(this.#words, Word.pages + page);
  }

  /** Changes a page, asks for a flush, and notes that it has asked. */
  #flush(): void {
    const page = this.#random.below(PAGES);
    const version = Atomics.add(this.#words, Word.pages + page, 1) + 1;
    // The group tells the others alone.
    this.#copies[page] = -1;
    this.#group.post({ root: page, page: 0, pages: 1, leafShift: 12, asid: 0, tables: [] });
    for (;;) {
      const posted = Atomics.load(this.#words, Word.posted + page);
      if (posted >= version) return;
      if (Atomics.compareExchange(this.#words, Word.posted + page, posted, version) === posted) return;
    }
  }
}
