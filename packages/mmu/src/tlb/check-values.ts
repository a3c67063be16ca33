import { VmError } from '@vmarea/core';

/** Refuses a value of a description, and says where in the description it is. */
export function refused(where: string, value: unknown, expected: string): VmError {
  return new VmError('EINVAL', `${where} is ${shown(value)}, expected ${expected}`);
}

/** Checks an integer in a range. @throws VmError `EINVAL` */
export function integer(where: string, value: unknown, least: number, most: number): number {
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
    throw refused(where, value, `an integer from ${least} to ${most}`);
  return value as number;
}

/** Checks text that is not empty. @throws VmError `EINVAL` */
export function text(where: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw refused(where, value, 'text');
  return value;
}

/** Checks true or false. @throws VmError `EINVAL` */
export function flag(where: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw refused(where, value, 'true or false');
  return value;
}

/** Checks one of a few values. @throws VmError `EINVAL` */
export function choice<const T extends string | number>(
  where: string,
  value: unknown,
  choices: readonly T[],
): T {
  if (!choices.includes(value as T)) throw refused(where, value, choices.join(', '));
  return value as T;
}

/** Checks a list, and each of its members. @throws VmError `EINVAL` */
export function list<T>(
  where: string,
  value: unknown,
  most: number,
  member: (where: string, one: unknown) => T,
): T[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > most)
    throw refused(where, value, `a list of 1 to ${most}`);
  return Array.from(value, (one, i) => member(`${where}[${i}]`, one));
}

/** Refuses two equal members of a list. @throws VmError `EINVAL` */
export function allDiffer<T extends string | number>(where: string, values: readonly T[]): readonly T[] {
  const twice = values.find((value, i) => values.indexOf(value) !== i);
  if (twice !== undefined) throw new VmError('EINVAL', `${where} has ${shown(twice)} twice`);
  return values;
}

function shown(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
  return typeof value === 'object' && value !== null
    ? 'an object'
    : typeof value === 'function'
      ? 'a function'
      : String(value);
}
