/** Calls of `Atomics` before which another thread may do something, or this one may die. */
const NAMES = ['load', 'store', 'exchange', 'compareExchange', 'add', 'sub', 'and', 'or'] as const;

/** Thrown in place of every call of `Atomics` of a thread that died. */
export class Died extends Error {}

/**
 * Stops a call before one of its calls of `Atomics`, does something else, and lets it go on. Nobody can wait meanwhile: who tries finds a
 * host that does not let it.
 *
 * @param at - before which of them: 0 is the first.
 * @param other - what another thread does meanwhile. When it throws `Died`, the call goes no further.
 * @returns true when there were so many.
 */
export function interruptedAt(at: number, other: () => void, call: () => void): boolean {
  const real: Record<string, unknown> = { wait: Atomics.wait };
  for (const name of NAMES) real[name] = Atomics[name];
  const hooked = Atomics as unknown as Record<string, unknown>;
  let seen = 0;
  let isDead = false;
  let isOther = false;
  hooked.wait = () => {
    throw new TypeError('nobody may wait here');
  };
  for (const name of NAMES)
    hooked[name] = (...given: unknown[]): unknown => {
      if (isDead) throw new Died();
      if (!isOther && seen++ === at) {
        isOther = true;
        try {
          other();
        } catch (error) {
          isDead = error instanceof Died;
          throw error;
        } finally {
          isOther = false;
        }
      }
      return (real[name] as (...given: unknown[]) => unknown)(...given);
    };
  try {
    call();
  } catch (error) {
    if (!isDead) throw error;
  } finally {
    Object.assign(hooked, real);
  }
  return seen > at;
}

/**
 * Every step where the lock is, then every fifth by default: all of them take minutes. `npm run threads` sets `VMAREA_LONG`.
 *
 * @param each - the first steps, none of which is left out.
 */
export function nextStep(at: number, each: number = 16): number {
  return at < each || process.env.VMAREA_LONG === '1' ? at + 1 : at + 5;
}
