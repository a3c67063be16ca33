import { parentPort } from 'node:worker_threads';
import { arenaAddress } from '@vmarea/ebpf';
import { interpreterOf, machineOf, Word } from './machine.mjs';

/**
 * Walks the list over and over while it grows. The low half of a pointer says where an element is.
 *
 * @param {import('./machine.mjs').Told} told
 */
export function walk(told) {
  const { number, words } = told;
  const { arena, process, threads } = machineOf(told);
  const user = arena.view({ by: process });
  const head = Number(BigInt.asUintN(32, arenaAddress(interpreterOf(arena).program, 'head')));
  const once = () => {
    let [elements, sum, before] = [0, 0, 1];
    for (let at = user.loadSigned32(head); at !== 0; at = user.loadSigned32(at)) {
      const value = user.loadSigned32(at, 8);
      // Each turn of the program has added 0, 1, 2 and so on in front.
      if (elements > 0 && value !== before - 1 && before !== 0)
        throw new Error(`${value} comes after ${before}`);
      before = value;
      elements++;
      sum += value;
    }
    threads.quiesce();
    return { elements, sum };
  };
  let walks = 0;
  let last = 0;
  while (Atomics.load(words, Word.isDone) === 0) {
    const { elements } = once();
    if (elements < last) throw new Error(`the list has shrunk from ${last} to ${elements}`);
    last = elements;
    walks++;
  }
  const { elements, sum } = once();
  threads.leave();
  parentPort?.postMessage(
    `process ${number}: ${elements} elements, sum ${sum}; it has walked before: ${walks > 0}`,
  );
}
