import { parentPort } from 'node:worker_threads';
import { machineOf, Word } from './machine.mjs';

const PAGES = 1000;

/**
 * Allocates pages, looks whether each is new, and frees them.
 *
 * @param {import('./machine.mjs').Told} told
 */
export function churn(told) {
  const { words } = told;
  const { arena, threads } = machineOf(told);
  let wrong = 0;
  let done = 0;
  while (done < PAGES || Atomics.load(words, Word.isDone) === 0) {
    const page = arena.allocPages(null, 1);
    if (page !== null) {
      if (arena.load(page, 8) !== 0n) wrong++;
      arena.store(page, 8, ~0n);
      arena.freePages(page, 1);
      done++;
    }
    threads.quiesce();
  }
  while (threads.pending > 0) {
    Atomics.wait(words, Word.isDone, 1, 1);
    threads.quiesce();
  }
  threads.leave();
  parentPort?.postMessage(
    `${done >= PAGES ? 'a thousand pages and more' : done} came and went, ${wrong} of them not zero`,
  );
}
