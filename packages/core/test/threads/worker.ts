import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { buildSync } from 'esbuild';

const programs = new Map<string, string>();

/**
 * The program of a thread, as JavaScript: Node 20 runs no TypeScript in a worker.
 *
 * @param entry - its TypeScript file: `new URL('./some-worker.ts', import.meta.url)`.
 */
export function programOf(entry: URL): string {
  const file = fileURLToPath(entry);
  let program = programs.get(file);
  if (program === undefined) {
    program = buildSync({
      entryPoints: [file],
      bundle: true,
      write: false,
      platform: 'node',
      format: 'cjs',
      conditions: ['@vmarea/source'],
    }).outputFiles[0]?.text as string;
    programs.set(file, program);
  }
  return program;
}

/** A thread of a test. */
export interface Thread {
  readonly worker: Worker;
  /** The last message that it sent before it ended: `undefined` for a thread that was killed before. */
  readonly ended: Promise<unknown>;
  /** Ends it wherever it is. Resolves when it runs no more. */
  kill(): Promise<void>;
}

/**
 * Starts a thread.
 *
 * @param program - from `programOf`.
 * @param told - its `workerData`.
 */
export function startThread(program: string, told: unknown): Thread {
  const worker = new Worker(program, { eval: true, workerData: told });
  const ended = new Promise<unknown>((resolve, reject) => {
    let last: unknown;
    worker.on('message', (message) => {
      last = message;
    });
    worker.once('error', reject);
    worker.once('exit', () => resolve(last));
  });
  return {
    worker,
    ended,
    async kill() {
      await worker.terminate();
      await ended;
    },
  };
}

/** Runs a thread to its end, and gives the last message that it sent. */
export function runThread<Seen>(program: string, told: unknown): Promise<Seen> {
  return startThread(program, told).ended as Promise<Seen>;
}
