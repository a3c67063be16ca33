import { printable } from '@vmarea/core';
import type { ArgsDef } from 'citty';
import { UsageError } from './errors.js';
import { nearest } from './suggest.js';

/** The values of a subcommand's arguments. Flags are booleans, all others are text. */
export type ValuesOf<Definition extends ArgsDef> = {
  readonly [Name in keyof Definition]?:
    | (Definition[Name] extends { readonly type: 'boolean' } ? boolean : string)
    | undefined;
};

/** The end of the hint of a last positional argument that may be given many times. All are in `_`. */
const MANY = '…';

/**
 * Checks a subcommand's arguments against its definition, since citty accepts unknown ones. It returns every option
 * as `--name=value`, so that values such as `-` and `-5` arrive unchanged.
 *
 * @throws UsageError for an unknown option, a missing or unexpected value, or an unexpected argument.
 */
export function strictArguments(rawArgs: readonly string[], definition: ArgsDef): string[] {
  const positionals = Object.keys(definition).filter((name) => definition[name]?.type === 'positional');
  const names = Object.keys(definition).filter((name) => !positionals.includes(name));
  const result: string[] = [];
  const last = definition[positionals.at(-1) ?? ''];
  const most = last?.valueHint?.endsWith(MANY) ? Number.POSITIVE_INFINITY : positionals.length;
  let given = 0;
  for (let i = 0; i < rawArgs.length; i++) {
    const argument = rawArgs[i] as string;
    // A lone - is standard input.
    if (given < most && (argument === '-' || !argument.startsWith('-'))) {
      given++;
      result.push(argument);
      continue;
    }
    if (!argument.startsWith('--') || argument === '--') {
      const file = names.find((name) => definition[name]?.valueHint === 'FILE');
      const taken = last === undefined ? '' : `; one ${last.valueHint} is given already`;
      const named = file === undefined ? '' : `; name a file with --${file} FILE`;
      const hint = argument.startsWith('-') ? '' : taken || named;
      throw new UsageError(`unexpected argument '${printable(argument)}'; options start with --${hint}`);
    }
    const equals = argument.indexOf('=');
    const name = argument.slice(2, equals < 0 ? undefined : equals);
    const option = names.includes(name) ? definition[name] : undefined;
    if (option === undefined)
      throw unknown(
        'option',
        `--${name}`,
        names.map((n) => `--${n}`),
      );
    if (option.type === 'boolean') {
      if (equals >= 0) throw new UsageError(`--${name} takes no value`);
      result.push(argument);
    } else {
      const value = equals >= 0 ? argument.slice(equals + 1) : rawArgs[++i];
      if (value === undefined || value === '' || value.startsWith('--')) {
        throw new UsageError(`--${name} needs a value: --${name} ${option.valueHint ?? 'VALUE'}`);
      }
      result.push(`--${name}=${value}`);
    }
  }
  const missing = definition[positionals[given] ?? ''];
  if (missing !== undefined && missing.required !== false)
    throw new UsageError(`${missing.valueHint ?? positionals[given]} is missing: ${missing.description}`);
  return result;
}

/**
 * The error for an unknown name. It names the nearest known one, or all of them.
 *
 * @param heading - what stands before the list of all.
 */
export function unknown(what: string, name: string, known: readonly string[], heading = 'Known'): UsageError {
  const near = nearest(name, known);
  return new UsageError(
    `unknown ${what} '${printable(name)}'\n` +
      (near === undefined ? `${heading}: ${known.join(', ')}` : `Did you mean ${near}?`),
  );
}

/**
 * Reads an option that takes one of a few words.
 *
 * @param fallback - the value when the option is absent.
 * @throws UsageError for any other word, with the nearest known one.
 */
export function oneOf<Value extends string>(
  name: string,
  value: string | undefined,
  known: readonly Value[],
  fallback: Value,
): Value {
  if (value === undefined) return fallback;
  const found = known.find((one) => one === value);
  if (found === undefined) throw unknown(`value of ${name}`, value, known);
  return found;
}

/** The bounds of a number on the command line. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly fallback: number;
}

/**
 * Reads a numeric option.
 *
 * @throws UsageError when the value is not a whole number within the bounds.
 */
export function wholeNumber(name: string, value: string | undefined, bounds: Bounds): number {
  if (value === undefined) return bounds.fallback;
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= bounds.min && number <= bounds.max)) {
    throw new UsageError(
      `--${name} must be a whole number from ${bounds.min} to ${bounds.max}, not '${printable(value)}'`,
    );
  }
  return number;
}

/** Seeds have 32 bits. */
export const SEED: Bounds = { min: 0, max: 2 ** 32 - 1, fallback: 1 };
