import { VmError } from '../../errors.js';
import { ENTRY_WORDS, LOG_MAGIC, LOG_VERSION, LogWord, NUMBER_MASK, numberOf, tailOf } from './log-layout.js';
import { readText, sumOf, writeText } from './log-text.js';

/** What a thread must do to know what the others did: perhaps begin from a checkpoint, and then replay. */
export interface LogNews {
  /** Text of a checkpoint that replaces all; `null` when the records are enough. */
  readonly checkpoint: string | null;
  /** Texts of records, in order. */
  readonly records: readonly string[];
}

/** Where a thread stands in the log. */
interface Place {
  /** The tail as it was read. */
  readonly tail: number;
  /** How often its half had been begun. */
  readonly begun: number;
  /** Word of the next record. */
  readonly at: number;
}

/** Counts of a log so far. */
export interface LogCounts {
  readonly records: number;
  readonly bytes: number;
  readonly checkpoints: number;
}

/** How often the same tail is read. */
const TRIES = 100;

const NOWHERE: Place = { tail: -1, begun: -1, at: -1 };

/**
 * The log of area operations, in shared memory: two halves. Each begins with a checkpoint of everything, and
 * records follow. The lock's owner writes; everybody reads, without a lock.
 *
 * A record exists once the tail counts it: one atomic store. What a writer left before it died is overwritten
 * by the next one. When a half is full, the writer begins the other one with a checkpoint. `begun` of that
 * half grows before any byte of it changes, and a reader looks at it after its copy: what it copied while a
 * writer was at it is dropped, and it reads again.
 */
export class AreaLog {
  readonly words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #halfWords: number;
  #place = NOWHERE;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
    if (this.words[LogWord.magic] !== LOG_MAGIC || this.words[LogWord.version] !== LOG_VERSION)
      throw new VmError('EINVAL', 'this buffer is not an area log of this version', {
        advice: 'pass what describeSpace gave, to the same version of vmarea',
      });
    this.#bytes = new Uint8Array(buffer);
    this.#halfWords = (this.words[LogWord.halfBytes] as number) / 4;
  }

  /** A new log, empty: the first checkpoint is not written yet. @param bytes - of both halves together. */
  static create(bytes: number): AreaLog {
    const halfBytes = Math.floor(bytes / 8) * 4;
    const buffer = new SharedArrayBuffer(4 * LogWord.halvesAt + 2 * halfBytes);
    const words = new Int32Array(buffer);
    words[LogWord.halfBytes] = halfBytes;
    words[LogWord.version] = LOG_VERSION;
    words[LogWord.magic] = LOG_MAGIC;
    return new this(buffer);
  }

  get buffer(): SharedArrayBuffer {
    return this.words.buffer as SharedArrayBuffer;
  }

  /** True when others have published something that this thread has not read. */
  get hasMoved(): boolean {
    return Atomics.load(this.words, LogWord.tail) !== this.#place.tail;
  }

  /** Bytes that a record may have now. The thread has read all that was published. */
  get room(): number {
    const { at, tail } = this.#place;
    return 4 * (this.#halfAt(tail & 1) + this.#halfWords - at - ENTRY_WORDS);
  }

  /** Bytes for records that the half in use had when it was begun. */
  get roomAtStart(): number {
    const start = this.#halfAt(this.#place.tail & 1);
    return 4 * (start + this.#halfWords - (this.#entry(start)?.next ?? start));
  }

  get counts(): LogCounts {
    const [records, bytes, checkpoints] = [LogWord.records, LogWord.bytes, LogWord.checkpoints].map((at) =>
      Atomics.load(this.words, at),
    ) as [number, number, number];
    return { records, bytes, checkpoints };
  }

  /**
   * Reads what others have published since the last call.
   *
   * @returns `null` when there is nothing.
   * @throws Error when somebody else wrote into the log.
   */
  read(): LogNews | null {
    for (let last = -1, tries = 0; ; tries++) {
      const tail = Atomics.load(this.words, LogWord.tail);
      if (tail === this.#place.tail) return null;
      // A writer never changes the half in use. So only a new tail explains that it could not be read.
      if (tail !== last) tries = 0;
      else if (tries > TRIES)
        throw new Error('the area log is damaged: its records are not those of its tail');
      last = tail;
      const half = tail & 1;
      const begun = Atomics.load(this.words, LogWord.begun + half);
      // Read in between: the half was in use when `begun` was read, so `begun` is that of its use.
      if (Atomics.load(this.words, LogWord.tail) !== tail) continue;
      const news = this.#readTo({ tail, begun, at: -1 });
      if (news !== null) return news;
    }
  }

  /**
   * Publishes a record. Only under the lock, when all was read, and with `room` for it.
   */
  append(text: string): void {
    const { at, tail, begun } = this.#place;
    const number = (numberOf(tail) + 1) & NUMBER_MASK;
    const next = this.#write(at, number, text);
    this.#publish({ tail: tailOf(number, tail & 1), begun, at: next });
    this.#count(LogWord.records, 1);
    this.#count(LogWord.bytes, text.length);
  }

  /**
   * Begins the other half with a checkpoint of what was published so far. Only under the lock, when all was
   * read.
   *
   * @returns false, and nothing is done, when it does not fit.
   */
  begin(checkpoint: string): boolean {
    if (this.#wordsOf(checkpoint) > this.#halfWords) return false;
    const before = this.#place;
    const isFirst = before === NOWHERE;
    const half = isFirst ? 0 : 1 - (before.tail & 1);
    const number = isFirst ? 0 : numberOf(before.tail);
    const begun = Atomics.add(this.words, LogWord.begun + half, 1) + 1;
    const at = this.#write(this.#halfAt(half), number, checkpoint);
    this.#publish({ tail: tailOf(number, half), begun, at });
    this.#count(LogWord.checkpoints, 1);
    return true;
  }

  /** Copies everything up to a tail. `null` when a writer was at it meanwhile. */
  #readTo(to: Place): LogNews | null {
    const from = this.#place;
    const half = to.tail & 1;
    const isSameHalf = from !== NOWHERE && (from.tail & 1) === half && from.begun === to.begun;
    if (isSameHalf) return this.#finish(to, null, [], from.at, numberOf(from.tail));
    const start = this.#entry(this.#halfAt(half));
    if (start === null) return null;
    // What is left in the half before: then nothing must be restored.
    const rest = from === NOWHERE ? null : this.#restOfHalf(from, start.number);
    if (rest !== null) return this.#finish(to, null, rest, start.next, start.number);
    const checkpoint = this.#copy(start);
    return checkpoint === null ? null : this.#finish(to, checkpoint, [], start.next, start.number);
  }

  /** The records of a half from a place on, up to a number; `null` when they are gone. */
  #restOfHalf(from: Place, until: number): string[] | null {
    const records: string[] = [];
    if (this.#copyRecords(from.at, numberOf(from.tail), until, records) < 0) return null;
    return this.#isBegun(from) ? records : null;
  }

  #finish(
    to: Place,
    checkpoint: string | null,
    before: readonly string[],
    at: number,
    number: number,
  ): LogNews | null {
    const records = [...before];
    const next = this.#copyRecords(at, number, numberOf(to.tail), records);
    if (next < 0 || !this.#isBegun(to)) return null;
    this.#place = { ...to, at: next };
    return { checkpoint, records };
  }

  /** Copies records after a number, up to another. Returns the word after them; -1 when they are torn. */
  #copyRecords(from: number, after: number, until: number, into: string[]): number {
    let at = from;
    for (let number = after; number !== until; ) {
      const entry = this.#entry(at);
      number = (number + 1) & NUMBER_MASK;
      if (entry === null || entry.number !== number) return -1;
      const text = this.#copy(entry);
      if (text === null) return -1;
      into.push(text);
      at = entry.next;
    }
    return at;
  }

  /** True when no writer has begun the half of a place again. */
  #isBegun({ tail, begun }: Place): boolean {
    // An exchange, not a load: what was read before must not move behind it.
    return Atomics.add(this.words, LogWord.begun + (tail & 1), 0) === begun;
  }

  /** A record or checkpoint; `null` for words that cannot be one. */
  #entry(at: number): { at: number; length: number; number: number; next: number } | null {
    const end = this.words.length;
    if (at + ENTRY_WORDS > end) return null;
    const length = Atomics.load(this.words, at);
    const number = Atomics.load(this.words, at + 1);
    const next = at + ENTRY_WORDS + Math.ceil(length / 4);
    return length < 0 || next > end ? null : { at, length, number, next };
  }

  /** The text of an entry; `null` when its bytes are not those that its sum is of. */
  #copy({ at, length }: { at: number; length: number }): string | null {
    const from = 4 * (at + ENTRY_WORDS);
    const text = readText(this.#bytes.subarray(from, from + length));
    return sumOf(text) === Atomics.load(this.words, at + 2) ? text : null;
  }

  #write(at: number, number: number, text: string): number {
    writeText(this.#bytes, 4 * (at + ENTRY_WORDS), text);
    Atomics.store(this.words, at, text.length);
    Atomics.store(this.words, at + 1, number);
    Atomics.store(this.words, at + 2, sumOf(text));
    return at + this.#wordsOf(text);
  }

  #publish(place: Place): void {
    Atomics.store(this.words, LogWord.tail, place.tail);
    this.#place = place;
  }

  #count(word: number, by: number): void {
    Atomics.add(this.words, word, by);
  }

  #wordsOf(text: string): number {
    return ENTRY_WORDS + Math.ceil(text.length / 4);
  }

  #halfAt(half: number): number {
    return LogWord.halvesAt + half * this.#halfWords;
  }
}
