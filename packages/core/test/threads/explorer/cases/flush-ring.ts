import { FlushRing, type PostedFlush } from '../../../../src/threads/flush-ring.js';
import { SlotWord, slotAt, Word } from '../../../../src/threads/layout.js';
import type { ThreadBody, ThreadCase } from '../thread-case.js';
import { attach, controlOf, expect, groupCase, notesOf, SLOTS } from './group.js';

/** What a table holds, for each thread that changes one: the number of the change. */
const TABLE = 4;
/** Number of the last flush that a thread has posted: one note for each thread. */
const POSTED = 0;

/** Flush number `n` of a thread: every member tells both. */
function flushOf(thread: number, n: number, tables: number): PostedFlush {
  const key = 16 * (thread + 1) + n;
  return {
    root: key * 2 ** 32 + key,
    page: key * 2 ** 40,
    pages: key * 2 ** 36,
    leafShift: key,
    asid: key,
    tables: Array.from({ length: tables }, (_, index) => key * 2 ** 33 + index),
  };
}

/** Changes its table, posts a flush, and notes that it has. */
function posting(count: number, tables = 0): ThreadBody {
  return (shared, thread) => {
    const { flushes } = attach(shared, thread);
    const notes = notesOf(shared);
    return () => {
      for (let n = 1; n <= count; n++) {
        Atomics.store(notes, TABLE + thread, n);
        flushes.post(flushOf(thread, n, tables));
        Atomics.store(notes, POSTED + thread, n);
      }
      return 'posted';
    };
  };
}

/** A thread's copies of what the tables hold, and what it was told to forget. */
class Copies {
  /** What it has copied of the table of each thread; -1: nothing. */
  readonly of = [0, 0, 0];
  /** The last flush of each thread. */
  readonly last = [0, 0, 0];
  forgot = 0;
  readonly #tables: number;

  constructor(tables: number) {
    this.#tables = tables;
  }

  flush(posted: PostedFlush): void {
    const thread = (posted.asid >> 4) - 1;
    const n = posted.asid & 15;
    const right = flushOf(thread, n, this.#tables);
    expect(
      posted.root === right.root &&
        posted.page === right.page &&
        posted.pages === right.pages &&
        posted.leafShift === right.leafShift &&
        posted.tables.join() === right.tables.join(),
      `a torn flush: ${posted.root} ${posted.page} ${posted.pages} ${posted.tables}`,
    );
    expect(n > (this.last[thread] as number), 'flushes of one thread are out of order, or come twice');
    this.last[thread] = n;
    this.of[thread] = -1;
  }

  forgetAll(): void {
    this.forgot++;
    this.of.fill(-1);
  }
}

/** Delivers, and looks that it holds no copy that is older than a flush which was posted before. */
function delivering(rounds: number, tables = 0): ThreadBody {
  return (shared, thread) => {
    const { flushes } = attach(shared, thread);
    const notes = notesOf(shared);
    const copies = new Copies(tables);
    const others = [0, 1, 2].slice(0, thread);
    return () => {
      for (let round = 0; round < rounds; round++) {
        for (const other of others)
          if (copies.of[other] === -1) copies.of[other] = Atomics.load(notes, TABLE + other);
        const posted = others.map((other) => Atomics.load(notes, POSTED + other));
        flushes.deliver(copies);
        for (const other of others) {
          const copy = copies.of[other] as number;
          expect(copy === -1 || copy >= (posted[other] as number), `a flush of thread ${other} is missing`);
        }
      }
      return copies.forgot > 0 ? 'forgot' : `got ${copies.last.slice(0, thread)}`;
    };
  };
}

/** After a death and `mend`, flushes come again. */
function mended(shared: readonly SharedArrayBuffer[]): void {
  const words = controlOf(shared);
  const ring = new FlushRing(words, SLOTS, 2);
  const poster = new FlushRing(words, SLOTS, 1);
  poster.mend();
  Atomics.store(words, slotAt(2) + SlotWord.flushed, Atomics.load(words, Word.flushes));
  const got = new Copies(0);
  for (let n = 1; n <= 9; n++) {
    poster.post(flushOf(2, n, 0));
    ring.deliver(got);
  }
  expect(got.forgot === 0 && got.last[2] === 9, 'the ring is not whole after mend');
}

export const cases: Record<string, ThreadCase> = {
  'one posts, one delivers': groupCase({ threads: [posting(1), delivering(2)] }),
  'one posts with tables, one delivers': groupCase({ threads: [posting(1, 1), delivering(1, 1)] }),
  'one posts and laps, one delivers': groupCase({ threads: [posting(3), delivering(2)] }),
  'two post, one delivers': groupCase({ threads: [posting(1), posting(1), delivering(1)] }),
  'two post and lap, one delivers': groupCase({
    threads: [posting(2), posting(1), delivering(1)],
    isLong: true,
  }),
  'one posts and dies, one delivers': groupCase({
    threads: [posting(2), delivering(2)],
    mortal: [0],
    finish: mended,
  }),
};
