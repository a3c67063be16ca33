import { parentPort, workerData } from 'node:worker_threads';

/** What the thread is told. */
export interface FlipTold {
  readonly buffer: SharedArrayBuffer;
  /** Index of each entry in the buffer, in 64-bit words, and what it is in turn. */
  readonly entries: readonly { readonly at: number; readonly values: readonly bigint[] }[];
  /** First word: 1 once the thread shall end. Second: rounds so far. */
  readonly control: Int32Array;
}

const { buffer, entries, control } = workerData as FlipTold;
const quads = new BigUint64Array(buffer);
for (let round = 0; Atomics.load(control, 0) === 0; round++) {
  for (const { at, values } of entries) Atomics.store(quads, at, values[round % values.length] as bigint);
  Atomics.add(control, 1, 1);
}
parentPort?.postMessage('done');
