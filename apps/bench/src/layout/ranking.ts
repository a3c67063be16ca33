import { count, decimal, textTable } from '@vmarea/cli';
import type { LayoutRow } from '@vmarea/compare';

/** Rows that cost the same: areas, mapped pages, tables, lost memory and entries of a walk. Leaf sizes may differ. */
export interface Rank {
  /** From 1: how many ranks cost less, and one. */
  readonly place: number;
  readonly rows: readonly LayoutRow[];
  /** Bytes of page tables and of memory that nobody asked for. */
  readonly bytes: number;
}

/** Rows by cost, the cheapest first. Equal rows are folded into one rank. */
export function ranking(rows: readonly LayoutRow[]): Rank[] {
  const ranks = new Map<string, LayoutRow[]>();
  for (const row of rows) {
    const { areas, mapped, tables, rounding, walk } = row;
    const key = JSON.stringify([areas, mapped, tables, rounding, entries(row), walk.entriesMax]);
    const known = ranks.get(key);
    if (known === undefined) ranks.set(key, [row]);
    else known.push(row);
  }
  return [...ranks.values()]
    .map((equal) => ({ rows: equal, bytes: costOf(equal[0] as LayoutRow) }))
    .sort((a, b) => a.bytes - b.bytes)
    .map((rank, i) => ({ place: i + 1, ...rank }));
}

/** What a row costs: bytes of page tables, and of memory that nobody asked for. */
export function costOf({ tables, rounding }: Pick<LayoutRow, 'tables' | 'rounding'>): number {
  return tables.bytes + rounding.bytes;
}

/** The widest and the narrowest bar. */
const WIDEST = 40;
const NARROWEST = 8;

/** A table of ranks with a bar for each: tables are solid, rounding is shaded. */
export function rankingTable(ranks: readonly Rank[], width: number): string {
  const most = Math.max(1, ...ranks.map(({ bytes }) => bytes));
  const table = (bar: (rank: Rank) => string): string =>
    textTable(
      [
        { head: '#', align: 'right', cell: ({ place }) => count(place) },
        { head: 'format', align: 'left', cell: nameOf },
        { head: 'policy', align: 'left', cell: policyOf },
        { head: 'KiB', align: 'right', cell: ({ rows: [row] }) => kib(row?.tables.bytes ?? 0) },
        { head: 'lost KiB', align: 'right', cell: ({ rows: [row] }) => kib(row?.rounding.bytes ?? 0) },
        { head: 'share', align: 'right', cell: ({ rows: [row] }) => (row === undefined ? '' : share(row)) },
        { head: 'reads', align: 'right', cell: ({ rows: [row] }) => (row === undefined ? '' : entries(row)) },
        { head: '', align: 'left', cell: bar },
      ],
      ranks,
    );
  const narrow = Math.max(
    ...table(() => '')
      .split('\n')
      .map((line) => line.length),
  );
  const room = Math.min(WIDEST, width - narrow - 2);
  if (room < NARROWEST) return table(() => '');
  return table(({ rows: [row] }) => (row === undefined ? '' : bar(row, most, room)));
}

/** A bar of tables and of rounding. A part that is not 0 has at least one column. */
function bar(row: Pick<LayoutRow, 'tables' | 'rounding'>, most: number, room: number): string {
  const columns = (bytes: number): number =>
    bytes === 0 ? 0 : Math.max(1, Math.round((bytes / most) * room));
  const rounding = columns(row.rounding.bytes);
  const tables = Math.min(columns(row.tables.bytes), Math.max(1, room - rounding));
  return '█'.repeat(tables) + '▒'.repeat(rounding);
}

/** The members of folded ranks, a line for each. */
export function foldedLines(ranks: readonly Rank[]): string[] {
  return ranks
    .filter(({ rows }) => rows.length > 1)
    .map(({ place, rows }) => {
      const names = new Map<string, string[]>();
      for (const { configuration, leafPolicy } of rows)
        names.set(leafPolicy, [...(names.get(leafPolicy) ?? []), configuration]);
      return `${place}: ${[...names].map(([policy, of]) => `${policy} ${of.join(', ')}`).join('; ')}`;
    });
}

/** The first name of a rank, and how many others there are. */
export function nameOf({ rows }: Rank): string {
  const names = [...new Set(rows.map(({ configuration }) => configuration))];
  return names.length === 1 ? (names[0] as string) : `${names[0]} +${names.length - 1}`;
}

/** The policies of a rank. */
export function policyOf({ rows }: Rank): string {
  return [...new Set(rows.map(({ leafPolicy }) => leafPolicy))].sort().join('+');
}

function kib(bytes: number): string {
  return count(bytes / 1024);
}

/** The cost as a share of the mapped bytes. */
function share(row: LayoutRow): string {
  return row.mapped.bytes === 0 ? '–' : `${decimal((100 * costOf(row)) / row.mapped.bytes, 2)}%`;
}

function entries({ walk }: LayoutRow): string {
  return decimal(walk.entriesMean, 2);
}
