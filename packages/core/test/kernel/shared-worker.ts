import { parentPort, workerData } from 'node:worker_threads';
import { ArrayKernels } from '../../src/kernel/array-kernels.js';
import type { RunKernels } from '../../src/kernel/run-kernels.js';
import type { MemoryObject } from '../../src/kernel/wasm-host.js';
import { WasmKernels } from '../../src/kernel/wasm-kernels.js';

/** What a thread of the test is told. */
export interface Told {
  /** A WebAssembly.Memory or a SharedArrayBuffer: the bank from byte 8 on, and in its last word how many have started. */
  readonly source: MemoryObject | SharedArrayBuffer;
  readonly threads: number;
  readonly rounds: number;
}

/** What it saw: entries whose halves do not belong together. */
export interface Seen {
  readonly torn: number;
  readonly counted: number;
}

/** In every entry the high word is the low one inverted. Entry 0 is stored, entry 1 is counted up by exchanges. */
function hammer(kernels: RunKernels, rounds: number): Seen {
  let torn = 0;
  let counted = 0;
  for (let i = 0; i < rounds; i++) {
    kernels.store64(0, i, ~i);
    for (const at of [0, 2]) {
      const lo = kernels.load64(at);
      if (kernels.high !== ~lo) torn++;
    }
    const lo = kernels.load64(2);
    if (kernels.cas64(2, lo, ~lo, lo + 1, ~(lo + 1))) counted++;
  }
  return { torn, counted };
}

const { source, threads, rounds } = workerData as Told;
const buffer = 'buffer' in source ? source.buffer : source;
const words = new Int32Array(buffer, 8, 1024);
const kernels =
  'buffer' in source
    ? new WasmKernels({ words }, { memory: source, isShared: true, byteOffset: 8, hasScratch: false })
    : new ArrayKernels({ words }, true);

const started = new Int32Array(buffer);
const last = started.length - 1;
Atomics.add(started, last, 1);
while (Atomics.load(started, last) < threads);
parentPort?.postMessage(hammer(kernels, rounds));
