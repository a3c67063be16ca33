import { hex, type Invalidation, optionsOf, VmError } from '@vmarea/core';
import { choice, flag, integer, refused } from './check-values.js';
import type { Doomed, Units } from './drop.js';
import type { InvalidationTarget } from './options.js';

/** Highest ASID: 16 bits, those of arm64 and riscv64. x86-64's PCID has 12. */
export const MOST_ASID = 65535;

const TOP = 1n << 64n;
const EVERYTHING: Units = Object.freeze({ first: 0, end: 2 ** 52 });

/**
 * What an invalidation with its operands names.
 *
 * @param current - the current address-space id.
 * @throws VmError `EINVAL` when an operand is missing or wrong; `ERANGE` when the range runs past 2^64.
 */
export function doomedBy(
  given: Invalidation,
  target: InvalidationTarget | undefined,
  current: number,
): Doomed {
  const { name, addresses, asids, globals, tables } = checked(given);
  const operands = optionsOf(target, ['va', 'bytes', 'asid'], name, 'operand');
  const units =
    addresses === 'all' ? EVERYTHING : unitsOf(name, operands.va, addresses === 'page' ? 1 : operands.bytes);
  const asid =
    asids === 'all'
      ? null
      : asids === 'current'
        ? current
        : integer(`the ASID of ${name}`, operands.asid, 0, MOST_ASID);
  return { addresses: units, asid, globals, tables };
}

/** The addresses of a range. A page that it touches counts whole. */
export function unitsOf(name: string, va: unknown, bytes: unknown): Units {
  if (typeof va !== 'bigint' || va < 0n || va >= TOP)
    throw refused(`the address of ${name}`, va, 'a bigint from 0 to 2^64 - 1');
  if ((typeof bytes !== 'bigint' && !Number.isInteger(bytes)) || (bytes as number) < 1)
    throw refused(`the length of ${name}`, bytes, 'a number of bytes, 1 or more');
  const end = va + BigInt(bytes as number);
  if (end > TOP)
    throw new VmError('ERANGE', `${name} of ${bytes} bytes at ${hex(va)} runs past the end of the addresses`);
  return { first: Number(va >> 12n), end: Number((end + 4095n) >> 12n) };
}

/** Checks that an invalidation is one: a misspelt word must not forget too little. */
export function checked(given: Invalidation): Invalidation {
  const it = optionsOf(
    given,
    ['name', 'addresses', 'asids', 'globals', 'tables', 'broadcast'],
    'an invalidation',
    'member',
  );
  const name = typeof it.name === 'string' ? it.name : 'the invalidation';
  return {
    name,
    addresses: choice(`addresses of ${name}`, it.addresses, ['page', 'range', 'all']),
    asids: choice(`asids of ${name}`, it.asids, ['given', 'current', 'all']),
    globals: flag(`globals of ${name}`, it.globals),
    tables: choice(`tables of ${name}`, it.tables, ['none', 'addresses', 'all']),
    broadcast: flag(`broadcast of ${name}`, it.broadcast),
  };
}
