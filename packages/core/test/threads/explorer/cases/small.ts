import type { ThreadBody, ThreadCase } from '../thread-case.js';

/** Programs so small that all orders can be counted: the explorer itself is tested with them. */
type Line = (words: Int32Array) => void;
const W = 4;

function program(...lines: readonly Line[]): ThreadBody {
  return ([words]) => {
    const shared = new Int32Array(words as SharedArrayBuffer);
    return () => {
      for (const line of lines) line(shared);
      return 'done';
    };
  };
}
const load =
  (at: number): Line =>
  (words) =>
    void Atomics.load(words, at);
const store =
  (at: number): Line =>
  (words) =>
    void Atomics.store(words, at, 1);
const exchange =
  (at: number, old: number, value: number): Line =>
  (words) =>
    void Atomics.compareExchange(words, at, old, value);
/** Waits while a word is 0. */
const awaitNotZero =
  (at: number): Line =>
  (words) => {
    while (Atomics.load(words, at) === 0) Atomics.wait(words, at, 0, 1);
  };
const notify =
  (at: number): Line =>
  (words) =>
    void Atomics.notify(words, at);
/** Runs some lines only when a word is not 0. */
const when =
  (at: number, ...lines: readonly Line[]): Line =>
  (words) => {
    if (Atomics.load(words, at) !== 0) for (const line of lines) line(words);
  };

function small(threads: readonly ThreadBody[], mortal: readonly number[] = []): ThreadCase {
  return {
    buffers: [4 * W],
    setup() {},
    threads,
    mortal,
    declareDead([words]) {
      Atomics.store(new Int32Array(words as SharedArrayBuffer), W - 1, 1);
    },
    deathWords: () => [0, W - 1, 1],
  };
}

export const cases: Record<string, ThreadCase> = {
  'two stores to different words': small([program(store(0), store(1)), program(store(2), store(3))]),
  'stores and loads of one word': small([program(store(0), load(0)), program(load(0), store(0))]),
  'three stores to one word': small([program(store(0)), program(store(0)), program(store(0))]),
  'a chain of three': small([
    program(store(0), store(1)),
    program(load(1), store(2)),
    program(load(2), load(0)),
  ]),
  'compare-exchanges that fail': small([
    program(exchange(0, 7, 8), load(0)),
    program(exchange(0, 7, 9), load(0)),
    program(store(0), load(1)),
  ]),
  'an exchange that one of three wins': small([
    program(exchange(0, 0, 1), load(1)),
    program(exchange(0, 0, 2), store(1)),
    program(exchange(0, 0, 3)),
  ]),
  'a branch on what was read': small([
    program(when(0, store(1), store(2))),
    program(store(0), load(1), load(2)),
  ]),
  'a wait and a notify': small([program(awaitNotZero(0), store(1)), program(store(0), notify(0), load(1))]),
  'two waits and a notify': small([
    program(awaitNotZero(0), store(1)),
    program(awaitNotZero(0), load(1)),
    program(store(0), notify(0)),
  ]),
  'a death': small([program(store(0), load(3), store(1)), program(load(0), load(3), load(1))], [0]),
  'a death of one of three': small(
    [program(store(0), store(1)), program(load(0), load(3)), program(load(1), store(0))],
    [0, 1],
  ),
  'a wait for one that dies': small(
    [
      program(store(0), notify(0)),
      program((words) => {
        while (Atomics.load(words, 0) === 0 && Atomics.load(words, 3) === 0) Atomics.wait(words, 0, 0, 1);
      }),
    ],
    [0, 1],
  ),
  'a notify that is missing': small([program(awaitNotZero(0)), program(store(0))]),
};
