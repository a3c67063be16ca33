import { hex } from '@vmarea/core';

/** Refuses two values that are not the same; bigints are shown in hex. */
export function same(actual: unknown, expected: unknown, what: string): void {
  const one = shown(actual);
  const other = shown(expected);
  if (one !== other) throw new Error(`${what}: ${one} instead of ${other}`);
}

/** Refuses what is not true. */
export function ensure(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** The code of the error that a call throws; `none` when it throws nothing. */
export function codeOf(call: () => unknown): string {
  try {
    call();
    return 'none';
  } catch (error) {
    return String((error as { code?: unknown }).code ?? error);
  }
}

/** A value as messages show it. */
function shown(value: unknown): string {
  if (typeof value === 'bigint') return hex(value);
  return (
    JSON.stringify(value, (_key, one: unknown) => (typeof one === 'bigint' ? hex(one) : one)) ?? 'undefined'
  );
}
