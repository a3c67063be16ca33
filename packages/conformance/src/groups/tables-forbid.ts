import {
  type Access,
  hex,
  type PageTableFormat,
  type Permissions,
  toBigint,
  type Words,
  words,
} from '@vmarea/core';
import { same } from '../assert.js';
import type { Case } from '../case.js';
import type { Right, TableBits } from '../manual.js';
import { leafLevels, leavesInUse } from '../members.js';
import { addressMask, kindOf } from '../tools/entries.js';

const RIGHTS: readonly Right[] = [
  ...(['kernel read', 'kernel write', 'kernel execute'] as const),
  ...(['user read', 'user write', 'user execute'] as const),
];

/** What the manual says that tables forbid, at each level above each leaf; and that nothing else of a table does. */
export function forbidding(format: PageTableFormat, list: readonly TableBits[]): Case[] {
  return leafLevels(format).flatMap((level) =>
    Array.from({ length: level }, (_, above) => above).flatMap((above): Case[] => {
      const at = `level=${format.levels[above]?.name}:leaf=${format.levels[level]?.name}`;
      return [
        ...list.map((one) => ({
          id: `forbid:bits=${one.bits.toString(16)}:${at}`,
          run: () => forbids(format, list, one, level, above),
        })),
        { id: `forbid:others:${at}`, run: () => others(format, list, level, above) },
      ];
    }),
  );
}

/** A table entry that forbids nothing. */
function openTable(format: PageTableFormat, list: readonly TableBits[]): bigint {
  return list.reduce(
    (entry, { bits, value }) => (entry & ~bits) | (bits & ~value),
    toBigint(format.tableEntry),
  );
}

/** The entries of a walk whose tables forbid nothing, but for one. */
function pathOf(level: number, leaf: Words, open: bigint, above: number, other: bigint): Words[] {
  return [...Array.from({ length: level }, (_, i) => words(i === above ? other : open)), leaf];
}

function has(permissions: Permissions, right: Right): boolean {
  const [side, kind] = right.split(' ') as ['kernel' | 'user', Access['kind']];
  return permissions[side][kind];
}

function forbids(
  format: PageTableFormat,
  list: readonly TableBits[],
  { bits, value, forbids: gone }: TableBits,
  level: number,
  above: number,
): void {
  const { controls } = format;
  const open = openTable(format, list);
  const closed = (open & ~bits) | value;
  same(kindOf(format, above, closed), 'table', `the kind of ${hex(closed)}`);
  const taken = new Set<Right>();
  for (const leaf of leavesInUse(format, level)) {
    const before = format.permissions(pathOf(level, leaf, open, above, open), controls);
    const path = pathOf(level, leaf, open, above, closed);
    const after = format.permissions(path, controls);
    for (const right of RIGHTS) {
      const what = (): string => `${right} of ${hex(toBigint(leaf))} below ${hex(closed)}`;
      if (!gone.includes(right)) {
        if (has(before, right) && !has(after, right)) throw new Error(`${what()} is taken away`);
        continue;
      }
      if (has(before, right)) taken.add(right);
      if (has(after, right)) throw new Error(`${what()} is allowed`);
      const [side, kind] = right.split(' ') as ['kernel' | 'user', Access['kind']];
      if (format.check(path, { kind, user: side === 'user' }, controls) === null)
        throw new Error(`${what()} is allowed by check`);
    }
  }
  same([...taken].sort(), [...gone].sort(), 'what some leaf allows, and the table takes');
}

/** A bit that the manual does not name allows and forbids nothing. */
function others(format: PageTableFormat, list: readonly TableBits[], level: number, above: number): void {
  const open = openTable(format, list);
  const named = list.reduce((all, { bits }) => all | bits, addressMask(format, format.pageShift));
  const leaves = leavesInUse(format, level);
  const plain = leaves.map((leaf) =>
    format.permissions(pathOf(level, leaf, open, above, open), format.controls),
  );
  for (let bit = 1n; bit < 1n << 64n; bit <<= 1n) {
    if ((bit & named) !== 0n || kindOf(format, above, open ^ bit) !== 'table') continue;
    for (const [i, leaf] of leaves.entries()) {
      const now = format.permissions(pathOf(level, leaf, open, above, open ^ bit), format.controls);
      for (const right of RIGHTS) {
        if (has(now, right) !== has(plain[i] as Permissions, right))
          throw new Error(
            `bit ${hex(bit)} of a table the other way changes ${right} of ${hex(toBigint(leaf))}`,
          );
      }
    }
  }
}
