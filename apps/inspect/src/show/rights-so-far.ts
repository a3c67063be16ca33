import { type EntryKind, type PageTableFormat, type Permissions, protection, type Words } from '@vmarea/core';

/**
 * What the entries of a path leave of all rights, as if all below it forbade nothing.
 *
 * @param path - root first; two words each.
 * @param kind - of its last entry.
 * @param controls - processor modes, all of them.
 * @returns `null` behind an entry that is neither table nor leaf.
 */
export function rightsSoFar(
  format: PageTableFormat,
  path: readonly Words[],
  kind: EntryKind,
  controls: object,
): Permissions | null {
  if (kind === 'leaf') return format.permissions(path, controls);
  if (kind !== 'table') return null;
  const { levels, tableEntry } = format;
  const below = Array.from({ length: levels.length - path.length - 1 }, () => tableEntry);
  const ends = [true, false].map((user) => {
    const leaf = format.encode(ALL[user ? 'user' : 'kernel'], levels.length - 1);
    return format.permissions([...path, ...below, leaf], controls);
  });
  return { user: (ends[0] as Permissions).user, kernel: (ends[1] as Permissions).kernel };
}

const ALL = {
  user: protection({ write: true, execute: true, user: true }),
  kernel: protection({ write: true, execute: true }),
};
