import { parentPort } from 'node:worker_threads';
import { arenaAddress } from '@vmarea/ebpf';
import { interpreterOf, machineOf, Word } from './machine.mjs';

/**
 * @typedef {object} Walk
 * @property {string} program - the one that builds it.
 * @property {string} begins - the global at which it begins.
 * @property {string} what - its elements, for messages.
 * @property {(user: import('@vmarea/arena').ArenaView, first: number) => { count: number, sum: number }} once - walks it, from the low half
 *   of the global's address on.
 */

/**
 * Walks something in the arena over and over while it grows, through the tables of this worker's process.
 *
 * @param {import('./machine.mjs').Told} told
 * @param {Walk} walk
 */
export function walkWhileItGrows(told, { program, begins, what, once }) {
  const { number, words } = told;
  const { arena, process, threads } = machineOf(told);
  const user = arena.view({ by: process });
  const first = Number(BigInt.asUintN(32, arenaAddress(interpreterOf(arena, program).program, begins)));
  const now = () => {
    const found = once(user, first);
    threads.quiesce();
    return found;
  };
  let walks = 0;
  let last = 0;
  while (Atomics.load(words, Word.isDone) === 0) {
    const { count } = now();
    if (count < last) throw new Error(`there were ${last} ${what}, and now there are ${count}`);
    last = count;
    if (walks++ === 0) Atomics.add(words, Word.walkers, 1);
  }
  const { count, sum } = now();
  threads.leave();
  parentPort?.postMessage(
    `process ${number}: ${count} ${what}, sum ${sum}; it has walked before: ${walks > 0}`,
  );
}
