import { UsageError } from '@vmarea/cli';
import { listLeaves, type PageTableReader, printable } from '@vmarea/core';

/** A range of addresses. */
export interface AddressRange {
  /** First address, in bytes. */
  readonly start: bigint;
  readonly bytes: bigint;
}

const UNITS: Readonly<Record<string, bigint>> = {
  '': 1n,
  K: 1n << 10n,
  M: 1n << 20n,
  G: 1n << 30n,
  T: 1n << 40n,
};

/**
 * Reads an address: hexadecimal, with or without `0x`.
 *
 * @param name - what it is for, for the message.
 * @throws UsageError for anything else.
 */
export function addressOf(name: string, text: string): bigint {
  if (/^(?:0x)?[\da-f]{1,16}$/i.test(text)) return BigInt(text.startsWith('0x') ? text : `0x${text}`);
  throw new UsageError(
    `${name} is '${printable(text)}', which is no address; expected up to 16 hexadecimal digits, with or without 0x`,
  );
}

/**
 * Reads a number of bytes: decimal, with K, M, G or T for powers of 1024; or hexadecimal with `0x`.
 *
 * @param least - the least number. Default: 1.
 * @throws UsageError for anything else, and for less.
 */
export function bytesOf(name: string, text: string, least = 1n): bigint {
  const [, digits = '', unit = ''] = /^(\d{1,20}|0x[\da-f]{1,16})([KMGT]?)$/i.exec(text) ?? [];
  const bytes = digits === '' ? -1n : BigInt(digits) * (UNITS[unit.toUpperCase()] ?? 1n);
  if (bytes >= least && bytes <= 1n << 64n) return bytes;
  throw new UsageError(
    `${name} is '${printable(text)}'; expected a number of bytes, such as 4096, 2M or 0x200000`,
  );
}

/**
 * Reads a range: `FIRST`, `FIRST-LAST` or `FIRST+BYTES`.
 *
 * @param unit - bytes of a range that has a first address alone.
 * @throws UsageError for anything else.
 */
export function rangeOf(name: string, text: string, unit = 1n): AddressRange {
  const plus = text.indexOf('+');
  const minus = text.indexOf('-');
  const at = plus >= 0 ? plus : minus;
  if (at < 0) return { start: addressOf(name, text), bytes: unit };
  const start = addressOf(name, text.slice(0, at));
  const end = text.slice(at + 1);
  if (plus >= 0) return { start, bytes: bytesOf(name, end) };
  const last = addressOf(name, end);
  if (last < start)
    throw new UsageError(`${name} is '${printable(text)}', which ends before it begins; expected FIRST-LAST`);
  return { start, bytes: last - start + 1n };
}

/**
 * All pages of a range of virtual addresses, as lists take them; nothing for all addresses.
 *
 * @throws VmError `ERANGE` for a range that the table does not translate as a whole.
 */
export function pagesOf(
  table: PageTableReader,
  { start, bytes }: AddressRange,
): { readonly va?: bigint; readonly bytes?: bigint } {
  const page = 1n << BigInt(table.format.pageShift);
  const va = start - (start % page);
  const end = start + bytes + page - 1n;
  const pages = { va, bytes: end - (end % page) - va };
  // No format translates all of them: with the hole between the halves, they are one range for people alone.
  if (va === 0n && pages.bytes === 1n << 64n) return {};
  // A list checks its arguments at the call, before anything is printed.
  listLeaves(table, pages);
  return pages;
}

/**
 * Reads the value of a register: decimal, or hexadecimal with `0x`.
 *
 * @throws UsageError for anything else.
 */
export function registerOf(name: string, text: string): bigint {
  const value = /^(?:0x[\da-f]{1,16}|\d{1,20})$/i.test(text) ? BigInt(text) : 1n << 64n;
  if (value < 1n << 64n) return value;
  throw new UsageError(`--${name} is '${printable(text)}'; expected a value of 64 bits, such as 0x1000`);
}
