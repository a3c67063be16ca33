import {
  type Access,
  type Controls,
  type PageTableFormat,
  type Permissions,
  toBigint,
  words,
} from '@vmarea/core';
import { ensure, same } from '../assert.js';
import type { Case, Group } from '../case.js';
import { combinations, controlsOf, encoded, isInUse, leafLevels, leavesInUse, pathTo } from '../members.js';
import { addressMask, kindOf } from '../tools/entries.js';
import { forbidding } from './tables-forbid.js';
import { walks } from './walks-allow.js';

const KINDS = ['read', 'write', 'execute'] as const;
const SIDES = ['kernel', 'user'] as const;

/** What leaves allow, and what the entries above them take away. */
export const permissions: Group = {
  name: 'permissions',
  cases: ({ format }, { manual }): Case[] => [
    ...leafLevels(format).flatMap((level) =>
      controlsOf(format).map(([name, controls]) => ({
        id: `check:level=${format.levels[level]?.name}:${name}`,
        run: () => agree(format, level, controls),
      })),
    ),
    ...leafLevels(format)
      .filter((level) => level > 0)
      .map((level) => ({
        id: `tables:level=${format.levels[level]?.name}`,
        run: () => tables(format, level),
      })),
    ...leafLevels(format).map((level) => ({
      id: `walk:level=${format.levels[level]?.name}`,
      run: () => walks(format, level),
    })),
    ...(manual.tables === undefined ? [] : forbidding(format, manual.tables)),
    { id: 'rights', run: () => rights(format) },
  ],
};

/** `check` refuses what `permissions` does not allow, and nothing else; `checkRoot` only what no leaf allows. */
function agree(format: PageTableFormat, level: number, controls: Controls): void {
  for (const leaf of leavesInUse(format, level)) {
    const path = pathTo(format, level, leaf);
    const allowed = format.permissions(path, controls);
    for (const side of SIDES) {
      for (const kind of KINDS) {
        const access: Access = { kind, user: side === 'user' };
        const fault = format.check(path, access, controls);
        const barred = format.checkRoot?.(access, controls) ?? null;
        ensure(barred === null || fault !== null, `check allows a ${side} ${kind} that checkRoot refuses`);
        // No page that is mapped has such a fault: the access may not use the root at all.
        if (fault?.kind === 'address')
          same(barred, fault, `checkRoot for a ${side} ${kind} that check refuses`);
        if (allowed[side][kind] && fault?.kind === 'access-flag') continue;
        same(
          fault === null,
          allowed[side][kind],
          `${side} ${kind} of ${toBigint(leaf).toString(16)} by check`,
        );
        if (fault !== null) {
          ensure(fault.level >= 0 && fault.level <= level, `a fault of level ${fault.level}`);
          format.faultCode(fault, access, controls);
        }
      }
    }
  }
}

/** Each bit of a table entry either only forbids or only allows, and what it forbids no leaf allows. */
function tables(format: PageTableFormat, level: number): void {
  const leaves = leavesInUse(format, level);
  const plain = leaves.map((leaf) => format.permissions(pathTo(format, level, leaf), format.controls));
  for (let bit = 0n; bit < 64n; bit++) {
    const entry = toBigint(format.tableEntry) ^ (1n << bit);
    if (((1n << bit) & addressMask(format, format.pageShift)) !== 0n) continue;
    if (kindOf(format, 0, entry) !== 'table') continue;
    const found = new Set<string>();
    for (const [i, leaf] of leaves.entries()) {
      const now = format.permissions(pathTo(format, level, leaf, words(entry)), format.controls);
      for (const change of changesOf(plain[i] as Permissions, now)) found.add(change);
    }
    for (const side of SIDES) {
      for (const kind of KINDS) {
        const both = found.has(`+${side} ${kind}`) && found.has(`-${side} ${kind}`);
        ensure(
          !both,
          `bit ${bit} of a table entry gives some leaves ${side} ${kind} and takes it from others`,
        );
      }
    }
  }
}

function changesOf(before: Permissions, now: Permissions): string[] {
  return SIDES.flatMap((side) =>
    KINDS.flatMap((kind) => {
      if (before[side][kind] === now[side][kind]) return [];
      return [`${now[side][kind] ? '+' : '-'}${side} ${kind}`];
    }),
  );
}

/** A kernel page is none of the user's; a page that cannot be written, or executed, is not; and some can be each. */
function rights(format: PageTableFormat): void {
  const level = format.levels.length - 1;
  const seen = new Set<string>();
  for (const wanted of combinations(format)) {
    const leaf = isInUse(wanted) ? encoded(format, wanted, level) : null;
    if (leaf === null) continue;
    const { kernel, user } = format.permissions(pathTo(format, level, leaf), format.controls);
    const own = wanted.user ? user : kernel;
    if (!wanted.user)
      ensure(!user.read && !user.write && !user.execute, 'the user may use a page of the kernel');
    if (!wanted.write) ensure(!own.write && !kernel.write, 'a page that is not writable can be written');
    if (!wanted.execute) ensure(!own.execute, 'a page that is not executable can be executed');
    if (wanted.write && !wanted.execute)
      same(own.write, true, `write by the owner (${wanted.user ? 'user' : 'kernel'})`);
    for (const kind of KINDS) if (own[kind]) seen.add(`${wanted.user ? 'user' : 'kernel'} ${kind}`);
  }
  for (const side of SIDES)
    for (const kind of KINDS) ensure(seen.has(`${side} ${kind}`), `no page gives its owner ${side} ${kind}`);
}
