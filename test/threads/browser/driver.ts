import { type Start, stress } from '../../../packages/core/test/threads/stress/driver.js';
import { createArena } from '../../../packages/core/test/threads/stress/room.js';
import { spaceArena } from '../stress/arena.js';
import { configurations } from '../stress/station.js';

/** What the page asks for. */
export interface Wanted {
  /** A configuration, for an address space; null: the room of threads by itself. */
  readonly configuration: string | null;
  readonly threads: number;
  readonly operations: number;
  readonly kills: number;
  readonly seed: number;
}

/** The thread that starts, ends and recovers the others: the page itself may not wait. */
interface Scope {
  onmessage: ((event: { readonly data: Wanted }) => void) | null;
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

/** Starts threads of the room, or of an address space. */
function startOf(isSpace: boolean): Start {
  return (orders, hear, fail) => {
    const worker = new scope.Worker('thread.js');
    worker.onmessage = ({ data }) => hear(data);
    worker.onerror = ({ message }) => fail(new Error(message));
    // No other thread of the page has a lock of that name.
    const lock = `${isSpace ? 'space' : 'room'} ${threads++}`;
    worker.postMessage({ ...orders, lock, isSpace });
    return {
      async end() {
        worker.terminate();
        // terminate() returns while the thread still runs, and no event tells when it ends. Its Web Lock does.
        await scope.navigator.locks.request(lock, () => {});
      },
    };
  };
}

function spaceOf(name: string, lanes: number): ReturnType<typeof spaceArena> {
  const found = configurations.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no configuration ${name}`);
  return spaceArena(found, lanes);
}

async function run({ configuration, ...wanted }: Wanted): Promise<unknown> {
  if (configuration === null) return stress({ start: startOf(false), arena: createArena(), ...wanted });
  const arena = spaceOf(configuration, wanted.threads);
  const done = await stress({ start: startOf(true), arena, ...wanted });
  arena.end();
  return done;
}

scope.onmessage = ({ data }) => {
  run(data)
    .catch((error: Error) => ({ error: String(error.stack) }))
    .then((said) => scope.postMessage(said));
};
