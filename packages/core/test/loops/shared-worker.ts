import { parentPort, workerData } from 'node:worker_threads';
import type { AddressCodec } from '../../src/address-codec.js';
import type { WebAssemblyMemoryLike } from '../../src/loops/loop-provider.js';
import type { RunLoops } from '../../src/loops/run-loops.js';
import { SharedArrayLoops } from '../../src/loops/shared-array-loops.js';
import { WasmLoops } from '../../src/loops/wasm/wasm-loops.js';

/** The input of a thread of the test. */
export interface Told {
  /** A WebAssembly.Memory or a SharedArrayBuffer: the bank from byte 8 on, and in its last word how many have started. */
  readonly source: WebAssemblyMemoryLike | SharedArrayBuffer;
  readonly threads: number;
  /** Of them, from 0 on. */
  readonly thread: number;
  readonly rounds: number;
}

/** What it saw: entries whose halves do not match. */
export interface Seen {
  readonly torn: number;
  readonly counted: number;
}

/** A frame in both halves of an entry. */
const BOTH: AddressCodec = {
  lowRotate: 0,
  lowLo: -1,
  lowHi: -1,
  highLoRotate: 0,
  highLo: 0,
  highHiRotate: 0,
  highHi: 0,
};

/** In every entry the high word is the low one inverted. Entry 0 is stored, entry 1 is counted up by exchanges. */
function hammer(loops: RunLoops, rounds: number): Seen {
  let torn = 0;
  let counted = 0;
  for (let i = 0; i < rounds; i++) {
    loops.store64(0, i, ~i);
    for (const at of [0, 2]) {
      const lo = loops.load64(at);
      if (loops.high !== ~lo) torn++;
    }
    const lo = loops.load64(2);
    if (loops.cas64(2, lo, ~lo, lo + 1, ~(lo + 1))) counted++;
  }
  return { torn, counted };
}

/** The same for loops over runs: entry 2 is written by one and copied by another to an entry that is the thread's own. */
function hammerRuns(loops: RunLoops, rounds: number, own: number): number {
  let torn = 0;
  const halves = { lo: 0, hi: 0, address: BOTH, pfnLimit: 2 ** 32 };
  for (let i = 0; i < rounds; i++) {
    loops.writeLinear(4, 1, i, 1, halves);
    loops.copy(own, 4, 1);
    if (loops.load64(own) !== loops.high) torn++;
    loops.change(4, 1, -1, -1, ~i, ~i);
    loops.copy(own, 4, 1);
    if (loops.load64(own) !== loops.high) torn++;
  }
  return torn;
}

const { source, threads, thread, rounds } = workerData as Told;
const buffer = 'buffer' in source ? source.buffer : source;
const words = new Int32Array(buffer, 8, 1024);
const loops =
  'buffer' in source
    ? new WasmLoops({ words }, { memory: source, isShared: true, byteOffset: 8, scratch: null }, () => null)
    : new SharedArrayLoops({ words });

const started = new Int32Array(buffer);
const last = started.length - 1;
Atomics.add(started, last, 1);
while (Atomics.load(started, last) < threads);
const seen = hammer(loops, rounds);
const torn = hammerRuns(loops, rounds, 6 + 2 * thread);
parentPort?.postMessage({ ...seen, torn: seen.torn + torn });
