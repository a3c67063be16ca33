import { parentPort } from 'node:worker_threads';
import { interpreterOf, machineOf } from './machine.mjs';
import { inTurns } from './turns.mjs';
import { walkWhileItGrows } from './walks.mjs';

const BUCKETS = 256;
/** Keys that a turn puts. Half of them the turn before has put, too: their values are replaced. */
const KEYS = 100;
const [PUT, GET] = [0, 1];

/** A value tells its key, and the turn that has put it. */
const valueAt = (/** @type {number} */ key, /** @type {number} */ turn) => 8 * key + turn;

/**
 * Puts keys in turns with the other worker, and gets all of them at the end.
 *
 * @param {import('./machine.mjs').Told} told
 */
export function runTable(told) {
  const { arena, threads } = machineOf(told);
  const { interpreter } = interpreterOf(arena, 'htab');
  // Kind, key, value, and what was found.
  const command = new Uint32Array(4);
  const context = new Uint8Array(command.buffer);
  let fresh = 0;
  inTurns(told, threads, (turn) => {
    for (let key = (turn * KEYS) / 2; key < (turn * KEYS) / 2 + KEYS; key++) {
      command.set([PUT, key, valueAt(key, turn), 0]);
      interpreter.run('run', { context });
      fresh += command[3] ?? 0;
    }
  });
  let sum = 0;
  for (let key = 0; ; key++) {
    command.set([GET, key, 0, 0]);
    interpreter.run('run', { context });
    if (command[3] === 0) break;
    sum += command[2] ?? 0;
  }
  threads.leave();
  parentPort?.postMessage(
    `program on worker ${told.number}: ${fresh} keys were new, the sum of all values is ${sum}`,
  );
}

/**
 * Walks the table while it grows.
 *
 * @param {import('./machine.mjs').Told} told
 */
export function walkTable(told) {
  walkWhileItGrows(told, {
    ...{ program: 'htab', begins: 'buckets', what: 'entries' },
    once(user, buckets) {
      let [count, sum] = [0, 0];
      for (let bucket = 0; bucket < BUCKETS; bucket++)
        for (let at = user.loadSigned32(buckets, 8 * bucket); at !== 0; at = user.loadSigned32(at)) {
          const [key, value] = [user.loadSigned32(at, 8), user.loadSigned32(at, 12)];
          if (value >> 3 !== key) throw new Error(`key ${key} has the value ${value}`);
          count++;
          sum += value;
        }
      return { count, sum };
    },
  });
}
