/** Calls of `Atomics` after which another thread may see, or be told, something. */
const NAMES = ['load', 'store', 'exchange', 'compareExchange', 'add', 'sub', 'and', 'or'] as const;

/** Thrown in place of every call of `Atomics` of a thread that died. */
export class Died extends Error {}

/**
 * Stops a call before one of its calls of `Atomics`, does something else, and lets it go on.
 *
 * @param at - before which of them: 0 is the first.
 * @param other - what another thread does meanwhile. When it throws `Died`, so do all later calls of `Atomics`.
 * @returns true when there were so many.
 */
export function interrupted(at: number, other: () => void, call: () => void): boolean {
  const real = { ...Object.fromEntries(NAMES.map((name) => [name, Atomics[name]])) };
  const hooked = Atomics as unknown as Record<string, unknown>;
  let seen = 0;
  let isDead = false;
  let isOther = false;
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
    if (!(error instanceof Died)) throw error;
  } finally {
    Object.assign(hooked, real);
  }
  return seen > at;
}

/**
 * Where a long call is interrupted next: everywhere at first, then in steps, since it does the same over and over.
 * `VMAREA_KILLS=1000` goes everywhere.
 */
export function nextPlace(at: number): number {
  return at < 40 || Number(process.env.VMAREA_KILLS ?? 0) >= 1000 ? at + 1 : at + 11;
}
