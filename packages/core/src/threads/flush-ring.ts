import { joinWords } from '../words.js';
import { FLUSH_WORDS, RING, ringAt, SlotWord, slotAt, Word } from './layout.js';

/** A flush that one thread asks of the others. */
export interface PostedFlush {
  /** Frame of the root whose translations go. */
  readonly root: number;
  /** First byte. */
  readonly va: bigint;
  /** Length in bytes. */
  readonly bytes: bigint;
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
 * A writer takes tickets, marks each entry as not ready, writes it, and then writes the ticket's number. A
 * reader looks at that number before and after it copies the words. A reader that was overtaken forgets
 * everything.
 */
export class FlushRing {
  readonly #words: Int32Array;
  readonly #ring: number;
  readonly #mine: number;
  /** Tables of a flush whose own entry comes after theirs, by writer: tickets of one flush are adjacent. */
  #tables: number[] = [];

  constructor(words: Int32Array, slots: number, slot: number) {
    this.#words = words;
    this.#ring = ringAt(slots);
    this.#mine = slotAt(slot) + SlotWord.flushed;
  }

  /** Asks all other threads for a flush. */
  post({ root, va, bytes, leafShift, asid, tables }: PostedFlush): void {
    if (tables.length > MOST_TABLES) {
      this.#write(this.#take(1), KIND_ALL, root, 0n, 0n, 0);
      return;
    }
    const packed = (asid << 8) | leafShift;
    let ticket = this.#take(tables.length + 1);
    for (const pfn of tables) {
      this.#write(ticket, KIND_TABLE, root, BigInt(pfn), 0n, packed);
      ticket = (ticket + 1) | 0;
    }
    this.#write(ticket, KIND_FLUSH, root, va, bytes, packed);
  }

  /**
   * Delivers what other threads, and this one, have asked for since the last call.
   *
   * @param receiver - gets them in their order. What this thread posted comes, too: to forget twice is sound.
   */
  deliver(receiver: FlushReceiver): void {
    const words = this.#words;
    let next = Atomics.load(words, this.#mine);
    const head = Atomics.load(words, Word.flushes);
    if (next === head) return;
    while (next !== head) {
      const distance = (Atomics.load(words, Word.flushes) - next) | 0;
      const isRead = distance <= RING ? this.#read(next, receiver) : OVERTAKEN;
      if (isRead === NOT_READY) break;
      if (isRead === OVERTAKEN) {
        this.#tables = [];
        next = Atomics.load(words, Word.flushes);
        Atomics.store(words, this.#mine, next);
        receiver.forgetAll();
        return;
      }
      next = (next + 1) | 0;
    }
    Atomics.store(words, this.#mine, next);
  }

  /**
   * Makes entries ready that a dead thread took tickets for. For a recovery: no live thread is posting.
   *
   * @returns how many there were.
   */
  mend(): number {
    const head = Atomics.load(this.#words, Word.flushes);
    let mended = 0;
    for (let back = Math.min(RING, head >>> 0); back > 0; back--) {
      const ticket = (head - back) | 0;
      if (Atomics.load(this.#words, this.#at(ticket)) === ready(ticket)) continue;
      this.#write(ticket, KIND_ALL, 0, 0n, 0n, 0);
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

  #write(ticket: number, kind: number, root: number, a: bigint, b: bigint, packed: number): void {
    const words = this.#words;
    const at = this.#at(ticket);
    Atomics.store(words, at, 0);
    Atomics.store(words, at + 1, Number(BigInt.asIntN(32, a)));
    Atomics.store(words, at + 2, Number(BigInt.asIntN(32, a >> 32n)));
    Atomics.store(words, at + 3, Number(BigInt.asIntN(32, b)));
    Atomics.store(words, at + 4, Number(BigInt.asIntN(32, b >> 32n)));
    Atomics.store(words, at + 5, packed);
    Atomics.store(words, at + 6, root | 0);
    Atomics.store(words, at + 7, (kind << 8) | Math.floor(root / 2 ** 32));
    Atomics.store(words, at, ready(ticket));
  }

  #read(ticket: number, receiver: FlushReceiver): number {
    const words = this.#words;
    const at = this.#at(ticket);
    const before = Atomics.load(words, at);
    // An entry of a lap before is not ready; one of a lap after has overtaken.
    if (before !== ready(ticket)) return NOT_READY;
    const [aLo, aHi, bLo, bHi, packed, rootLo, kindHi] = [1, 2, 3, 4, 5, 6, 7].map((i) =>
      Atomics.load(words, at + i),
    ) as [number, number, number, number, number, number, number];
    if (Atomics.load(words, at) !== before) return OVERTAKEN;
    const kind = kindHi >>> 8;
    if (kind === KIND_ALL) {
      this.#tables = [];
      receiver.forgetAll();
      return READ;
    }
    if (kind === KIND_TABLE) {
      this.#tables.push((aHi >>> 0) * 2 ** 32 + (aLo >>> 0));
      return READ;
    }
    const tables = this.#tables;
    this.#tables = [];
    receiver.flush({
      root: (kindHi & 0xff) * 2 ** 32 + (rootLo >>> 0),
      va: joinWords(aLo, aHi),
      bytes: joinWords(bLo, bHi),
      leafShift: packed & 0xff,
      asid: packed >>> 8,
      tables,
    });
    return READ;
  }
}

const READ = 0;
const NOT_READY = 1;
const OVERTAKEN = 2;

/** The first word of an entry that holds a ticket's flush. Never 0. */
function ready(ticket: number): number {
  return (ticket << 1) | 1;
}
