import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { buildSync } from 'esbuild';
import type { LinkedProgram } from '../../src/index.js';
import type { Told } from '../threads/program-thread.js';
import type { ArenaMachine } from './arena-machine.js';

const code = buildSync({
  entryPoints: [fileURLToPath(new URL('../threads/program-thread.ts', import.meta.url))],
  ...{ bundle: true, write: false, platform: 'node', format: 'cjs', conditions: ['@vmarea/source'] },
  // The threads read no object, and a bundle of this kind has no place of its own.
  define: { 'import.meta.url': '"file:///"' },
}).outputFiles[0]?.text as string;

function threadOf(told: Told): Promise<number> {
  const worker = new Worker(code, { eval: true, workerData: told });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/**
 * Runs programs in threads that begin together, each on a processor of its own.
 *
 * @param machine - with shared memory.
 * @param runs - by thread: the program, and the number in its context.
 * @returns how many instructions each took.
 */
export function runThreads(
  machine: ArenaMachine,
  architecture: string,
  program: LinkedProgram,
  runs: readonly (readonly [run: string, rounds: number])[],
): Promise<number[]> {
  const same = {
    ...{ architecture, program, ready: new Int32Array(new SharedArrayBuffer(4)), threads: runs.length },
    ram: machine.memory.banks[0]?.words.buffer as SharedArrayBuffer,
    root: machine.kernel.table.root,
    kernVmStart: machine.port.kernVmStart,
  };
  return Promise.all(runs.map(([run, rounds]) => threadOf({ ...same, run, rounds })));
}
