/** Thrown where a thread dies. Nothing of the thread runs any more, so each of its atomic operations throws it. */
class Death extends Error {}

const NAMES = ['load', 'store', 'add', 'sub', 'compareExchange', 'exchange', 'and', 'or', 'notify'] as const;
type Operation = (...args: unknown[]) => unknown;

/**
 * Runs a call in which the thread dies right before one of its atomic operations. What it has written stays,
 * and it writes nothing more into shared words.
 *
 * @param at - number of the operation, from 0 on.
 * @returns false when the call ended before it.
 */
export function dyingAt(at: number, call: () => void): boolean {
  const atomics = Atomics as unknown as Record<string, Operation>;
  const real = NAMES.map((name) => atomics[name] as Operation);
  let count = 0;
  for (const [i, name] of NAMES.entries())
    atomics[name] = (...args) => {
      if (count++ >= at) throw new Death();
      return (real[i] as Operation)(...args);
    };
  try {
    call();
  } catch (error) {
    if (!(error instanceof Death) && count <= at) throw error;
  } finally {
    for (const [i, name] of NAMES.entries()) atomics[name] = real[i] as Operation;
  }
  return count > at;
}

/**
 * Runs a call, and another one right before an atomic operation of the first. The other one must not wait:
 * both are in this thread.
 *
 * @param at - number of the operation, from 0 on.
 * @returns false when the call ended before it.
 */
export function interruptedAt(at: number, call: () => void, between: () => void): boolean {
  const atomics = Atomics as unknown as Record<string, Operation>;
  const names = [...NAMES, 'wait'];
  const real = names.map((name) => atomics[name] as Operation);
  const mend = (): void => {
    for (const [i, name] of names.entries()) atomics[name] = real[i] as Operation;
  };
  let count = 0;
  for (const [i, name] of NAMES.entries())
    atomics[name] = (...args) => {
      if (count++ === at) {
        mend();
        atomics.wait = () => {
          throw new TypeError('no wait here');
        };
        try {
          between();
        } finally {
          mend();
        }
      }
      return (real[i] as Operation)(...args);
    };
  try {
    call();
  } finally {
    mend();
  }
  return count > at;
}
