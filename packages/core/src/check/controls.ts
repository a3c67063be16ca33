import { wrongValue } from './members.js';
import { optionsOf } from './options.js';

/**
 * Controls that are known to be complete and valid, and the format's own controls that they were made from.
 */
const complete = new WeakMap<object, object>();

/**
 * Completes controls (processor modes), and refuses those that the format does not know.
 *
 * Absent members get their values from `known`. The result is frozen. To pass it in again costs one look-up.
 *
 * A member has the type of the known one: `true` or `false`; a number, which is an unsigned 32-bit integer;
 * a bigint, which is an unsigned 64-bit integer; or text.
 *
 * @param known - complete controls: the format's own, or what this function returned.
 * @param given - the members that differ. Default: none.
 * @param what - whose controls they are, for the message: the format's name.
 * @throws VmError `EINVAL` for a name that the format does not know, naming the nearest one that it does,
 *   and for a value of another type.
 * @example
 * ```ts
 * completeControls(X8664_CONTROLS, { smap: false }, 'x86-64');
 * completeControls(RISCV64_CONTROLS, { SUM: true }, 'riscv64'); // EINVAL: riscv64 has no control `SUM`; did you mean `sum`?
 * ```
 */
export function completeControls<C extends object>(known: C, given: Partial<C> | undefined, what: string): C {
  if (given === undefined || given === known) return known;
  const own = complete.get(known) ?? known;
  if (given === own || complete.get(given) === own) return given as C;
  const names = Object.keys(known) as (keyof C & string)[];
  const whole = { ...known } as Record<string, unknown>;
  for (const [name, value] of Object.entries(optionsOf<Partial<C>>(given, names, what, 'control'))) {
    if (!isAlike(value, whole[name])) throw wrongValue(`the control ${name}`, value, expected(whole[name]));
    whole[name] = value;
  }
  complete.set(Object.freeze(whole), own);
  return whole as unknown as C;
}

/** True when a value may replace a known one. */
function isAlike(value: unknown, known: unknown): boolean {
  if (typeof value !== typeof known) return false;
  if (typeof value === 'number') return value >>> 0 === value;
  return typeof value !== 'bigint' || BigInt.asUintN(64, value) === value;
}

function expected(known: unknown): string {
  if (typeof known === 'boolean') return 'true or false';
  if (typeof known === 'number') return '0 to 0xffffffff';
  return typeof known === 'bigint' ? 'an unsigned 64-bit bigint' : 'text';
}
