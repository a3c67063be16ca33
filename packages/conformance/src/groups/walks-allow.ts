import { type Access, type PageTableFormat, type Protection, VmError } from '@vmarea/core';
import { same } from '../assert.js';
import { Machine, sizesOf } from '../machine.js';
import { combinations, encoded, isInUse } from '../members.js';
import { firstAddress } from '../tools/addresses.js';

const KINDS = ['read', 'write', 'execute'] as const;
const NEITHER = { read: false, write: false, execute: false };

/**
 * What `encode` takes is what the walk then allows the page's owner, below tables that the page table made: for a page that is
 * mapped so, and for one that is protected so. A page of the kernel is none of the user's.
 */
export function walks(format: PageTableFormat, level: number): void {
  const size = sizesOf(format).find((one) => one.level === level && one.entries === 1);
  // A leaf of half the range cannot be mapped beside another.
  if (size === undefined) return;
  const bytes = 1n << BigInt(size.shift);
  const va = firstAddress(format) + bytes;
  const { table } = new Machine(format);
  const all = combinations(format).filter((one) => isInUse(one) && encoded(format, one, level) !== null);
  for (const wanted of all) {
    table.mapRange(va, bytes, bytes, wanted, { maxLeafShift: size.shift });
    same(table.walk(va).leaf?.level, level, 'the level of the leaf');
    judge(table, va, wanted, 'map');
    for (const other of [all[0], all[all.length - 1]] as Protection[]) {
      table.unmap(va, bytes);
      table.mapRange(va, bytes, bytes, other, { maxLeafShift: size.shift });
      const { read, write, execute, user, global, memory } = wanted;
      table.protect(va, bytes, { read, write, execute, user, global, memory });
      // A change keeps dirtiness: a page that becomes writable may be clean, and its first write a fault.
      judge(table, va, wanted, 'protect');
    }
    table.unmap(va, bytes);
  }
}

function judge(table: Machine['table'], va: bigint, wanted: Protection, call: string): void {
  const said = KINDS.map((kind) => `${kind} ${wanted[kind]}`).join(', ');
  const what = `${call} of a page of the ${wanted.user ? 'user' : 'kernel'} with ${said}`;
  const { permissions } = table.walk(va);
  if (permissions === null) throw new VmError('EFAULT', `${what} is not mapped`, { address: va });
  const side = wanted.user ? 'user' : 'kernel';
  for (const kind of KINDS) {
    same(permissions[side][kind], wanted[kind], `${what}: ${kind} by permissions`);
    const access: Access = { kind, user: wanted.user };
    const { fault } = table.walk(va, access);
    if (call === 'protect' && fault?.kind === 'access-flag') continue;
    same(fault === null, wanted[kind], `${what}: ${kind} by a walk`);
  }
  if (!wanted.user) same(permissions.user, NEITHER, `${what}: what the user may`);
}
