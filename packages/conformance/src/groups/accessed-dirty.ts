import {
  type Access,
  type Controls,
  hex,
  type PageTableFormat,
  toBigint,
  type Words,
  words,
} from '@vmarea/core';
import { ensure, same } from '../assert.js';
import type { Case, Group } from '../case.js';
import { combinations, controlsOf, encoded, leavesInUse, pathTo } from '../members.js';
import { addressBits, addressMask, kindOf } from '../tools/entries.js';

/** Accessed and dirty: what the MMU sets, and when it faults instead. */
export const accessedDirty: Group = {
  name: 'accessed-dirty',
  cases: ({ format }, { manual }): Case[] =>
    format.levels.flatMap(({ name: at, table, leaf }, level) =>
      controlsOf(format).flatMap(([name, controls]) => {
        const cases: Case[] = [];
        if (leaf !== null)
          cases.push({ id: `level=${at}:${name}`, run: () => touches(format, level, controls) });
        if (table !== null)
          cases.push({
            id: `table:level=${at}:${name}`,
            run: () => touchesTables(format, level, controls, manual.tableUse),
          });
        return cases;
      }),
    ),
};

/**
 * A table that is used stays the table that it is, and allows what it did.
 *
 * @param use - what hardware sets in it, where the manual is told.
 */
function touchesTables(
  format: PageTableFormat,
  level: number,
  controls: Controls,
  use: bigint | undefined,
): void {
  const address = addressMask(format, format.pageShift);
  const plain = toBigint(format.tableEntry) | addressBits(format, 5n << BigInt(format.pageShift));
  const below = format.levels.length - 1;
  for (const entry of variantsOf(format, level, plain)) {
    const before = words(entry);
    for (const kind of ['read', 'write', 'execute'] as const) {
      for (const user of [false, true]) {
        const access = { kind, user };
        const after = format.touch(before, level, 'table', access, controls);
        if (after === before && (use === undefined || (entry & use) === use)) continue;
        const now = toBigint(after);
        const what = `${hex(entry)} after a ${user ? 'user' : 'kernel'} ${kind}`;
        if (use !== undefined) same(now, entry | use, what);
        ensure(now !== entry, `${what} is a new object`);
        same(kindOf(format, level, now), 'table', `the kind of ${what}`);
        same(now & address, entry & address, `the address of ${what}`);
        ensure(format.touch(after, level, 'table', access, controls) === after, `${what} changes once more`);
        for (const leaf of leavesInUse(format, below)) {
          const one = format.permissions(pathTo(format, below, leaf, before), controls);
          const other = format.permissions(pathTo(format, below, leaf, after), controls);
          same(other, one, `what is allowed below ${what}`);
        }
      }
    }
  }
}

/** A table entry, and it with each bit the other way that leaves it a table. */
function variantsOf(format: PageTableFormat, level: number, entry: bigint): bigint[] {
  const list = [entry];
  const address = addressMask(format, format.pageShift);
  for (let bit = 1n; bit < 1n << 64n; bit <<= 1n) {
    if ((bit & address) !== 0n) continue;
    if (kindOf(format, level, entry ^ bit) === 'table') list.push(entry ^ bit);
  }
  return list;
}

function touches(format: PageTableFormat, level: number, controls: Controls): void {
  let allowed = 0;
  for (const wanted of combinations(format)) {
    const leaf = encoded(format, wanted, level);
    if (leaf === null) continue;
    for (const kind of ['read', 'write', 'execute'] as const) {
      const access: Access = { kind, user: wanted.user };
      const path = pathTo(format, level, leaf);
      const fault = format.check(path, access, controls);
      const after = format.touch(leaf, level, 'leaf', access, controls);
      onlyUse(format, level, leaf, after, kind);
      same(
        format.touch(after, level, 'leaf', access, controls) === after,
        true,
        'touched again, the same entry comes back',
      );
      if (fault === null) {
        allowed++;
        // What was allowed still is.
        same(format.check(pathTo(format, level, after), access, controls), null, 'check of what was touched');
        const now = format.decode(after, level);
        ensure(now.accessed, 'an access was allowed to a page that is not accessed then');
        if (kind === 'write' && wanted.write)
          ensure(now.dirty, 'a write was allowed to a page that is not dirty then');
      }
      if (fault?.kind === 'access-flag') {
        const used = encoded(format, { ...wanted, accessed: true, dirty: wanted.write }, level);
        if (used === null) continue;
        const next = format.check(pathTo(format, level, used), access, controls);
        // A right that is missing may be told after the flag.
        ensure(next?.kind !== 'access-flag', 'an access faults for a flag that is set');
      }
    }
  }
  ensure(allowed > 0, 'no access is allowed');
}

/** Hardware changes what `decode` calls accessed and dirty, and nothing else. */
function onlyUse(
  format: PageTableFormat,
  level: number,
  before: Words,
  after: Words,
  kind: Access['kind'],
): void {
  if (after === before) return;
  const one = format.decode(before, level);
  const other = format.decode(after, level);
  for (const member of ['read', 'write', 'execute', 'user', 'global', 'memory'] as const) {
    same(other[member], one[member], `touch keeps ${member}`);
  }
  ensure(other.accessed || !one.accessed, 'touch takes accessed away');
  ensure(other.dirty || !one.dirty, 'touch takes dirty away');
  ensure(other.dirty === one.dirty || kind === 'write', `${kind} makes a page dirty`);
  same(toBigint(format.encode(other, level)), toBigint(after), 'encode(decode(touched))');
}
