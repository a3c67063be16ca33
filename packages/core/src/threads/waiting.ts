import { VmError } from '../errors.js';

/**
 * Longest wait at once, in milliseconds. Every waiter looks again after it: the thread that should wake it
 * may have died. Some hosts end a waiting worker only between waits.
 */
const LOOK_AGAIN = 50;

/** How often a thread looks at a word before it waits. A section takes about a microsecond. */
const SPINS = 64;

/**
 * Waits while a word has a value, for a short time.
 *
 * @throws VmError `EAGAIN` where the host lets this thread not wait: the main thread of a browser.
 */
export function waitWhile(words: Int32Array, at: number, value: number): void {
  for (let spin = 0; spin < SPINS; spin++) if (Atomics.load(words, at) !== value) return;
  try {
    Atomics.wait(words, at, value, LOOK_AGAIN);
  } catch (cause) {
    throw new VmError('EAGAIN', 'another thread is in the way, and this one may not wait', {
      advice: 'call from a worker, or try again',
      cause,
    });
  }
}
