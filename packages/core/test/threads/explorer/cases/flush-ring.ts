import { FlushRing, type PostedFlush } from '../../../../src/threads/flush-ring.js';
import { SlotWord, slotAt, Word } from '../../../../src/threads/layout.js';
import type { ThreadBody, ThreadCase } from '../thread-case.js';
import { attach, controlOf, expect, groupCase, notesOf, SLOTS } from './group.js';

/** Number of the last flush that a thread has posted: one note for each thread. */
const POSTED = 0;

/** Flush number `n` of a thread: every member tells both. */
function flushOf(thread: number, n: number, tables: number): PostedFlush {
  const key = 16 * (thread + 1) + n;
  return {
    root: key * 2 ** 32 + key,
    va: BigInt(key) << 40n,
    bytes: BigInt(key) << 36n,
    leafShift: key,
    asid: key,
    tables: Array.from({ length: tables }, (_, index) => key * 2 ** 33 + index),
  };
}

/** Posts flushes, and notes each after it. */
function posting(count: number, tables = 0): ThreadBody {
  return (shared, thread) => {
    const { flushes } = attach(shared, thread);
    const notes = notesOf(shared);
    return () => {
      for (let n = 1; n <= count; n++) {
        flushes.post(flushOf(thread, n, tables));
        Atomics.store(notes, POSTED + thread, n);
      }
      return 'posted';
    };
  };
}

/** What a thread has got: the number of the last flush of each thread. */
class Got {
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
        posted.va === right.va &&
        posted.bytes === right.bytes &&
        posted.leafShift === right.leafShift &&
        posted.tables.join() === right.tables.join(),
      `a torn flush: ${posted.root} ${posted.va} ${posted.bytes} ${posted.tables}`,
    );
    expect(n > (this.last[thread] as number), 'flushes of one thread are out of order, or come twice');
    this.last[thread] = n;
  }

  forgetAll(): void {
    this.forgot++;
  }
}

/** Delivers, and looks that nothing is missing that was posted before. */
function delivering(rounds: number, tables = 0): ThreadBody {
  return (shared, thread) => {
    const { flushes } = attach(shared, thread);
    const notes = notesOf(shared);
    const got = new Got(tables);
    const covered = [0, 0, 0];
    return () => {
      for (let round = 0; round < rounds; round++) {
        const posted = [0, 1, 2].map((other) => (other < thread ? Atomics.load(notes, POSTED + other) : 0));
        const before = got.forgot;
        flushes.deliver(got);
        posted.forEach((n, other) => {
          const isHere = got.forgot > before || (got.last[other] as number) >= n;
          // What came in an earlier round, and was forgotten then, does not come again.
          expect(isHere || n <= (covered[other] as number), `flush ${n} of thread ${other} is missing`);
          if (isHere) covered[other] = Math.max(covered[other] as number, n);
        });
      }
      return got.forgot > 0 ? 'forgot' : `got ${got.last.slice(0, thread)}`;
    };
  };
}

/** After a death and `mend`, flushes come again. */
function mended(shared: readonly SharedArrayBuffer[]): void {
  const words = controlOf(shared);
  const ring = new FlushRing(words, SLOTS, 2);
  new FlushRing(words, SLOTS, 1).mend();
  Atomics.store(words, slotAt(2) + SlotWord.flushed, Atomics.load(words, Word.flushes));
  const got = new Got(0);
  for (let n = 1; n <= 9; n++) {
    ring.post(flushOf(2, n, 0));
    ring.deliver(got);
  }
  expect(got.forgot === 0 && got.last[2] === 9, 'the ring is not whole after mend');
}

export const cases: Record<string, ThreadCase> = {
  'one posts, one delivers': groupCase({ threads: [posting(1), delivering(2)] }),
  'one posts with tables, one delivers': groupCase({ threads: [posting(1, 1), delivering(1, 1)] }),
  'one posts and laps, one delivers': groupCase({ threads: [posting(3), delivering(2)] }),
  'two post, one delivers': groupCase({ threads: [posting(1), posting(1), delivering(1)] }),
  'two post and lap, one delivers': groupCase({ threads: [posting(2), posting(1), delivering(1)] }),
  'one posts and dies, one delivers': groupCase({
    threads: [posting(2), delivering(2)],
    mortal: [0],
    finish: mended,
  }),
};
