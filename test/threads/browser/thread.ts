import { attach } from '../../../packages/core/test/threads/stress/room.js';
import { type Orders, runStation } from '../../../packages/core/test/threads/stress/runner.js';
import { attachStation } from '../stress/station.js';

/** A thread of a stress test in a browser. */
interface Scope {
  onmessage:
    | ((event: { readonly data: Orders & { readonly lock: string; readonly isSpace: boolean } }) => void)
    | null;
  postMessage(message: unknown): void;
  navigator: { readonly locks: { request(name: string, held: () => Promise<never>): unknown } };
}

const scope = globalThis as unknown as Scope;

scope.onmessage = ({ data }) => {
  // The browser gives the lock back when the thread has ended. Nothing else tells of it.
  scope.navigator.locks.request(data.lock, () => {
    runStation(data.isSpace ? attachStation : attach, data, (said) => scope.postMessage(said));
    return new Promise(() => {});
  });
};
