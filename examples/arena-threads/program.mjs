import { parentPort } from 'node:worker_threads';
import { globalBytes } from '@vmarea/ebpf';
import { interpreterOf, machineOf, Word } from './machine.mjs';

const TURNS = 8;
const ELEMENTS = 300n;

/**
 * Runs `fill` in turns with the other worker: the program itself takes no lock.
 *
 * @param {import('./machine.mjs').Told} told
 */
export function runProgram(told) {
  const { number, words } = told;
  const { arena, threads } = machineOf(told);
  const { program, interpreter } = interpreterOf(arena);
  const context = new Uint8Array(new BigUint64Array([ELEMENTS]).buffer);
  for (let turn = number; turn < TURNS; turn += 2) {
    for (let now = Atomics.load(words, Word.turn); now !== turn; now = Atomics.load(words, Word.turn)) {
      Atomics.wait(words, Word.turn, now, 5);
      threads.quiesce();
    }
    interpreter.run('fill', { context });
    Atomics.store(words, Word.turn, turn + 1);
    Atomics.notify(words, Word.turn);
    threads.quiesce();
  }
  while (Atomics.load(words, Word.turn) < TURNS) {
    Atomics.wait(words, Word.turn, Atomics.load(words, Word.turn), 5);
    threads.quiesce();
  }
  interpreter.run('sum');
  const { buffer, byteOffset } = globalBytes(program, 'list_sum');
  const sum = new DataView(buffer, byteOffset).getBigUint64(0, true);
  threads.leave();
  parentPort?.postMessage(`program on worker ${number}: the sum is ${sum}`);
}
