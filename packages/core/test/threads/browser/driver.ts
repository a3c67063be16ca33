import { type Start, stress } from '../stress/driver.js';
import { createArena } from '../stress/room.js';

/** The thread that starts, ends and recovers the others: the page itself may not wait. */
interface Scope {
  onmessage: ((event: { readonly data: Parameters<typeof run>[0] }) => void) | null;
  postMessage(message: unknown): void;
  Worker: new (url: string) => Worker;
  navigator: { readonly locks: { request(name: string, held: () => void): Promise<unknown> } };
}

interface Worker {
  onmessage: ((event: { readonly data: never }) => void) | null;
  onerror: ((event: { readonly message: string }) => void) | null;
  postMessage(message: unknown): void;
  terminate(): void;
}

const scope = globalThis as unknown as Scope;

let threads = 0;

const start: Start = (orders, hear, fail) => {
  const worker = new scope.Worker('thread.js');
  worker.onmessage = ({ data }) => hear(data);
  worker.onerror = ({ message }) => fail(new Error(message));
  const lock = `thread ${threads++}`;
  worker.postMessage({ ...orders, lock });
  return {
    async end() {
      worker.terminate();
      // terminate() returns while the thread still runs, and no event tells when it ends. Its Web Lock does.
      await scope.navigator.locks.request(lock, () => {});
    },
  };
};

async function run(wanted: {
  threads: number;
  operations: number;
  seed: number;
  kills: number;
}): Promise<void> {
  try {
    scope.postMessage(await stress({ start, arena: createArena(), ...wanted }));
  } catch (error) {
    scope.postMessage({ error: String((error as Error).stack) });
  }
}

scope.onmessage = ({ data }) => void run(data);
