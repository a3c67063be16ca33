import { type Access, type Controls, type PageTableFormat, toBigint, type Words } from '@vmarea/core';
import { ensure, same } from '../assert.js';
import type { Case, Group } from '../case.js';
import { combinations, controlsOf, encoded, leafLevels, pathTo } from '../members.js';

/** Accessed and dirty: what the MMU sets, and when it faults instead. */
export const accessedDirty: Group = {
  name: 'accessed-dirty',
  cases: ({ format }): Case[] =>
    leafLevels(format).flatMap((level) =>
      controlsOf(format).map(([name, controls]) => ({
        id: `level=${format.levels[level]?.name}:${name}`,
        run: () => touches(format, level, controls),
      })),
    ),
};

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
      onlyUse(format, level, leaf, after);
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
function onlyUse(format: PageTableFormat, level: number, before: Words, after: Words): void {
  const one = format.decode(before, level);
  const other = format.decode(after, level);
  for (const member of ['read', 'write', 'execute', 'user', 'global', 'memory'] as const) {
    same(other[member], one[member], `touch keeps ${member}`);
  }
  ensure(other.accessed || !one.accessed, 'touch takes accessed away');
  ensure(other.dirty || !one.dirty, 'touch takes dirty away');
  same(toBigint(format.encode(other, level)), toBigint(after), 'encode(decode(touched))');
}
