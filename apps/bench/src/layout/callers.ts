import { type Column, count, decimal, plural, textTable } from '@vmarea/cli';
import type { CallerCost, LayoutRow } from '@vmarea/compare';
import { printable } from '@vmarea/core';
import { costOf } from './ranking.js';

/** Most callers that are shown. */
const SHOWN = 10;
/** The longest name of a caller that is shown. */
const LONGEST = 30;

/** A caller in the cheapest row and in the dearest. */
interface Line {
  readonly of: CallerCost;
  readonly cheap: CallerCost | undefined;
}

/** The callers of a row, the most expensive first, beside what they cost in another. */
export function callerLines(cheap: LayoutRow, dear: LayoutRow): Line[] {
  const known = new Map(cheap.callers.map((caller) => [caller.caller, caller]));
  return dear.callers.map((of) => ({ of, cheap: known.get(of.caller) }));
}

/** Columns of callers. @param dear - the row that shares are of. */
export function callerColumns(dear: LayoutRow): readonly Column<Line>[] {
  const all = costOf(dear);
  return [
    { head: 'caller', align: 'left', cell: ({ of }) => nameOf(of.caller) },
    { head: 'kind', align: 'left', cell: ({ of }) => kindOf(of) },
    { head: 'areas', align: 'right', cell: ({ of }) => count(of.areas) },
    {
      head: 'MiB',
      align: 'right',
      cell: ({ of }) => decimal((of.memoryBytes + of.deviceBytes) / 2 ** 20, 1),
    },
    { head: 'least', align: 'right', cell: ({ cheap: one }) => kib(one) },
    { head: 'most', align: 'right', cell: ({ of }) => kib(of) },
    { head: 'share', align: 'right', cell: ({ of }) => percent(bytesOf(of), all) },
  ];
}

/**
 * A table of the callers that cost most in one row, beside what they cost in another.
 *
 * @param dear - the row whose order counts.
 * @returns also how many others there are, and the share of the cost that is theirs.
 */
export function callersTable(
  cheap: LayoutRow,
  dear: LayoutRow,
): { readonly table: string; readonly others: string } {
  const table = textTable(callerColumns(dear), callerLines(cheap, dear).slice(0, SHOWN));
  const rest = dear.callers.slice(SHOWN);
  const bytes = rest.reduce((sum, caller) => sum + bytesOf(caller), 0);
  const others =
    rest.length === 0 ? '' : `${plural(rest.length, 'other caller')}: ${percent(bytes, costOf(dear))}`;
  return { table, others };
}

function bytesOf({ roundingBytes, tableBytes }: CallerCost): number {
  return roundingBytes + tableBytes;
}

function nameOf(caller: string): string {
  const name = caller === '' ? '(unknown)' : printable(caller);
  return name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name;
}

function kindOf({ kinds: [first, ...more] }: CallerCost): string {
  return more.length === 0 ? String(first) : `${first} +${more.length}`;
}

function kib(caller: CallerCost | undefined): string {
  return caller === undefined ? '–' : decimal(bytesOf(caller) / 1024, 1);
}

function percent(part: number, all: number): string {
  return all === 0 ? '–' : `${decimal((100 * part) / all, 1)}%`;
}
