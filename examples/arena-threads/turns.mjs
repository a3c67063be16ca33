import { Word } from './machine.mjs';

const TURNS = 8;
const WALKERS = 2;

/**
 * Does what this worker does in its turns: the programs themselves take no lock. The first one begins when the processes walk already.
 * Returns after the last turn of all.
 *
 * @param {import('./machine.mjs').Told} told
 * @param {import('@vmarea/core').Threads} threads
 * @param {(turn: number) => void} work
 */
export function inTurns({ number, words }, threads, work) {
  const wait = (/** @type {number} */ word, /** @type {number} */ value) => {
    Atomics.wait(words, word, value, 5);
    threads.quiesce();
  };
  for (let now = 0; now < WALKERS; now = Atomics.load(words, Word.walkers)) wait(Word.walkers, now);
  for (let turn = number; turn < TURNS; turn += 2) {
    for (let now = Atomics.load(words, Word.turn); now !== turn; now = Atomics.load(words, Word.turn))
      wait(Word.turn, now);
    work(turn);
    Atomics.store(words, Word.turn, turn + 1);
    Atomics.notify(words, Word.turn);
    threads.quiesce();
  }
  for (let now = Atomics.load(words, Word.turn); now < TURNS; now = Atomics.load(words, Word.turn))
    wait(Word.turn, now);
}
