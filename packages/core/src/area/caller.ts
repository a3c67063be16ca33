import { printable, shown, VmError } from '../errors.js';

/** Most characters of a word: Linux's longest symbol (KSYM_NAME_LEN is 512), its offset and its length. */
const LONGEST = 600;

/** A module, in some kernels with its build id. */
export const MODULE: RegExp = /\[[^\]\p{Cc}\p{Zl}\p{Zp}]{1,400}\]/uy;

/** One word without control characters, then perhaps a module. */
const CALLER = /* @__PURE__ */ (() =>
  new RegExp(`^[^\\s\\p{Cc}=[][^\\s\\p{Cc}=]*(?: ${MODULE.source})?$`, 'u'))();

/** A symbol with its offset and length, or an address. */
const CERTAIN = /^(?:0x[0-9a-f]+|[^\s\p{Cc}=[][^\s\p{Cc}=]*\+0x[0-9a-f]+\/0x[0-9a-f]+)$/iu;

/** A symbol, or a symbol with some offset. */
const SYMBOL = /^[\p{L}_.$][^\s\p{Cc}=[\]]*$/u;

/**
 * Refuses a caller that would make another line of /proc/vmallocinfo, or other words of its line.
 *
 * @param what - its name in the message.
 * @throws VmError `EINVAL` for anything but `symbol+0x1f/0x40`, a symbol or an address, each with `[module]`
 *   or without.
 */
export function checkCaller(caller: unknown, what = 'the caller'): asserts caller is string {
  if (typeof caller !== 'string')
    throw new VmError('EINVAL', `${what} is ${shown(caller)}, expected a string`);
  const word = caller.indexOf(' ');
  if ((word < 0 ? caller.length : word) > LONGEST || !CALLER.test(caller))
    throw new VmError('EINVAL', `${what} is ${printable(shown(caller))}`, {
      advice: 'pass one word as %pS prints it, such as fork+0x1f/0x40 or probe+0x8/0x90 [module]',
    });
}

/** True for a word that can name a caller: a symbol, with an offset or without. */
export function isSymbol(word: string): boolean {
  return word.length <= LONGEST && SYMBOL.test(word);
}

/** True for a word that can only be a caller. */
export function isCertainCaller(word: string): boolean {
  return word.length <= LONGEST && CERTAIN.test(word);
}
