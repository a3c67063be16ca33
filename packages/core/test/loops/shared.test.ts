import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { buildSync } from 'esbuild';
import { expect, test } from 'vitest';
import { webAssemblyMemory } from '../memory/support.js';
import type { Seen, Told } from './shared-worker.js';

const THREADS = 2;

/** The program of a thread, as JavaScript: Node 20 runs no TypeScript. */
const program = buildSync({
  entryPoints: [fileURLToPath(new URL('./shared-worker.ts', import.meta.url))],
  bundle: true,
  write: false,
  platform: 'node',
  format: 'cjs',
}).outputFiles[0]?.text as string;

function run(told: Told): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(program, { eval: true, workerData: told });
    worker.once('message', resolve).once('error', reject);
  });
}

test.each(['WebAssembly', 'TypeScript'])(
  'two threads never see half an entry with the %s loops',
  async (kind) => {
    const source =
      kind === 'WebAssembly'
        ? webAssemblyMemory({ initial: 1, maximum: 1, shared: true })
        : new SharedArrayBuffer(65536);
    const words = new Int32Array('grow' in source && 'buffer' in source ? source.buffer : source, 8, 4);
    let rounds = kind === 'WebAssembly' ? 2_000_000 : 200_000;
    // On a busy machine one thread may end before the other begins. Then there is more to do.
    for (let refused = 0; refused === 0; rounds *= 2) {
      expect(rounds, 'the threads never ran at the same time').toBeLessThan(2 ** 28);
      words.set([0, ~0, 0, ~0]);
      const told = { source, threads: THREADS, rounds };
      const seen = await Promise.all(
        Array.from({ length: THREADS }, (_, thread) => run({ ...told, thread })),
      );
      expect(seen.map(({ torn }) => torn)).toEqual([0, 0]);
      // No exchange is lost. Those that were refused show that both threads ran at the same time.
      const counted = seen.reduce((sum, one) => sum + one.counted, 0);
      expect([words[2], words[3]]).toEqual([counted, ~counted]);
      refused = THREADS * rounds - counted;
    }
  },
);
