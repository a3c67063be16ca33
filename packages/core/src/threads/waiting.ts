import { VmError } from '../errors.js';

/**
 * Longest wait at once, in milliseconds. Every waiter looks again after it: the thread that should wake it
 * may have died. Some hosts end a waiting worker only between waits.
 */
const LOOK_AGAIN = 50;

/**
 * How often a thread looks at a word before it waits. A section takes about a microsecond, and so do these looks. To wait and be woken
 * takes ten or more: with 64 looks, two threads in one arena took a tenth longer.
 */
const SPINS = 2000;

/** Waits in which nothing happened before a call gives up: ten seconds. */
const MOST_WAITS = 200;

/**
 * The waits of one call. It gives up when nothing has happened for ten seconds: the thread that it waits for may have
 * ended, and the one that could say so may be this one.
 */
export class Patience {
  #left = MOST_WAITS;

  /** As `waitWhile`. @throws VmError `EAGAIN` after ten seconds, too. */
  wait(words: Int32Array, at: number, value: number): void {
    if (!waitWhile(words, at, value)) this.#left = MOST_WAITS;
    else if (--this.#left === 0)
      throw new VmError('EAGAIN', 'another thread is in the way for ten seconds', {
        advice: 'try again; if that thread ended, say so with declareDead() and call recover()',
      });
  }
}

/**
 * Waits while a word has a value, for a short time.
 *
 * @returns true when it had the value all the time.
 * @throws VmError `EAGAIN` where the host lets this thread not wait: the main thread of a browser.
 */
export function waitWhile(words: Int32Array, at: number, value: number): boolean {
  for (let spin = 0; spin < SPINS; spin++) if (Atomics.load(words, at) !== value) return false;
  try {
    return Atomics.wait(words, at, value, LOOK_AGAIN) === 'timed-out';
  } catch (cause) {
    throw new VmError('EAGAIN', 'another thread is in the way, and this one may not wait', {
      advice: 'call from a worker, or try again',
      cause,
    });
  }
}
