import { VmError } from '@vmarea/core';

/**
 * Says of a value whether a member takes it. `null`: its type is right, and its bits may be refused for what they mean. `any`:
 * what comes of it is not looked at.
 */
export type Legal = (value: unknown) => boolean | null | 'any';

/** Values of every kind that plain JavaScript can pass for a member. */
const VALUES: readonly unknown[] = [
  ...[undefined, null, true, false, '', '0', '48', '0x1000', 'intel', 'sv39', Symbol('symbol')],
  ...[0, -0, 1, -1, 4, 12, 16, 32, 47, 48, 51, 52, 53, 56, 57, 64, 0.5, 48.5, 2 ** 32, 2 ** 53, 2 ** 64],
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ...[0n, 1n, -1n, 0x1000n, 0x1001n, (1n << 64n) - 1n, 1n << 64n, -(1n << 64n)],
  ...[
    {},
    [],
    [48],
    new Map(),
    () => 48,
    { valueOf: () => 48 },
    { toString: () => '48' },
    Object.create(null),
  ],
];

/**
 * Gives a call every kind of value for each member of its options, and reports what it does that it should not.
 *
 * A value that is legal must be taken. Every other one must be refused with a `VmError` of code EINVAL that names the member,
 * in any case: `mair`, or `MAIR` where a field of it is meant.
 * A name that differs from a member's must be refused with the right one, and so must options that are no object.
 *
 * @param call - takes the options.
 * @param base - options that are right: members that must be there.
 * @param legal - of every member, which values are right beside those of `base`.
 * @returns one line for each thing that is wrong.
 */
export function wrongsOf<T extends object>(
  call: (options: T) => unknown,
  base: Partial<T>,
  legal: { readonly [Name in keyof Required<T>]: Legal },
): string[] {
  const wrongs: string[] = [];
  const judge = (options: unknown, what: string, isLegal: boolean | null, parts: readonly string[]): void => {
    const error = thrownBy(() => call(options as T));
    if (error === null) {
      if (isLegal === false) wrongs.push(`${what} is taken`);
      return;
    }
    const isRefusal = error instanceof VmError && error.code === 'EINVAL';
    const message = isRefusal ? error.message.toLowerCase() : '';
    if (isLegal === true || !isRefusal || !parts.every((part) => message.includes(part.toLowerCase())))
      wrongs.push(`${what}: ${String(error)}`);
  };
  for (const [name, isLegal] of Object.entries(legal) as [string, Legal][]) {
    for (const value of VALUES) {
      const verdict = isLegal(value);
      if (verdict === 'any') continue;
      judge({ ...base, [name]: value }, `${name}: ${textOf(value)}`, verdict, [name]);
    }
    judge({ ...base, [`${name}_`]: 1 }, `${name}_`, false, [`\`${name}_\``, `did you mean \`${name}\`?`]);
  }
  judge({ ...base, anotherOption: 1 }, 'anotherOption', false, ['`anotherOption`', ...Object.keys(legal)]);
  for (const options of VALUES) {
    // An object without members is right where no member must be there.
    if (options !== undefined && !isPlain(options)) judge(options, `options ${textOf(options)}`, false, []);
  }
  return wrongs;
}

function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function thrownBy(call: () => unknown): unknown {
  try {
    call();
    return null;
  } catch (error) {
    return error ?? 'nothing';
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'bigint') return `${value}n`;
  return typeof value === 'object' || typeof value === 'function'
    ? Object.prototype.toString.call(value)
    : String(value);
}

/** True for `undefined`: the member may be absent. */
const isAbsent: Legal = (value) => value === undefined;

/** Members that are true or false. */
export const isFlag: Legal = (value) => isAbsent(value) || typeof value === 'boolean';

/** Members that are an integer in a range; `undefined` only where it may be absent. */
export function isInteger(least: number, most: number, mayBeAbsent = true): Legal {
  return (value) =>
    (mayBeAbsent && isAbsent(value)) ||
    (Number.isInteger(value) && (value as number) >= least && (value as number) <= most);
}

/** Members that are a register of 64 bits, or of fewer. */
export function isRegister(mayBeAbsent: boolean, bits = 64): Legal {
  return (value) => {
    if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) return mayBeAbsent && isAbsent(value);
    const wide = BigInt(value as number);
    return BigInt.asUintN(bits, wide) === wide;
  };
}

/** Members that have bits of which some are refused for what they mean. */
export function hasMeaning(isRight: Legal): Legal {
  return (value) => (isRight(value) === true ? null : false);
}

/** Members with a few values. */
export function isOneOf(...values: readonly unknown[]): Legal {
  return (value) => values.includes(value);
}
