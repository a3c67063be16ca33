import { parentPort, workerData } from 'node:worker_threads';
import { PhysicalMemory } from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import { Interpreter, type LinkedProgram } from '../../src/index.js';
import { ARCHITECTURES } from '../support/arena-machine.js';
import { context } from '../support/objects.js';

/** What a thread is told. */
export interface Told {
  readonly program: LinkedProgram;
  readonly architecture: string;
  readonly ram: SharedArrayBuffer;
  readonly root: bigint;
  readonly kernVmStart: bigint;
  readonly run: string;
  readonly rounds: number;
  /** Counts the threads that are ready: all begin when the last one is. */
  readonly ready: Int32Array;
  readonly threads: number;
}

const { program, architecture, ram, root, kernVmStart, run, rounds, ready, threads } = workerData as Told;
const { format, invalidations } = (ARCHITECTURES[architecture] as (typeof ARCHITECTURES)[string])();
const memory = PhysicalMemory.over(ram);
const mmu = new Mmu({ memory, invalidations, tables: { format, root, controls: format.controls } });
const arena = {
  ...{ mmu, kernVmStart },
  ...(program.arena as NonNullable<typeof program.arena>),
};
// What a program calls to get pages has been called before.
const never = (): void => {
  throw new Error('a kfunc is called in a thread');
};
const kfuncs = Object.fromEntries(program.externs.map(({ name }) => [name, never]));
const interpreter = new Interpreter(program, { arena, kfuncs });
Atomics.add(ready, 0, 1);
while (Atomics.load(ready, 0) < threads);
const { instructions } = interpreter.run(run, { context: context(rounds), budget: 2 ** 31 - 1 });
parentPort?.postMessage(instructions);
