import { parentPort } from 'node:worker_threads';
import { arenaAddress, globalBytes } from '@vmarea/ebpf';
import { interpreterOf, machineOf, Word } from './machine.mjs';
import { inTurns } from './turns.mjs';

const ELEMENTS = 300n;

/**
 * Runs `fill` in turns with the other worker, and `sum` at the end.
 *
 * @param {import('./machine.mjs').Told} told
 */
export function runList(told) {
  const { arena, threads } = machineOf(told);
  const { program, interpreter } = interpreterOf(arena, 'list');
  const context = new Uint8Array(new BigUint64Array([ELEMENTS]).buffer);
  inTurns(told, threads, () => interpreter.run('fill', { context }));
  interpreter.run('sum');
  const { buffer, byteOffset } = globalBytes(program, 'list_sum');
  const sum = new DataView(buffer, byteOffset).getBigUint64(0, true);
  threads.leave();
  parentPort?.postMessage(`program on worker ${told.number}: the sum is ${sum}`);
}

/**
 * Walks the list over and over while it grows. The low half of a pointer says where an element is.
 *
 * @param {import('./machine.mjs').Told} told
 */
export function walkList(told) {
  const { number, words } = told;
  const { arena, process, threads } = machineOf(told);
  const user = arena.view({ by: process });
  const head = Number(BigInt.asUintN(32, arenaAddress(interpreterOf(arena, 'list').program, 'head')));
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
    if (walks++ === 0) Atomics.add(words, Word.walkers, 1);
  }
  const { elements, sum } = once();
  threads.leave();
  parentPort?.postMessage(
    `process ${number}: ${elements} elements, sum ${sum}; it has walked before: ${walks > 0}`,
  );
}
