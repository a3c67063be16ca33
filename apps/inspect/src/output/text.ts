import { type Console, coloursFor, pageSizeName } from '@vmarea/cli';
import { hex, type Permissions, type Rights } from '@vmarea/core';
import type { DifferenceRow } from '../show/diff.js';
import type { MergedRow } from '../show/merge.js';
import type { LeafRow, UnlistedRow } from '../show/rows.js';

/** The colours of a run's output. */
export type Colours = ReturnType<typeof coloursFor>;

/** The colours of standard output. */
export function coloursOf(io: Console): Colours {
  return coloursFor(io.stdout, io.env);
}

/** A size: `612K`, `2M`. */
export function size(bytes: bigint): string {
  return pageSizeName(Number(bytes));
}

/** First and last address. */
export function span(va: bigint, bytes: bigint): string {
  return `${hex(va)}-${hex(va + bytes - 1n)}`;
}

/** Rights as letters: `r-x`. */
function letters({
  read,
  write,
  execute,
}: { readonly [name in 'read' | 'write' | 'execute']: boolean }): string {
  return `${read ? 'r' : '-'}${write ? 'w' : '-'}${execute ? 'x' : '-'}`;
}

/** Rights and owner, red where pages are writable and executable. */
export function owned(rights: Rights, { red }: Colours): string {
  const text = `${letters(rights)} ${rights.user ? 'u' : 'k'}`;
  return rights.write && rights.execute ? red(text) : text;
}

/** Rights of both sides. */
export function bothSides({ kernel, user }: Permissions): string {
  return `kernel ${letters(kernel)}, user ${letters(user)}`;
}

/** A run of leaves on one line. */
export function leafLine(row: LeafRow, colours: Colours): string {
  const { va, bytes, count, leafBytes, runBytes, level, pa, rights, global, accessed, dirty, memory } = row;
  const marks = `${global ? 'g' : '-'}${accessed ? 'a' : '-'}${dirty ? 'd' : '-'}`;
  return [
    span(va, bytes),
    size(bytes).padStart(8),
    level.padEnd(3),
    `${count} x ${size(leafBytes)}${runBytes === null ? '' : `/${size(runBytes)}`}`.padEnd(14),
    owned(rights, colours),
    marks,
    memory.padEnd(15),
    hex(pa),
    ...(row.region === null ? [] : [colours.dim(row.region)]),
  ].join('  ');
}

/** A table that is not listed, on one line. */
export function unlistedLine(
  { kind, va, bytes, level, pa, entryAddress, listedAt }: UnlistedRow,
  { yellow }: Colours,
): string {
  const why =
    kind === 'missing'
      ? `the ${level} table at ${hex(pa)} is not in the dump (entry at ${hex(entryAddress)})`
      : `the ${level} table at ${hex(pa)} is listed at ${hex(listedAt ?? 0n)}`;
  return `${span(va, bytes)}  ${size(bytes).padStart(8)}  ${yellow(why)}`;
}

/** Merged runs on one line. */
export function mergedLine(row: MergedRow, colours: Colours): string {
  const { va, bytes, rights, memory, region, pa, isContiguous, sizes } = row;
  return [
    span(va, bytes),
    size(bytes).padStart(8),
    owned(rights, colours),
    memory.padEnd(15),
    sizes
      .map(({ leafBytes, bytes: of }) => `${of / leafBytes}x${size(leafBytes)}`)
      .join(' ')
      .padEnd(16),
    isContiguous ? hex(pa) : 'scattered'.padEnd(18),
    ...(region === null ? [] : [colours.dim(region)]),
  ].join('  ');
}

const SIGNS: Readonly<Record<string, string>> = {
  'only-here': '-',
  'only-there': '+',
  moved: '~',
  protection: '!',
};

/** A difference on one line: `-` only in the first, `+` only in the second, `~` moved, `!` other rights, `?` unknown. */
export function differenceLine(
  { kind, va, bytes, here, there, region }: DifferenceRow,
  colours: Colours,
): string {
  const sign = SIGNS[kind] ?? '?';
  const colour =
    { '-': colours.red, '+': colours.green, '?': colours.yellow }[sign] ?? ((text: string) => text);
  const side = (one: DifferenceRow['here']): string =>
    one === null ? '–' : `${letters(one.rights)} ${one.rights.user ? 'u' : 'k'} ${hex(one.pa)}`;
  const sides =
    sign === '?'
      ? kind
      : sign === '-'
        ? side(here)
        : sign === '+'
          ? side(there)
          : `${side(here)} -> ${side(there)}`;
  return [
    colour(`${sign} ${span(va, bytes)}`),
    size(bytes).padStart(8),
    sides,
    ...(region === null ? [] : [colours.dim(region)]),
  ].join('  ');
}
