import { parentPort } from 'node:worker_threads';
import { globalBytes } from '@vmarea/ebpf';
import { interpreterOf, machineOf } from './machine.mjs';
import { inTurns } from './turns.mjs';
import { walkWhileItGrows } from './walks.mjs';

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
 * Walks the list while it grows. The low half of a pointer says where an element is.
 *
 * @param {import('./machine.mjs').Told} told
 */
export function walkList(told) {
  walkWhileItGrows(told, {
    ...{ program: 'list', begins: 'head', what: 'elements' },
    once(user, head) {
      let [count, sum, before] = [0, 0, 1];
      for (let at = user.loadSigned32(head); at !== 0; at = user.loadSigned32(at)) {
        const value = user.loadSigned32(at, 8);
        // Each turn of the program has added 0, 1, 2 and so on in front.
        if (count > 0 && value !== before - 1 && before !== 0)
          throw new Error(`${value} comes after ${before}`);
        before = value;
        count++;
        sum += value;
      }
      return { count, sum };
    },
  });
}
