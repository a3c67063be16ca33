import { FLUSH_WORDS, RING, ringAt, SlotWord, slotAt, Word } from './layout.js';

/** A flush that one thread asks of the others. */
export interface PostedFlush {
  /** Frame of the root whose translations go. */
  readonly root: number;
  /** Its first page, counted from the start of the root's range. */
  readonly page: number;
  readonly pages: number;
  /** log2 of the smallest leaf that was removed or changed. */
  readonly leafShift: number;
  /** Address-space id of the root. */
  readonly asid: number;
  /** Frames of the tables that the range lost. */
  readonly tables: readonly number[];
}

/** Receives flushes of other threads. */
export interface FlushReceiver {
  flush(posted: PostedFlush): void;
  /** The thread missed some: it must forget all translations of all roots. */
  forgetAll(): void;
}

const KIND_FLUSH = 1;
const KIND_TABLE = 2;
const KIND_ALL = 3;
/** Most tables that one flush names. With more, the others forget everything. */
const MOST_TABLES = 64;

/**
 * The flushes that threads ask of each other: a ring, with a ticket for each entry. Nobody waits. Each thread
 * delivers them to its own sinks at its quiescent points.
 *
 * A writer takes tickets. For each it claims the entry, writes it, and says that it is ready. A writer that
 * finds the entry claimed, by one that is a lap behind or that died, writes nothing. A reader looks at the
 * first word before and after it copies the others. When it is not the one of the ticket, the reader forgets
 * everything: what was asked for by then is covered, since a flush is posted after the tables have changed.
 */
export class FlushRing {
  readonly #words: Int32Array;
  readonly #ring: number;
  readonly #mine: number;
  readonly #slot: number;
  /** Tables of a flush whose own entry comes after theirs: tickets of one flush are adjacent. */
  #tables: number[] = [];

  constructor(words: Int32Array, slots: number, slot: number) {
    this.#words = words;
    this.#ring = ringAt(slots);
    this.#mine = slotAt(slot) + SlotWord.flushed;
    this.#slot = slot;
  }

  /** True when somebody has posted a flush that this thread has not delivered. */
  get isBehind(): boolean {
    return Atomics.load(this.#words, Word.flushes) !== Atomics.load(this.#words, this.#mine);
  }

  /** Asks all other threads for a flush. */
  post({ root, page, pages, leafShift, asid, tables }: PostedFlush): void {
    if (tables.length > MOST_TABLES) {
      this.#write(this.#take(1), KIND_ALL, root, 0, 0, 0);
      return;
    }
    const packed = (asid << 8) | leafShift;
    let ticket = this.#take(tables.length + 1);
    for (let i = 0; i < tables.length; i++) {
      this.#write(ticket, KIND_TABLE, root, tables[i] as number, 0, packed);
      ticket = (ticket + 1) | 0;
    }
    this.#write(ticket, KIND_FLUSH, root, page, pages, packed);
  }

  /**
   * Delivers what other threads have asked for since the last call.
   *
   * @param receiver - gets them in their order, without those of this thread: its sinks got them at once.
   */
  deliver(receiver: FlushReceiver): void {
    const words = this.#words;
    let next = Atomics.load(words, this.#mine);
    const head = Atomics.load(words, Word.flushes);
    if (next === head) return;
    while (next !== head && this.#read(next, receiver)) next = (next + 1) | 0;
    if (next === head) {
      Atomics.store(words, this.#mine, next);
      return;
    }
    // Not written yet, or not any more. Later flushes must not wait for it: their frames may be used again.
    this.#tables = [];
    Atomics.store(words, this.#mine, Atomics.load(words, Word.flushes));
    receiver.forgetAll();
  }

  /**
   * Gives up entries that dead threads have claimed. For a recovery: no live thread is posting.
   *
   * @returns how many there were.
   */
  mend(): number {
    let mended = 0;
    for (let ticket = 0; ticket < RING; ticket++) {
      const found = Atomics.load(this.#words, this.#at(ticket));
      if (!isClaimed(found)) continue;
      Atomics.store(this.#words, this.#at(ticket), 0);
      mended++;
    }
    return mended;
  }

  #take(count: number): number {
    return Atomics.add(this.#words, Word.flushes, count);
  }

  #at(ticket: number): number {
    return this.#ring + (ticket & (RING - 1)) * FLUSH_WORDS;
  }

  #write(ticket: number, kind: number, root: number, a: number, b: number, packed: number): void {
    const words = this.#words;
    const at = this.#at(ticket);
    const found = Atomics.load(words, at);
    if (isClaimed(found) || isLater(found, ticket)) return;
    if (Atomics.compareExchange(words, at, found, claimed(ticket)) !== found) return;
    Atomics.store(words, at + 1, a | 0);
    Atomics.store(words, at + 2, Math.floor(a / 2 ** 32));
    Atomics.store(words, at + 3, b | 0);
    Atomics.store(words, at + 4, Math.floor(b / 2 ** 32));
    Atomics.store(words, at + 5, packed);
    Atomics.store(words, at + 6, root | 0);
    Atomics.store(words, at + 7, (this.#slot << 16) | (kind << 8) | Math.floor(root / 2 ** 32));
    Atomics.store(words, at, ready(ticket));
  }

  /** Copies an entry, and gives it to the receiver. False when it is not there. */
  #read(ticket: number, receiver: FlushReceiver): boolean {
    const words = this.#words;
    const at = this.#at(ticket);
    if (Atomics.load(words, at) !== ready(ticket)) return false;
    const aLo = Atomics.load(words, at + 1);
    const aHi = Atomics.load(words, at + 2);
    const bLo = Atomics.load(words, at + 3);
    const bHi = Atomics.load(words, at + 4);
    const packed = Atomics.load(words, at + 5);
    const rootLo = Atomics.load(words, at + 6);
    const kindHi = Atomics.load(words, at + 7);
    if (Atomics.load(words, at) !== ready(ticket)) return false;
    if (kindHi >>> 16 === this.#slot) return true;
    const kind = (kindHi >>> 8) & 0xff;
    if (kind === KIND_TABLE) {
      this.#tables.push(numberOf(aLo, aHi));
      return true;
    }
    const tables = this.#tables;
    this.#tables = [];
    if (kind === KIND_ALL) receiver.forgetAll();
    else
      receiver.flush({
        root: numberOf(rootLo, kindHi & 0xff),
        page: numberOf(aLo, aHi),
        pages: numberOf(bLo, bHi),
        leafShift: packed & 0xff,
        asid: packed >>> 8,
        tables,
      });
    return true;
  }
}

/** The number below 2^53 whose words were written. */
function numberOf(lo: number, hi: number): number {
  return (hi >>> 0) * 2 ** 32 + (lo >>> 0);
}

/** The first word of an entry that holds a ticket's flush. Never 0. */
function ready(ticket: number): number {
  return (ticket << 2) | 1;
}

/** The first word of an entry that a ticket's writer is writing. */
function claimed(ticket: number): number {
  return (ticket << 2) | 2;
}

function isClaimed(word: number): boolean {
  return (word & 3) === 2;
}

/** True when an entry holds the flush of a later ticket. */
function isLater(word: number, ticket: number): boolean {
  return word !== 0 && ((word - ready(ticket)) | 0) > 0;
}
