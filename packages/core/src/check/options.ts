import { isArray, shown, VmError } from '../errors.js';
import { nearest } from './nearest.js';

/** The members of an option object that were given. Their names are checked, their values are not. */
export type Given<T> = { readonly [Name in keyof T]?: unknown };

const NONE = Object.freeze({});

/**
 * Reads an option object. Every public call of vmarea uses this function.
 *
 * - `undefined` means no options. Nothing is allocated for it.
 * - Each own enumerable property is read once, into a frozen copy. A getter runs once, and a later change
 *   has no effect.
 * - A name that is not in `names` is refused, with the nearest name that is. It is never ignored.
 * - A property with the value `undefined` counts as absent. `null` is a value.
 * - A known name that the object only inherits is refused, since the call would not see it: a class with
 *   getters, `Object.create(defaults)`. Symbols, and what `Object.prototype` has, do not count.
 *
 * @param value - what the caller passed.
 * @param names - every name that the call knows.
 * @param what - the call as its caller writes it: `map()`, `riscv64()`.
 * @param kind - what one member is called in the message. Default: `option`.
 * @returns the members that were given; check each value before use.
 * @throws VmError `EINVAL` for a name that is not known, when `value` is not a plain object, and for a revoked
 *   proxy.
 * @example
 * ```ts
 * const NAMES = ['mode', 'paBits'] as const;
 *
 * export function myFormat(options?: MyOptions): PageTableFormat {
 *   const given = optionsOf(options, NAMES, 'myFormat()');
 *   const mode = choiceOption(given, 'mode', ['short', 'long'], 'long');
 *   const paBits = integerOption(given, 'paBits', 32, 44, 44);
 *   // …
 * }
 * myFormat({ mod: 'short' }); // EINVAL: myFormat() has no option `mod`; did you mean `mode`?
 * ```
 */
export function optionsOf<T extends object>(
  value: T | undefined,
  names: readonly (keyof T & string)[],
  what: string,
  kind = 'option',
): Given<T> {
  if (value === undefined) return NONE as Given<T>;
  if (typeof value !== 'object' || value === null || isArray(value) !== false)
    throw noObject(value, names, what, kind);
  const copy: Record<string, unknown> = {};
  for (const name in value) {
    if (!Object.hasOwn(value, name)) continue;
    if (!names.includes(name)) throw unknownName(name, names, what, kind);
    const member: unknown = value[name];
    if (isArray(member) === undefined)
      throw new VmError('EINVAL', `the ${kind} \`${name}\` of ${what} is ${shown(member)}`);
    if (member !== undefined) copy[name] = member;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) refuseHidden(value, names, what, kind);
  return Object.freeze(copy) as Given<T>;
}

/** An object that is not plain may have members in other places: `size` of a Map, a getter of a class. */
function refuseHidden(value: object, names: readonly string[], what: string, kind: string): void {
  if (Object.prototype.toString.call(value) !== '[object Object]') throw noObject(value, names, what, kind);
  for (const name of names) {
    if (name in value && !Object.hasOwn(value, name)) {
      throw new VmError('EINVAL', `the ${kind} \`${name}\` of ${what} is inherited`, {
        advice: 'pass an object that has it as a property of its own',
      });
    }
  }
}

function noObject(value: unknown, names: readonly string[], what: string, kind: string): VmError {
  const members = names.length === 0 ? '' : ` with any of ${names.join(', ')}`;
  return new VmError('EINVAL', `the ${kind}s of ${what} are ${shown(value)}`, {
    advice: `pass an object${members}`,
  });
}

function unknownName(name: string, names: readonly string[], what: string, kind: string): VmError {
  const near = nearest(name, names);
  const known = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
  return new VmError('EINVAL', `${what} has no ${kind} \`${name}\``, {
    advice: near === undefined ? known : `did you mean \`${near}\`?`,
  });
}
